"""Single calls: the sealed events of one day that a customer was billed for, as their pages may show them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from models.period import local_day
from models.usage import Dimensions, UsageLine
from models.value import Exact, Instant, Value

NUMBER = re.compile(r"\+?[\d\s().-]+")
FEWEST_DIGITS = 7
"""A text of so many digits and nothing but what numbers are written with is a phone number."""
SHOWN_DIGITS = 3


class Call(Value):
    """One event of a day: when, of what, how much, who said so and under which id."""

    at: Instant
    meter: str
    dimensions: Dimensions
    quantity: Exact
    source: str
    id: str


def calls_of(
    rows: Iterable[Mapping[str, Any]], source: str, usage: Sequence[UsageLine], day: date, zone: str
) -> tuple[Call, ...]:
    """Return a source's events of one day of a zone that the reconciled usage is made of, in order of time.

    An hour that another source spoke for has none of this one's; a total (what has an end) is no event.
    """
    spoken: dict[str, list[UsageLine]] = {}
    for line in usage:
        if line.source == source:
            spoken.setdefault(line.meter, []).append(line)
    found = []
    for row in rows:
        at = row["starts_at"]
        if row["ends_at"] is not None or local_day(at, zone) != day:
            continue
        if any(line.starts_at <= at < line.ends_at for line in spoken.get(row["meter"], ())):
            dimensions = {name: masked(word) for name, word in json.loads(row["dims"]).items()}
            found.append(
                Call(
                    at=at,
                    meter=row["meter"],
                    dimensions=dimensions,
                    quantity=row["quantity"],
                    source=source,
                    id=row["id"],
                )
            )
    return tuple(sorted(found, key=lambda one: (one.at, one.meter, one.id)))


def masked(word: str) -> str:
    """Return a word as a page shows it: of a phone number its last digits alone.

    >>> masked("+1 (415) 555-0134"), masked("gpt-4o")
    ('…134', 'gpt-4o')
    """
    digits = re.sub(r"\D", "", word)
    if NUMBER.fullmatch(word) and len(digits) >= FEWEST_DIGITS:
        return f"…{digits[-SHOWN_DIGITS:]}"
    return word
