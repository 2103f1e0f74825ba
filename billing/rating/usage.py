"""Usage: lines grouped by what tells them apart, laid in time, in the coarsest cells their clauses need.

A cell is a span of time in which it does not matter which usage came first. Where a pool runs dry inside one it does,
so the rule asks again with finer cells there (`finer`), down to the hour, which is one instant.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from models.money import ZERO
from models.period import hour_of
from models.refusal import Refusal
from models.usage import UsageLine
from models.value import decimal_text, fingerprint_of, instant_text

Pairs = tuple[tuple[str, str], ...]


class BucketStraddlesCut(Refusal):
    """A bucket holds usage from before and after an instant at which its price or its pools change."""

    remedy = "Cut the buckets at every change (cuts_of names them), or give the source's own events."


class UsageOutsidePeriod(Refusal):
    """A usage lies after the period, or too far before it."""

    remedy = "Give the usage to the period it belongs to; a person decides about what is too late."


class NegativeUsage(Refusal):
    """Corrections take more away than was metered."""

    remedy = "Find the usage the corrections belong to; a metered total below zero is never billed."


class EventsNeeded(Refusal):
    """A price for single events meets a bucket of several."""

    remedy = "Give this meter's usage event by event."


@dataclass(frozen=True, slots=True)
class Group:
    """What a clause's scope is asked about: usage of one meter with the same dimensions (as far as any clause looks
    at them), or a fee."""

    index: int
    meter: str
    dimensions: Pairs
    by_name: dict[str, str]
    fee: str | None = None
    priced_by: Pairs | None = None  # of its dimensions, those that clauses, rates and scopes look at; None: all

    @property
    def own_key(self) -> bool:
        """Whether it ran on the customer's own key at the provider, who bills it."""
        return self.by_name.get("own_key", "").lower() in ("true", "1", "yes")


@dataclass(frozen=True, slots=True)
class Atom:
    """A quantity at an instant, indivisible in time: a segment, an hour or an event of a group."""

    group: Group
    at: datetime
    segment: int
    quantity: Decimal
    events: int
    source: str
    order: str = ""

    @property
    def rank(self) -> tuple[datetime, str, Pairs, str]:
        """Its place in time: at one instant by meter, then dimensions, then id."""
        return self.at, self.group.meter, self.group.dimensions, self.order


@dataclass(slots=True)
class GroupUsage:
    """A group's segments and its atoms in time."""

    group: Group
    bounds: tuple[datetime, ...]  # segment i is [bounds[i], bounds[i + 1])
    atoms: list[Atom] = field(default_factory=list)


Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Held]):
    """A group to be laid in time: what it holds, its segments' bounds, and whether each event is priced alone."""

    group: Group
    held: Held
    bounds: tuple[datetime, ...]
    by_event: bool


class Usage(Protocol[Held]):
    """A month's usage, in whatever shape it is held."""

    def groups(self, keys: frozenset[str], priced_by: frozenset[str]) -> Sequence[tuple[Group, Held]]:
        """Return the usage by meter and by those dimensions that any clause looks at, in that order."""
        ...

    def laid(self, asked: Sequence[Asked[Held]], cells: Sequence[datetime]) -> list[GroupUsage]:
        """Return each group's atoms, in time: what lies in one cell of one segment is one atom, however it was split.

        `cells` are the starts of the cells, on whole hours but for the first.

        Raises:
            BucketStraddlesCut, UsageOutsidePeriod, EventsNeeded, NegativeUsage: named, with the line.
        """
        ...


DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def finer(cells: Sequence[datetime], at: datetime, ends_at: datetime) -> tuple[datetime, ...]:
    """Return the cells with the one around an instant split: into days, or a day into hours; an hour stays."""
    index = bisect_right(cells, at) - 1
    start, end = cells[index], cells[index + 1] if index + 1 < len(cells) else ends_at
    step = DAY if end - start > DAY else HOUR
    first = hour_of(start).replace(hour=0) if step == DAY else hour_of(start)
    count = -(-(end - first) // step)
    inside = [first + step * number for number in range(count)]
    return tuple(sorted({*cells, *(one for one in inside if start < one < end)}))


def each_hour(cells: Sequence[datetime], bounds: Sequence[datetime]) -> tuple[datetime, ...]:
    """Return every hour from the first cell to the last bound."""
    first, count = hour_of(cells[0]), -(-(bounds[-1] - hour_of(cells[0])) // HOUR)
    return cells[0], *(first + HOUR * number for number in range(1, count))


@dataclass(frozen=True, slots=True)
class UsageLines:
    """A month's usage as lines."""

    lines: tuple[UsageLine, ...]

    def groups(self, keys: frozenset[str], priced_by: frozenset[str]) -> list[tuple[Group, list[UsageLine]]]:
        """Return the groups, each with its lines."""
        return groups_of(self.lines, keys, priced_by)

    def laid(self, asked: Sequence[Asked[Sequence[UsageLine]]], cells: Sequence[datetime]) -> list[GroupUsage]:
        """Return each group's atoms, in time."""
        return [laid_in_time(one, cells) for one in asked]


def groups_of(
    lines: Iterable[UsageLine], keys: frozenset[str], priced_by: frozenset[str]
) -> list[tuple[Group, list[UsageLine]]]:
    """Return the lines by meter and by those dimensions that any clause looks at, in meter and dimension order."""
    known: dict[tuple[str, Pairs], list[UsageLine]] = {}
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], list[UsageLine]] = {}
    for line in lines:
        raw = (line.meter, tuple(line.dimensions.items()))
        held = seen.get(raw)
        if held is None:
            pairs = tuple(sorted((key, value) for key, value in line.dimensions.items() if key in keys))
            held = seen[raw] = known.setdefault((line.meter, pairs), [])
        held.append(line)
    return [
        (
            Group(index, meter, pairs, dict(pairs), None, tuple(pair for pair in pairs if pair[0] in priced_by)),
            known[meter, pairs],
        )
        for index, (meter, pairs) in enumerate(sorted(known))
    ]


