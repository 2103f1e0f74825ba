"""Usage: lines grouped by what tells them apart, laid in time, at the coarsest grain their clauses need."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from models.money import ZERO
from models.period import hour_of
from models.refusal import Refusal
from models.usage import UsageLine
from models.value import decimal_text, fingerprint_of, instant_text

Grain = Literal["segment", "hour", "event"]
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
    grain: Grain
    atoms: list[Atom] = field(default_factory=list)

    def segment_of(self, at: datetime) -> int:
        """Return the index of the segment an instant lies in."""
        return bisect_right(self.bounds, at) - 1


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


def laid_in_time(group: Group, lines: Sequence[UsageLine], bounds: tuple[datetime, ...], grain: Grain) -> GroupUsage:
    """Return a group's atoms, in time: lines of one segment (and hour) are one atom, however they were split.

    Raises:
        BucketStraddlesCut, UsageOutsidePeriod, EventsNeeded, NegativeUsage: named, with the line.
    """
    usage = GroupUsage(group, bounds, grain)
    heaps: dict[tuple[int, datetime, int], tuple[list[Decimal], list[int], set[str]]] = {}
    for position, line in enumerate(lines):
        segment = _segment(usage, line)
        if grain == "event" and (line.events > 1 or line.quantity < 0):
            raise EventsNeeded(
                "a price for single events meets a bucket",
                meter=line.meter,
                at=instant_text(line.starts_at),
                events=line.events,
            )
        if grain == "segment":
            key = (segment, bounds[segment], 0)
        elif grain == "hour":
            key = (segment, max(hour_of(line.starts_at), bounds[segment]), 0)
        else:
            key = (segment, line.starts_at, position)
        heap = heaps.get(key)
        if heap is None:
            heap = heaps[key] = ([], [], set())
        heap[0].append(line.quantity)
        heap[1].append(line.events)
        heap[2].add(line.source)
    atoms = [
        Atom(group, at, segment, sum(quantities, ZERO), sum(events), "+".join(sorted(sources)))
        for (segment, at, _), (quantities, events, sources) in heaps.items()
    ]
    if grain == "event":
        # Equal events at one instant are interchangeable, so their order is their content, never their place in a file.
        atoms.sort(key=lambda atom: (atom.at, atom.quantity, atom.events, atom.source))
        atoms = [replace(atom, order=f"{index:09d}") for index, atom in enumerate(atoms)]
    else:
        atoms.sort(key=lambda atom: atom.at)
    usage.atoms = _netted(group, atoms)
    return usage


def _segment(usage: GroupUsage, line: UsageLine) -> int:
    segment = usage.segment_of(line.starts_at)
    if segment < 0 or segment >= len(usage.bounds) - 1:
        raise UsageOutsidePeriod(
            "a usage lies outside the period and its backdating limit",
            meter=line.meter,
            at=instant_text(line.starts_at),
            first=instant_text(usage.bounds[0]),
            end=instant_text(usage.bounds[-1]),
        )
    if line.ends_at > usage.bounds[segment + 1] and line.ends_at > line.starts_at:
        raise BucketStraddlesCut(
            "a bucket straddles a change of terms",
            meter=line.meter,
            starts_at=instant_text(line.starts_at),
            ends_at=instant_text(line.ends_at),
            cut=instant_text(usage.bounds[segment + 1]),
        )
    return segment


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
