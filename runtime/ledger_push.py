"""Ledger push: an export is sent only once it was read back, entry by entry, by its external id.

A push that failed may have landed, wholly or in part. So before anything is written the other ledger is asked what it
holds; what is there is never sent again, and what is there otherwise is parked for a person.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from adapters.general_ledger.file_drop import Lines
from models.refusal import Refusal
from models.value import Value, canonical_json, fingerprint_of


class Ledger(Protocol):
    """Another general ledger, as far as an export needs it."""

    def send(self, name: str, text: str) -> None:
        """Hand over an import."""

    def under_way(self) -> frozenset[str]:
        """Return the keys of what was handed over."""

    def held(self) -> Mapping[str, Lines]:
        """Return what it holds, by external id."""

    def lines_of(self, text: str) -> Mapping[str, Lines]:
        """Return the entries of an import's text."""


class ExportParked(Refusal):
    """The other ledger holds entries otherwise than we sent them, or a part of an import."""

    remedy = (
        "Compare the named entries in both ledgers. Where its period was closed it moved them: reopen it there, "
        "or void them there and export again. Nothing was sent a second time."
    )


class Pushed(Value):
    """How an export stands: `sent` when all of it was read back, `waiting` while some of it is under way."""

    state: Literal["sent", "waiting"]
    matched: int
    waiting: tuple[str, ...] = ()


def push(ledger: Ledger, name: str, keys: tuple[str, ...], text_of: Callable[[tuple[str, ...]], str]) -> Pushed:
    """Hand over the entries that the ledger neither holds nor has under way, then match what it holds with ours.

    `text_of` gives the import of some keys. Doing it again changes nothing that is matched.

    Raises:
        ExportParked: an entry is there with other lines, or only a part of one import is there.
    """
    ours, held = ledger.lines_of(text_of(keys)), ledger.held()
    out = ledger.under_way()
    _refuse_others(ours, held)
    missing = tuple(key for key in ours if key not in held)
    stuck = [key for key in missing if key in out]
    if stuck and any(key in held for key in ours if key in out):
        raise ExportParked("a part of an import is there", there=len(ours) - len(missing), missing=", ".join(stuck[:5]))
    fresh = tuple(key for key in missing if key not in out)
    if fresh:
        ledger.send(f"{name}-{fingerprint_of(canonical_json(fresh))[:12]}", text_of(fresh))
        held = ledger.held()
        _refuse_others(ours, held)
    left = tuple(key for key in ours if key not in held)
    return Pushed(state="waiting" if left else "sent", matched=len(ours) - len(left), waiting=left)


def _refuse_others(ours: Mapping[str, Lines], held: Mapping[str, Lines]) -> None:
    wrong = [key for key, lines in ours.items() if key in held and held[key] != lines]
    if wrong:
        first = wrong[0]
        told = next((pair for pair in zip(ours[first], held[first], strict=False) if pair[0] != pair[1]), ("lines", ""))
        raise ExportParked(
            "the ledger holds other lines", entry=first, ours=told[0], theirs=told[1], entries=len(wrong)
        )