def laid_in_time(asked: Asked[Sequence[UsageLine]], cells: Sequence[datetime]) -> GroupUsage:
    """Return a group's atoms, in time (`Usage.laid`)."""
    bounds = asked.bounds
    corrected = any(line.quantity < 0 for line in asked.held)  # a correction takes from the hours before it
    starts = each_hour(cells, bounds) if corrected else cells
    heaps: dict[tuple[int, datetime, int], tuple[list[Decimal], list[int], set[str]]] = {}
    for position, line in enumerate(asked.held):
        segment = _segment(line, bounds)
        if asked.by_event:
            _refuse_bucket(line)
            key = (segment, line.starts_at, position)
        else:
            cell = starts[bisect_right(starts, line.starts_at) - 1]
            key = (segment, max(cell, bounds[segment]), 0)
        heap = heaps.get(key)
        if heap is None:
            heap = heaps[key] = ([], [], set())
        heap[0].append(line.quantity)
        heap[1].append(line.events)
        heap[2].add(line.source)
    atoms = [
        Atom(asked.group, at, segment, sum(quantities, ZERO), sum(events), "+".join(sorted(sources)))
        for (segment, at, _), (quantities, events, sources) in heaps.items()
    ]
    if asked.by_event:
        # Equal events at one instant are interchangeable, so their order is their content, never their place in a file.
        atoms.sort(key=lambda atom: (atom.at, atom.quantity, atom.events, atom.source))
        atoms = [replace(atom, order=f"{index:09d}") for index, atom in enumerate(atoms)]
    else:
        atoms.sort(key=lambda atom: atom.at)
    return GroupUsage(asked.group, bounds, _netted(asked.group, atoms))


def _refuse_bucket(line: UsageLine) -> None:
    if line.events > 1 or line.quantity < 0:
        raise EventsNeeded(
            "a price for single events meets a bucket",
            meter=line.meter,
            at=instant_text(line.starts_at),
            events=line.events,
        )


def _segment(line: UsageLine, bounds: tuple[datetime, ...]) -> int:
    segment = bisect_right(bounds, line.starts_at) - 1
    if segment < 0 or segment >= len(bounds) - 1:
        raise outside_period((line.meter, line.starts_at, line.ends_at), bounds)
    if line.ends_at > bounds[segment + 1] and line.ends_at > line.starts_at:
        raise straddling((line.meter, line.starts_at, line.ends_at), bounds[segment + 1])
    return segment


def outside_period(line: tuple[str, datetime, datetime], bounds: Sequence[datetime]) -> UsageOutsidePeriod:
    """Return the refusal of a line (meter, start, end) that no segment holds."""
    meter, starts_at, _ = line
    return UsageOutsidePeriod(
        "a usage lies outside the period and its backdating limit",
        meter=meter,
        at=instant_text(starts_at),
        first=instant_text(bounds[0]),
        end=instant_text(bounds[-1]),
    )


def straddling(line: tuple[str, datetime, datetime], cut: datetime) -> BucketStraddlesCut:
    """Return the refusal of a line (meter, start, end) that lies on both sides of a cut."""
    meter, starts_at, ends_at = line
    return BucketStraddlesCut(
        "a bucket straddles a change of terms",
        meter=meter,
        starts_at=instant_text(starts_at),
        ends_at=instant_text(ends_at),
        cut=instant_text(cut),
    )


def _netted(group: Group, atoms: list[Atom]) -> list[Atom]:
    """Take corrections from the usage before them, the latest first; inside a segment before across segments."""
    if all(atom.quantity >= 0 for atom in atoms):
        return atoms
    total = sum((atom.quantity for atom in atoms), ZERO)
    if total < 0:
        raise NegativeUsage("corrections exceed the usage", meter=group.meter, total=decimal_text(total))
    left = [atom.quantity for atom in atoms]
    for same_segment in (True, False):
        for index, atom in enumerate(atoms):
            if left[index] >= 0:
                continue
            before = [i for i in range(index - 1, -1, -1) if not same_segment or atoms[i].segment == atom.segment]
            after = [i for i in range(index + 1, len(atoms)) if not same_segment or atoms[i].segment == atom.segment]
            for other in (*before, *after):
                if left[index] >= 0:
                    break
                if left[other] > 0:
                    taken = min(left[other], -left[index])
                    left[other] -= taken
                    left[index] += taken
    return [replace(atom, quantity=quantity) for atom, quantity in zip(atoms, left, strict=True)]


def digest_of(usages: Iterable[GroupUsage]) -> str:
    """Return the digest of the usage that was rated: by meter, dimensions and segment, so no split changes it."""
    totals: dict[str, tuple[Decimal, int]] = {}
    for usage in usages:
        for atom in usage.atoms:
            dims = ",".join(f"{key}={value}" for key, value in usage.group.dimensions)
            key = f"{usage.group.meter}|{dims}|{instant_text(usage.bounds[atom.segment])}"
            quantity, events = totals.get(key, (ZERO, 0))
            totals[key] = quantity + atom.quantity, events + atom.events
    rows = sorted(f"{key}|{decimal_text(quantity)}|{events}" for key, (quantity, events) in totals.items())
    return fingerprint_of("\n".join(["tieout/rated-usage/v1", *rows]))
