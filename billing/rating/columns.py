"""Columns: a reconciled month as it is kept, summed to segments and cells without making a value of each line.

The same answers as `UsageLines` (usage.py) gives for lines, by sums of columns: a customer's month of a million hourly
lines becomes the few thousand quantities that its clauses can tell apart.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from billing.rating.usage import (
    Asked,
    Atom,
    Group,
    GroupUsage,
    Pairs,
    UsageLines,
    each_hour,
    outside_period,
    straddling,
)
from billing.usage_table import to_lines
from models.money import ZERO
from models.usage import UsageLine

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class UsageColumns:
    """A month's usage lines as a table (billing/usage_table.py)."""

    table: pa.Table

    def groups(self, keys: frozenset[str], priced_by: frozenset[str]) -> list[tuple[Group, Numbers]]:
        """Return the groups, in meter and dimension order, each with the kinds of line it holds."""
        known: dict[tuple[str, Pairs], list[int]] = {}
        for kind, (meter, dimensions) in enumerate(self._kinds[1]):
            pairs = tuple(sorted((key, value) for key, value in dimensions.items() if key in keys))
            known.setdefault((meter, pairs), []).append(kind)
        return [
            (
                Group(index, meter, pairs, dict(pairs), None, tuple(pair for pair in pairs if pair[0] in priced_by)),
                np.array(known[meter, pairs], dtype=np.int64),
            )
            for index, (meter, pairs) in enumerate(sorted(known))
        ]

    def laid(self, asked: Sequence[Asked[Numbers]], cells: Sequence[datetime]) -> list[GroupUsage]:
        """Return each group's atoms, in time.

        Groups priced event by event, and those with corrections, are few: they are laid line by line.
        """
        by_line = [position for position, one in enumerate(asked) if one.by_event or self._corrected(one.held)]
        found = self._summed(asked, set(by_line), cells)
        for position in by_line:
            one = asked[position]
            rows = np.flatnonzero(np.isin(self._kinds[0], one.held))
            lines = UsageLines(to_lines(self.table.take(pa.array(rows))))
            wanted: Asked[Sequence[UsageLine]] = Asked(one.group, lines.lines, one.bounds, one.by_event)
            (found[position],) = lines.laid([wanted], cells if one.by_event else each_hour(cells, one.bounds))
        return [found[position] for position in range(len(asked))]

    def _summed(
        self, asked: Sequence[Asked[Numbers]], by_line: set[int], cells: Sequence[datetime]
    ) -> dict[int, GroupUsage]:
        """Return the atoms of every group that is not laid by line: one sum over (group, segment, cell, source)."""
        owners = np.full(len(self._kinds[1]), -1, dtype=np.int64)
        for position, one in enumerate(asked):
            if position not in by_line:
                owners[one.held] = position
        owner = owners[self._kinds[0]]
        segment = np.zeros(len(owner), dtype=np.int64)
        for bounds in {one.bounds for one in asked}:
            mine = [position for position, one in enumerate(asked) if one.bounds == bounds and position not in by_line]
            rows = np.flatnonzero(np.isin(owner, mine))
            segment[rows] = self._segments(rows, bounds)
        cell = np.searchsorted(_microseconds(cells), self._starts, side="right") - 1
        kept = pa.table(
            {
                "group": owner,
                "segment": segment,
                "cell": cell,
                "source": self.table["source"],
                "quantity": self.table["quantity"],
                "events": self.table["events"],
            }
        ).filter(pc.greater_equal(pa.array(owner), 0))
        sums = kept.group_by(["group", "segment", "cell", "source"], use_threads=False).aggregate(
            [("quantity", "sum"), ("events", "sum")]
        )
        return _gathered(asked, by_line, sums, cells)

    def _segments(self, rows: Numbers, bounds: Sequence[datetime]) -> Numbers:
        """Return the segments the rows lie in; raises UsageOutsidePeriod or BucketStraddlesCut with the first line."""
        edges = _microseconds(bounds)
        starts, ends = self._starts[rows], self._ends[rows]
        segment = np.searchsorted(edges, starts, side="right") - 1
        outside = np.flatnonzero((segment < 0) | (segment >= len(edges) - 1))
        if len(outside):
            raise outside_period(self._line(rows[outside[0]]), bounds)
        straddles = np.flatnonzero((ends > edges[segment + 1]) & (ends > starts))
        if len(straddles):
            first = straddles[0]
            raise straddling(self._line(rows[first]), bounds[int(segment[first]) + 1])
        return segment

    def _line(self, row: np.int64) -> tuple[str, datetime, datetime]:
        line = self.table.slice(int(row), 1).to_pylist()[0]
        return line["meter"], line["starts_at"], line["ends_at"]

    def _corrected(self, kinds: Numbers) -> bool:
        return len(self._negative) > 0 and bool(np.isin(self._negative, kinds).any())

    @cached_property
    def _negative(self) -> Numbers:
        """The kinds with a correction among their lines."""
        below = pc.less(self.table["quantity"], pa.scalar(ZERO, self.table.schema.field("quantity").type))
        return np.unique(self._kinds[0][below.to_numpy()])

    @cached_property
    def _kinds(self) -> tuple[Numbers, list[tuple[str, dict[str, str]]]]:
        """Each line's kind, and the kinds: meter and dimensions."""
        meter, dims = (_encoded(self.table[name]) for name in ("meter", "dims"))
        width = max(1, len(dims[1]))
        kinds, kind = np.unique(meter[0] * width + dims[0], return_inverse=True)
        parsed = [json.loads(text) for text in dims[1]]
        return kind, [(meter[1][number // width], parsed[number % width]) for number in kinds.tolist()]

    @cached_property
    def _starts(self) -> Numbers:
        return _instants(self.table["starts_at"])

    @cached_property
    def _ends(self) -> Numbers:
        return _instants(self.table["ends_at"])


def _gathered(
    asked: Sequence[Asked[Numbers]], by_line: set[int], sums: pa.Table, cells: Sequence[datetime]
) -> dict[int, GroupUsage]:
    heaps: dict[tuple[int, int, int], list[tuple[str, Decimal, int]]] = {}
    columns = [sums[name].to_pylist() for name in ("group", "segment", "cell", "source", "quantity_sum", "events_sum")]
    for group, segment, cell, source, quantity, events in zip(*columns, strict=True):
        heaps.setdefault((group, segment, cell), []).append((source, quantity, events))
    found = {
        position: GroupUsage(one.group, one.bounds) for position, one in enumerate(asked) if position not in by_line
    }
    for (position, segment, cell), parts in sorted(heaps.items()):
        one = asked[position]
        found[position].atoms.append(
            Atom(
                one.group,
                max(cells[cell], one.bounds[segment]),
                segment,
                sum((quantity for _, quantity, _ in parts), ZERO),
                sum(events for _, _, events in parts),
                "+".join(sorted(source for source, _, _ in parts)),
            )
        )
    return found


def _encoded(column: pa.ChunkedArray) -> tuple[Numbers, list[str]]:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def _instants(column: pa.ChunkedArray) -> Numbers:
    numbers: Numbers = column.cast(pa.int64()).to_numpy()
    return numbers


def _microseconds(instants: Sequence[datetime]) -> Numbers:
    return np.array(
        pa.array(instants, pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64
    )
