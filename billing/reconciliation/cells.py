"""Cells: a customer's usage by meter, dimensions and bucket, for each source, held as columns."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from billing.usage_table import LINES
from models.columns import SEALED
from models.period import Period, bucket_starts, days_period, local_day
from models.usage_policy import SourcePolicy

ZERO = Decimal(0)
Numbers = npt.NDArray[np.int64]
MOMENT = pa.timestamp("us", tz="UTC")

Series = dict[datetime, Decimal]
"""Bucket start -> quantity, one meter."""

Spans = Sequence[tuple[datetime, datetime]]

HOURS = "hours"
"""The name of the finest buckets: hours, cut where the customer's terms change."""


def _nothing() -> pa.Table:
    return SEALED.empty_table()


@dataclass(frozen=True)
class Slice:
    """One source's buckets of one customer; what was removed as duplicate; its events, read when they are asked for."""

    source: str
    policy: SourcePolicy
    buckets: pa.Table
    duplicates: pa.Table = field(default_factory=_nothing)
    rows: Callable[[], pa.Table] = _nothing
    strangers: Callable[[], pa.Table] = _nothing  # rows of accounts that nobody knows


@dataclass(frozen=True)
class Cell:
    """A cell in which two sources differ: in quantity, or only in which events make it up."""

    meter: str
    dims: str
    starts_at: datetime
    ends_at: datetime
    ours: Decimal
    theirs: Decimal


@dataclass(frozen=True)
class Event:
    """An event in which two event-level sources differ: missing, extra or altered at the second."""

    id: str
    what: str
    at: datetime
    ours: Decimal
    theirs: Decimal
    received_at: datetime | None = None  # when whoever has it first had it
    copied: bool = False  # the second has another event of the same instant and quantity


