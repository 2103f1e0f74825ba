"""List changes: what is another than in a list of statements that somebody saw, statement by statement."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.postgres.books import Books
from billing.statement_changes import LineChange, changes
from models.close import Standing
from models.statement import Statement
from models.value import fingerprint_of

_LINE = re.compile(r"[^\s\x00]+ [0-9a-f]{64}")
MOST_COMPARED = 50
"""Statements that are told line by line; of what is more, only that they are others."""


@dataclass(frozen=True)
class Moved:
    """A customer whose statement is another one, left the list or came to it; `standing` says where they are now."""

    customer: str
    seen: str | None  # the fingerprint that was seen
    now: str | None
    standing: Standing | None
    before: Statement | None = None
    after: Statement | None = None
    lines: tuple[LineChange, ...] = ()


def text_of(listed: Mapping[str, str]) -> str:
    """Return the text whose fingerprint a list is signed by: customer and statement a line."""
    return "\n".join(f"{customer} {statement}" for customer, statement in listed.items())


def listed_in(text: str, fingerprint: str) -> dict[str, str] | None:
    """Return the statements by customer of a list that was seen; None where the text is not that list's."""
    text = text.replace("\r\n", "\n")  # as a form sends it
    lines = text.split("\n")
    if fingerprint_of(text) != fingerprint or not all(map(_LINE.fullmatch, lines)):
        return None
    return dict(line.split(" ") for line in lines)


def moved(
    books: Books, seen: Mapping[str, str], now: Mapping[str, str], standings: Sequence[Standing]
) -> tuple[Moved, ...]:
    """Return who moved between a list that was seen and the one there is now, by customer."""
    stand = {one.customer: one for one in standings}
    others = [name for name in sorted({*seen, *now}) if seen.get(name) != now.get(name)]
    # Who left the list may have another statement all the same, which a finding holds.
    after = {
        name: now.get(name) or (stand[name].references.get("statement") if name in stand else None) for name in others
    }
    pairs = [
        (name, seen[name], after[name]) for name in others if name in seen and after[name] not in (None, seen[name])
    ]
    told = books.statements([one for _, *pair in pairs[:MOST_COMPARED] for one in pair if one])
    found = {name: (told.get(was), told.get(is_ or "")) for name, was, is_ in pairs}
    rows = []
    for name in others:
        before, later = found.get(name, (None, None))
        lines = changes(before, later) if before is not None and later is not None else ()
        rows.append(Moved(name, seen.get(name), now.get(name), stand.get(name), before, later, lines))
    return tuple(rows)
