"""Differences: kept entries beside recomputed ones, each difference named by document, entry, line and amount."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from billing.reperform import Check
from models.journal import JournalEntry, Posting
from models.money import money_text

_NOTHING = "nothing"
_HEADS = tuple(name for name in JournalEntry.model_fields if name != "postings")


def of_entries(document: str, kept: Iterable[JournalEntry], again: Iterable[JournalEntry]) -> tuple[Check, ...]:
    """Return one check where a document's entries are what was recomputed; else one for each head or line that is not.

    An entry that is missing, or that nothing makes, differs in each of its lines.
    """
    there, made = {one.key: one for one in kept}, {one.key: one for one in again}
    found = [one for key in (there | made) for one in _entry(document, key, there.get(key), made.get(key))]
    same = ", ".join(f"{entry.rule.value} {entry.key}" for entry in there.values()) or "no entry"
    return tuple(found) or (Check(name=document, evidence=same, recomputed=same),)


def _entry(document: str, key: str, kept: JournalEntry | None, again: JournalEntry | None) -> Iterator[Check]:
    if kept is not None and again is not None:
        for name in _HEADS:
            yield from _one(f"{document}: {key} {name}", str(getattr(kept, name)), str(getattr(again, name)))
    sides = zip_longest(kept.postings if kept else (), again.postings if again else ())
    for number, (left, right) in enumerate(sides, 1):
        yield from _one(f"{document}: {key} line {number}", _line(left, kept), _line(right, again))


def _one(name: str, kept: str, again: str) -> Iterator[Check]:
    if kept != again:
        yield Check(name=name, evidence=kept, recomputed=again)


def _line(one: Posting | None, entry: JournalEntry | None) -> str:
    """Return a posting in words: account and amount, then whatever else it says."""
    if one is None or entry is None:
        return _NOTHING
    said = one.model_dump(mode="json", exclude={"account", "amount"}, exclude_none=True)
    more = "".join(f", {name} {value}" for name, value in said.items())
    return f"{one.account.value} {money_text(one.amount, entry.currency)}{more}"