class _Columns:
    """One source's buckets inside the period, by meter."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.starts: Numbers = _instants(table["starts_at"])
        self.ends: Numbers = _instants(table["ends_at"])

    @cached_property
    def kinds(self) -> tuple[Numbers, list[tuple[str, str]]]:
        """Each bucket's kind, and the kinds: meter and dimensions as text."""
        meter, dims = (self.table[name].combine_chunks().dictionary_encode() for name in ("meter", "dims"))
        width = max(1, len(dims.dictionary))
        both = _numbers(meter.indices) * width + _numbers(dims.indices)
        numbers, kind = np.unique(both, return_inverse=True)
        meters, texts = meter.dictionary.to_pylist(), dims.dictionary.to_pylist()
        return kind, [(meters[number // width], texts[number % width]) for number in numbers.tolist()]

    @cached_property
    def by_meter(self) -> dict[str, Numbers]:
        """The rows of each meter, in order."""
        kind, kinds = self.kinds
        names = sorted({meter for meter, _ in kinds})
        place = np.array([names.index(meter) for meter, _ in kinds], dtype=np.int64)
        of = place[kind] if len(kind) else np.zeros(0, dtype=np.int64)
        return {name: np.flatnonzero(of == number) for number, name in enumerate(names)}

    def within(self, meter: str, low: datetime, high: datetime) -> Numbers:
        """Return the rows of a meter whose bucket starts in a span."""
        rows = self.by_meter.get(meter, np.zeros(0, dtype=np.int64))
        starts = self.starts[rows]
        found: Numbers = rows[(starts >= _microseconds(low)) & (starts < _microseconds(high))]
        return found


class Cells:
    """The slices of one customer's month, side by side."""

    def __init__(self, slices: Sequence[Slice], period: Period, cuts: tuple[datetime, ...] = ()) -> None:
        self.period = period
        self.slices: Mapping[str, Slice] = {one.source: one for one in slices}
        self._columns = {one.source: _Columns(_inside(one.buckets, period)) for one in slices}
        self._compared: dict[tuple[str, str], tuple[tuple[Cell, ...], tuple[Cell, ...]]] = {}
        self._edges: dict[str, tuple[Numbers, Numbers]] = {}
        self._events: dict[str, pa.Table] = {}
        starts = bucket_starts(period, cuts)
        self._bounds: dict[str, tuple[tuple[datetime, datetime], ...]] = {
            HOURS: tuple(zip(starts, (*starts[1:], period.ends_at), strict=True))
        }
        for one in slices:
            if one.policy.grain == "day":
                days = self._days(one.policy.timezone)
                # A cell that reaches past the month cannot be compared with what lies inside it.
                self._bounds[f"{one.source}_days"] = tuple(day for day in days if day[1] <= period.ends_at)

    def meters(self, source: str) -> tuple[str, ...]:
        """Return the meters a source reports, in order."""
        return tuple(self._columns[source].by_meter)

    def totals(self, source: str) -> tuple[tuple[str, Decimal, int], ...]:
        """Return meter, quantity and number of events over the month."""
        columns = self._columns[source]
        return tuple(
            (meter, _sum(columns.table["quantity"].take(pa.array(rows))), int(_events(columns.table, rows)))
            for meter, rows in columns.by_meter.items()
        )

    def differing(self, ours: str, theirs: str) -> tuple[Cell, ...]:
        """Return the cells in which two sources' quantities differ at all, at the coarser grain, in order.

        Dimensions that one of the two does not report are summed over, meter by meter.
        """
        return self._both(ours, theirs)[0]

    def unlike(self, ours: str, theirs: str) -> tuple[Cell, ...]:
        """Return the cells of equal quantity that two event-level sources make up from different events."""
        return self._both(ours, theirs)[1]

    def _both(self, ours: str, theirs: str) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        if (ours, theirs) not in self._compared:
            self._compared[ours, theirs] = self._compare(ours, theirs)
        return self._compared[ours, theirs]

    def _compare(self, ours: str, theirs: str) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        name = self.buckets_of(ours, theirs)
        bounds = self._bounds[name]
        places, kinds = self._projected(ours, theirs)
        sides = [
            _beside(self._side(source, places[source], name), first=first)
            for source, first in ((ours, True), (theirs, False))
        ]
        both = pa.concat_tables(sides).group_by(["kind", "cell"], use_threads=False)
        summed = both.aggregate([(name, "sum") for name in (*_NAMES, *(f"their_{name}" for name in _NAMES))])
        unequal = [pc.not_equal(summed[f"{one}_sum"], summed[f"their_{one}_sum"]) for one in _NAMES]
        found = summed.filter(pc.or_(pc.or_(unequal[0], unequal[1]), unequal[2]))
        columns = [found[one].to_pylist() for one in ("kind", "cell", "quantity_sum", "their_quantity_sum")]
        differing, unlike = [], []
        for kind, place, mine, other in zip(*columns, strict=True):
            (meter, dims), (starts_at, ends_at) = kinds[kind], bounds[place]
            cell = Cell(meter, dims, starts_at, ends_at, mine, other)
            if mine != other:
                differing.append(cell)
            elif name == HOURS:
                unlike.append(cell)
        in_order = [sorted(cells, key=lambda c: (c.meter, c.starts_at, c.dims)) for cells in (differing, unlike)]
        return tuple(in_order[0]), tuple(in_order[1])

    def _side(self, source: str, places: Numbers, buckets: str) -> pa.Table:
        """Return a source's buckets as kind, cell, quantity, events and digest; those in no cell are left out."""
        columns = self._columns[source]
        cell = self._cells(columns.starts, buckets)
        kind = places[columns.kinds[0]] if len(places) else np.zeros(0, dtype=np.int64)
        kept = np.flatnonzero(cell >= 0)
        taken = columns.table.select(_NAMES)
        if len(kept) < len(cell):
            taken = taken.take(pa.array(kept))
        return pa.table({"kind": kind[kept], "cell": cell[kept], **{n: taken[n] for n in _NAMES}})

    def _projected(self, ours: str, theirs: str) -> tuple[dict[str, Numbers], list[tuple[str, str]]]:
        """Return for each side its kinds' places among the common ones: dims onto the keys both report for a meter."""
        kinds = {source: self._columns[source].kinds[1] for source in (ours, theirs)}
        reported: dict[str, set[frozenset[str]]] = {}
        for meter, dims in (*kinds[ours], *kinds[theirs]):
            reported.setdefault(meter, set()).add(_names_in(dims))
        shared = {meter: frozenset.intersection(*names) for meter, names in reported.items()}
        common: dict[tuple[str, str], int] = {}
        places: dict[str, Numbers] = {}
        for source, own in kinds.items():
            mine = [common.setdefault((meter, _onto(dims, shared[meter])), len(common)) for meter, dims in own]
            places[source] = np.array(mine, dtype=np.int64)
        return places, list(common)

    def series(self, source: str, meter: str, buckets: str) -> Series:
        """Return a source's quantity of one meter by bucket; buckets without a row are absent."""
        columns, bounds = self._columns[source], self._bounds[buckets]
        rows = columns.by_meter.get(meter, np.zeros(0, dtype=np.int64))
        cell = self._cells(columns.starts[rows], buckets)
        quantities = columns.table["quantity"].take(pa.array(rows)).to_pylist()
        found: Series = {}
        for place, quantity in sorted(zip(cell.tolist(), quantities, strict=True), key=lambda pair: pair[0]):
            if place >= 0:
                start = bounds[place][0]
                found[start] = found.get(start, ZERO) + quantity
        return found

    def starts(self, buckets: str) -> tuple[tuple[datetime, datetime], ...]:
        """Return the buckets' bounds, in order."""
        return self._bounds[buckets]

    def _cells(self, starts: Numbers, buckets: str) -> Numbers:
        """Return the cell each start lies in, or -1."""
        if buckets not in self._edges:
            bounds = self._bounds[buckets]
            edges = [np.array([_microseconds(one[side]) for one in bounds], dtype=np.int64) for side in (0, 1)]
            self._edges[buckets] = edges[0], edges[1]
        lows, highs = self._edges[buckets]
        if len(lows) == 0:
            return np.full(len(starts), -1, dtype=np.int64)
        place = np.searchsorted(lows, starts, side="right") - 1
        held = (place >= 0) & (starts < highs[place])
        found: Numbers = np.where(held, place, -1)
        return found

    def quantity(self, source: str, meter: str, starts_at: datetime, ends_at: datetime) -> Decimal:
        """Return a source's quantity of a meter over a span, by its buckets' starts."""
        columns = self._columns[source]
        return _sum(columns.table["quantity"].take(pa.array(columns.within(meter, starts_at, ends_at))))

    def buckets_of(self, ours: str, theirs: str) -> str:
        """Return the name of the buckets at the coarser grain of two sources."""
        for source in (theirs, ours):
            if self.slices[source].policy.grain == "day":
                return f"{source}_days"
        return HOURS

    def events(self, meter: str, ours: str, theirs: str, spans: Spans) -> tuple[Event, ...]:
        """Return the events of some spans in which two event-level sources differ, in time; only these are read."""
        one, other = (self._keyed(source, meter, spans) for source in (ours, theirs))
        alike = Counter((at, quantity) for at, quantity, _ in other.values())
        found = []
        for key in one.keys() | other.keys():
            mine, their = one.get(key), other.get(key)
            if mine is not None and their is not None:
                if mine[:2] != their[:2]:
                    found.append(Event(key, "altered", mine[0], mine[1], their[1]))
            elif mine is not None:
                found.append(Event(key, "missing", mine[0], mine[1], ZERO, mine[2]))
            elif their is not None:
                found.append(Event(key, "extra", their[0], ZERO, their[1], their[2], alike[their[:2]] > 1))
        return tuple(sorted(found, key=lambda event: (event.at, event.id)))

    def kept(self, source: str, meter: str, ids: Collection[str]) -> dict[str, tuple[Decimal, datetime, str]]:
        """Return quantity, instant and dims of the events that were kept of some ids."""
        rows = self._rows(source, meter)
        rows = rows.filter(pc.is_in(rows["id"], pa.array(sorted(ids), pa.string())))
        columns = [rows[name].to_pylist() for name in ("id", "quantity", "starts_at", "dims")]
        return {id_: (quantity, at, dims) for id_, quantity, at, dims in zip(*columns, strict=True)}

    def under_unknown_account(self, meter: str, ours: str, theirs: str) -> tuple[tuple[str, datetime, Decimal], ...]:
        """Return account, instant and quantity of `ours` events that `theirs` has under an account nobody knows."""
        strange = self.slices[theirs].strangers()
        if strange.num_rows == 0:
            return ()
        strange = strange.filter(pc.equal(strange["meter"], meter))
        accounts = dict(zip(self._keys(theirs, strange), strange["account"].to_pylist(), strict=True))
        mine = self._rows(ours, meter)
        columns = (self._keys(ours, mine), mine["starts_at"].to_pylist(), mine["quantity"].to_pylist())
        found = [(at, key, quantity) for key, at, quantity in zip(*columns, strict=True) if key in accounts]
        return tuple((accounts[key], at, quantity) for at, key, quantity in sorted(found))

    def _keyed(self, source: str, meter: str, spans: Spans) -> dict[str, tuple[datetime, Decimal, datetime | None]]:
        rows = self._rows(source, meter)
        starts = _instants(rows["starts_at"])
        held = np.zeros(len(starts), dtype=bool)
        for low, high in spans:
            held |= (starts >= _microseconds(low)) & (starts < _microseconds(high))
        rows = rows.filter(pa.array(held))
        columns = [rows[name].to_pylist() for name in ("starts_at", "quantity", "received_at")]
        return dict(zip(self._keys(source, rows), zip(*columns, strict=True), strict=True))

    def _keys(self, source: str, rows: pa.Table) -> list[str]:
        """Return what names each event: its id, or the dimension that the source declares to match by."""
        match = self.slices[source].policy.match
        ids: list[str] = rows["id"].to_pylist()
        if match == "id":
            return ids
        return [json.loads(dims).get(match, id_) for dims, id_ in zip(rows["dims"].to_pylist(), ids, strict=True)]

    def _rows(self, source: str, meter: str) -> pa.Table:
        if source not in self._events:
            self._events[source] = self.slices[source].rows()
        rows = self._events[source]
        return rows.filter(pc.equal(rows["meter"], meter))

    def usage(self, source: str, meter: str, starts_at: datetime, ends_at: datetime) -> pa.Table:
        """Return a source's usage lines of a meter over a span, at the source's own grain."""
        columns = self._columns[source]
        taken = columns.table.take(pa.array(columns.within(meter, starts_at, ends_at)))
        named = taken.append_column("source", pa.array([source] * taken.num_rows, pa.string()))
        return named.select(LINES.names).cast(LINES)

    def _days(self, zone: str) -> list[tuple[datetime, datetime]]:
        """Return the local days of a zone that begin inside the period."""
        day = local_day(self.period.starts_at, zone)
        found: list[tuple[datetime, datetime]] = []
        while True:
            one = days_period(day, day + timedelta(days=1), zone)
            if one.starts_at >= self.period.ends_at:
                return found
            if one.starts_at >= self.period.starts_at:
                found.append((one.starts_at, one.ends_at))
            day += timedelta(days=1)


@lru_cache(maxsize=65_536)
def _names_in(dims: str) -> frozenset[str]:
    return frozenset(json.loads(dims))


@lru_cache(maxsize=65_536)
def _onto(dims: str, names: frozenset[str]) -> str:
    """Return dimensions with only these names left, in order."""
    left = {name: value for name, value in json.loads(dims).items() if name in names}
    return json.dumps(left, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


_NAMES = ("quantity", "events", "digest")


def _beside(side: pa.Table, first: bool) -> pa.Table:
    """Return a side's columns with zeros where the other side's will be."""
    zeros = {name: pa.repeat(pa.scalar(0, side.schema.field(name).type), side.num_rows) for name in _NAMES}
    own, other = ("", "their_") if first else ("their_", "")
    return pa.table(
        {
            "kind": side["kind"],
            "cell": side["cell"],
            **{f"{own}{name}": side[name] for name in _NAMES},
            **{f"{other}{name}": zeros[name] for name in _NAMES},
        }
    ).select(["kind", "cell", *_NAMES, *(f"their_{name}" for name in _NAMES)])


def _inside(buckets: pa.Table, period: Period) -> pa.Table:
    low, high = pa.scalar(period.starts_at, MOMENT), pa.scalar(period.ends_at, MOMENT)
    return buckets.filter(pc.and_(pc.greater_equal(buckets["starts_at"], low), pc.less(buckets["starts_at"], high)))


def _sum(quantities: pa.ChunkedArray) -> Decimal:
    total = pc.sum(quantities).as_py()
    return ZERO if total is None else total


def _events(table: pa.Table, rows: Numbers) -> int:
    total = pc.sum(table["events"].take(pa.array(rows))).as_py()
    return 0 if total is None else total


def _instants(column: pa.ChunkedArray) -> Numbers:
    numbers: Numbers = column.cast(pa.int64()).to_numpy()
    return numbers


def _numbers(array: pa.Array) -> Numbers:
    numbers: Numbers = array.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_TICK = timedelta(microseconds=1)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _TICK
