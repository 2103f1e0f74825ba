"""Cells: a customer's usage by meter, dimensions and bucket, for each source, held as columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from models.columns import SEALED
from models.period import Period, bucket_starts, days_period, local_day
from models.usage_policy import SourcePolicy

ZERO = Decimal(0)
Series = dict[datetime, Decimal]
"""Bucket start -> quantity, one meter."""


@dataclass(frozen=True)
class Slice:
    """One source's sealed rows of one customer, what was removed as duplicate, and rows of unknown accounts."""

    source: str
    policy: SourcePolicy
    rows: pa.Table
    duplicates: pa.Table = field(default_factory=lambda: SEALED.empty_table())
    strangers: pa.Table = field(default_factory=lambda: SEALED.empty_table())


@dataclass(frozen=True)
class Cell:
    """A cell in which two sources differ."""

    meter: str
    dims: str
    starts_at: datetime
    ends_at: datetime
    ours: Decimal
    theirs: Decimal


class Cells:
    """The slices of one customer's month in one in-memory database; closed by `with`."""

    def __init__(self, slices: Sequence[Slice], period: Period, cuts: tuple[datetime, ...] = ()) -> None:
        self.period = period
        self.slices: Mapping[str, Slice] = {one.source: one for one in slices}
        self._compared: dict[tuple[str, str], tuple[Cell, ...]] = {}
        self.db = duckdb.connect(config={"threads": 1})
        self.db.execute("SET TimeZone = 'UTC'")
        starts = bucket_starts(period, cuts)
        ends = (*starts[1:], period.ends_at)
        self._buckets("hours", [Period(starts_at=a, ends_at=b) for a, b in zip(starts, ends, strict=True)])
        for one in slices:
            self.db.register(f"{one.source}_in", one.rows)
            self.db.execute(
                f"CREATE TABLE {one.source} AS SELECT * FROM {one.source}_in WHERE starts_at >= $1 AND starts_at < $2",
                [period.starts_at, period.ends_at],
            )
            if one.policy.grain == "day":
                days = self._days(one.policy.timezone)
                self._buckets(f"{one.source}_cells", days)
                whole = [day for day in days if day.ends_at <= period.ends_at]  # a cell that reaches past the month
                self._buckets(f"{one.source}_days", whole)  # cannot be compared with what lies inside it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.close()

    def meters(self, source: str) -> tuple[str, ...]:
        """Return the meters a source reports, in order."""
        rows = self.db.execute(f"SELECT DISTINCT meter FROM {source} ORDER BY meter").fetchall()
        return tuple(row[0] for row in rows)

    def totals(self, source: str) -> tuple[tuple[str, Decimal, int], ...]:
        """Return meter, quantity and number of rows over the month."""
        rows = self.db.execute(
            f"SELECT meter, sum(quantity), count(*) FROM {source} GROUP BY meter ORDER BY meter"
        ).fetchall()
        return tuple((meter, Decimal(quantity), count) for meter, quantity, count in rows)

    def differing(self, ours: str, theirs: str) -> tuple[Cell, ...]:
        """Return the cells in which two sources differ at all, at the coarser grain of the two, in order.

        Dimensions that one of the two does not report are summed over, meter by meter.
        """
        if (ours, theirs) not in self._compared:
            self._compared[ours, theirs] = self._differing(ours, theirs)
        return self._compared[ours, theirs]

    def _differing(self, ours: str, theirs: str) -> tuple[Cell, ...]:
        buckets = self.buckets_of(ours, theirs)
        self._project(ours, theirs)
        rows = self.db.execute(
            f"WITH a AS ({self._sums(ours, buckets)}), b AS ({self._sums(theirs, buckets)})"
            " SELECT meter, dims, bs, be, coalesce(a.quantity, 0), coalesce(b.quantity, 0)"
            " FROM a FULL JOIN b USING (meter, dims, bs, be)"
            " WHERE coalesce(a.quantity, 0) <> coalesce(b.quantity, 0) ORDER BY meter, bs, dims"
        ).fetchall()
        return tuple(Cell(*row) for row in rows)

    def series(self, source: str, meter: str, buckets: str) -> Series:
        """Return a source's quantity of one meter by bucket; buckets without a row are absent."""
        rows = self.db.execute(
            f"SELECT bs, sum(quantity) FROM {source} ASOF JOIN {buckets} ON starts_at >= bs"
            " WHERE meter = $1 AND starts_at < be GROUP BY bs ORDER BY bs",
            [meter],
        ).fetchall()
        return {bucket: Decimal(quantity) for bucket, quantity in rows}

    def starts(self, buckets: str) -> tuple[tuple[datetime, datetime], ...]:
        """Return the buckets' bounds, in order."""
        return tuple(self.db.execute(f"SELECT bs, be FROM {buckets} ORDER BY bs").fetchall())

    def quantity(self, source: str, meter: str, starts_at: datetime, ends_at: datetime) -> Decimal:
        """Return a source's quantity of a meter over a span."""
        rows = self.db.execute(
            f"SELECT coalesce(sum(quantity), 0) FROM {source} WHERE meter = $1 AND starts_at >= $2 AND starts_at < $3",
            [meter, starts_at, ends_at],
        ).fetchall()
        return Decimal(rows[0][0])

    def buckets_of(self, ours: str, theirs: str) -> str:
        """Return the name of the buckets at the coarser grain of two sources."""
        for source in (theirs, ours):
            if self.slices[source].policy.grain == "day":
                return f"{source}_days"
        return "hours"

    def events(self, meter: str, ours: str, theirs: str) -> tuple[tuple[str, str, datetime, Decimal, Decimal], ...]:
        """Return the events in which two event-level sources differ: id, what (missing, extra, altered), when, both."""
        rows = self.db.execute(
            f"WITH a AS (SELECT id, starts_at, quantity FROM {ours} WHERE meter = $1),"
            f" b AS (SELECT id, starts_at, quantity FROM {theirs} WHERE meter = $1)"
            " SELECT coalesce(a.id, b.id), CASE WHEN b.id IS NULL THEN 'missing' WHEN a.id IS NULL THEN 'extra'"
            " ELSE 'altered' END, coalesce(a.starts_at, b.starts_at), coalesce(a.quantity, 0), coalesce(b.quantity, 0)"
            " FROM a FULL JOIN b ON a.id = b.id"
            " WHERE a.quantity IS DISTINCT FROM b.quantity OR a.starts_at IS DISTINCT FROM b.starts_at ORDER BY 3, 1",
            [meter],
        ).fetchall()
        return tuple((id_, what, at, Decimal(a), Decimal(b)) for id_, what, at, a, b in rows)

    def under_unknown_account(self, meter: str, ours: str, theirs: str) -> tuple[tuple[str, datetime, Decimal], ...]:
        """Return account, instant and quantity of `ours` events that `theirs` has under an account nobody knows."""
        self.db.register("strangers_in", self.slices[theirs].strangers)
        rows = self.db.execute(
            f"SELECT s.account, a.starts_at, a.quantity FROM {ours} a JOIN strangers_in s"
            " ON s.id = a.id AND s.meter = a.meter WHERE a.meter = $1 ORDER BY a.starts_at, a.id",
            [meter],
        ).fetchall()
        self.db.unregister("strangers_in")
        return tuple((account, at, Decimal(quantity)) for account, at, quantity in rows)

    def lines(
        self, source: str, meter: str, starts_at: datetime, ends_at: datetime
    ) -> tuple[tuple[str, datetime, datetime, Decimal, int], ...]:
        """Return dims, bucket, quantity and events of a source over a span, at the source's own grain."""
        buckets = f"{source}_cells" if self.slices[source].policy.grain == "day" else "hours"
        rows = self.db.execute(
            f"SELECT dims, bs, be, sum(quantity), count(*) FROM {source} ASOF JOIN {buckets} ON starts_at >= bs"
            " WHERE meter = $1 AND starts_at < be AND starts_at >= $2 AND starts_at < $3"
            " GROUP BY dims, bs, be ORDER BY dims, bs",
            [meter, starts_at, ends_at],
        ).fetchall()
        return tuple((dims, bs, be, Decimal(quantity), count) for dims, bs, be, quantity, count in rows)

    def _days(self, zone: str) -> list[Period]:
        """Return the local days of a zone that begin inside the period."""
        day = local_day(self.period.starts_at, zone)
        found: list[Period] = []
        while True:
            one = days_period(day, day + timedelta(days=1), zone)
            if one.starts_at >= self.period.ends_at:
                return found
            if one.starts_at >= self.period.starts_at:
                found.append(one)
            day += timedelta(days=1)

    def _buckets(self, name: str, spans: Sequence[Period]) -> None:
        table = pa.table(
            {
                "bs": pa.array([span.starts_at for span in spans], pa.timestamp("us", tz="UTC")),
                "be": pa.array([span.ends_at for span in spans], pa.timestamp("us", tz="UTC")),
            }
        )
        self.db.register(f"{name}_in", table)
        self.db.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_in")

    def _sums(self, source: str, buckets: str) -> str:
        return (
            f"SELECT p.projected AS dims, r.meter, bs, be, sum(quantity) AS quantity FROM {source} r"
            f" JOIN projection p ON p.meter = r.meter AND p.dims = r.dims ASOF JOIN {buckets} ON r.starts_at >= bs"
            " WHERE r.starts_at < be GROUP BY ALL"
        )

    def _project(self, ours: str, theirs: str) -> None:
        """Write the table `projection`: each meter's dims onto the keys that both sources report for it."""
        found: dict[str, dict[str, set[str]]] = {ours: {}, theirs: {}}
        texts: set[tuple[str, str]] = set()
        for source in (ours, theirs):
            for meter, dims in self.db.execute(f"SELECT DISTINCT meter, dims FROM {source}").fetchall():
                keys = found[source].setdefault(meter, set(json.loads(dims)))
                keys &= set(json.loads(dims))
                texts.add((meter, dims))
        rows = []
        for meter, dims in sorted(texts):
            sides = [found[source][meter] for source in (ours, theirs) if meter in found[source]]
            common = set.intersection(*sides)
            kept = {key: text for key, text in sorted(json.loads(dims).items()) if key in common}
            rows.append((meter, dims, json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)))
        self.db.execute("CREATE OR REPLACE TABLE projection (meter VARCHAR, dims VARCHAR, projected VARCHAR)")
        if rows:
            self.db.executemany("INSERT INTO projection VALUES ($1, $2, $3)", rows)
