"""Differences: what a comparison reads, by how much there is and how much differs: python -m benchmarks.differences.

Two sources of the same events, but for one event in so many hours, each of another customer. Buckets are compared as
columns; events are read of those customers alone, and looked at in those hours alone.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from billing import sealing, slices
from billing.reconciliation.cells import Cells, Event, Slice, Spans
from billing.reconciliation.reconcile import reconcile
from models.authority import Authority, Tolerance
from models.columns import COLUMNS
from models.period import first_day, month_period
from models.usage_policy import SourcePolicy, UsagePolicy

MONTH = "2026-10"
OCTOBER = month_period(MONTH, "UTC")
HOURS = 31 * 24
METER = "call.minutes"
SOURCES = ("clickhouse", "posthog")
POLICY = UsagePolicy(
    sources={name: SourcePolicy(grain="event") for name in SOURCES},
    authority=(
        Authority(
            order=SOURCES,
            tolerance=Tolerance(absolute=Decimal(0), ratio=Decimal(0)),
            declared_by="controller",
            reason="the table of record",
            starts_on=first_day("2026-01"),
        ),
    ),
)
SIZES = ((50, 4), (200, 4), (200, 16))
"""Customers, and events each of them has in an hour."""
DIFFERING = (0, 1, 10, 50)


@dataclass
class Read:
    """What one comparison of everybody read and looked at."""

    events: int = 0
    findings: int = 0
    customers: int = 0  # whose events were read
    rows: int = 0  # events read of them
    hours: int = 0  # hours descended into
    seconds: float = 0.0


def compare(folder: Path, customers: int, per_hour: int, differing: int) -> Read:
    """Return what it took to compare two sources that differ in one event of so many hours, a customer each."""
    sealed = {}
    for source in SOURCES:
        (folder / source).mkdir(parents=True)
        rows = _rows(customers, per_hour, differing if source == SOURCES[1] else 0)
        spooled = sealing.spool(rows.to_batches(65_536), folder / source / "spool.parquet")
        sealed[source] = sealing.seal(spooled, OCTOBER, POLICY.sources[source], folder / source)
    read = Read(events=2 * customers * HOURS * per_hour)
    names = sealed[SOURCES[0]].customers
    look = Cells.events

    def counted(cells: Cells, meter: str, ours: str, theirs: str, spans: Spans) -> tuple[Event, ...]:
        read.hours += len(spans)
        return look(cells, meter, ours, theirs, spans)

    began = time.perf_counter()
    for customer in names:
        mine = [
            _counted(slices.slice_of(customer, name, one, POLICY.sources[name], names), read)
            for name, one in sealed.items()
        ]
        before = read.rows
        with patch.object(Cells, "events", counted):
            read.findings += len(reconcile(customer, MONTH, OCTOBER, mine, POLICY).findings)
        read.customers += read.rows > before
    read.seconds = time.perf_counter() - began
    return read


def _rows(customers: int, per_hour: int, differing: int) -> pa.Table:
    """Return everybody's events; in an hour of each of the first customers, one event has another quantity."""
    number = np.arange(customers * HOURS * per_hour)
    customer, rest = np.divmod(number, HOURS * per_hour)
    quantity = 100 + number % 900
    quantity[np.arange(differing) * HOURS * per_hour + np.arange(differing) * 7 % HOURS * per_hour] += 50
    start = int(OCTOBER.starts_at.timestamp() * 1_000_000)
    step = 3_600_000_000 // per_hour
    names = np.char.mod("customer-%05d", np.arange(customers))
    columns: dict[str, Any] = {
        "id": pa.array(np.char.mod("e-%d", number)),
        "account": pa.DictionaryArray.from_arrays(pa.array(customer), pa.array(names)).cast(pa.string()),
        "meter": pa.repeat(METER, len(number)),
        "quantity": pa.array(quantity).cast(COLUMNS.field("quantity").type),
        "starts_at": pa.array(start + rest * step).cast(COLUMNS.field("starts_at").type),
        "dims": pa.repeat("{}", len(number)),
        "place": pa.repeat("bench", len(number)),
    }
    for name in ("ends_at", "received_at"):
        columns[name] = pa.nulls(len(number), COLUMNS.field(name).type)
    return pa.table(columns, schema=COLUMNS)


def _counted(one: Slice, read: Read) -> Slice:
    def rows() -> pa.Table:
        table = one.rows()
        read.rows += table.num_rows
        return table

    return replace(one, rows=rows)


def table(found: Sequence[Read]) -> Table:
    """Return the figures as a table."""
    shown = Table(title="What a comparison reads", title_justify="left")
    for column in ("events", "differing hours", "customers read", "rows read", "hours looked at", "seconds"):
        shown.add_column(column, justify="right")
    for one in found:
        shown.add_row(
            f"{one.events:,}",
            str(one.findings),
            str(one.customers),
            f"{one.rows:,}",
            str(one.hours),
            f"{one.seconds:.2f}",
        )
    return shown


def main() -> None:
    """Print the table."""
    found = []
    for customers, per_hour in SIZES:
        for differing in DIFFERING:
            with tempfile.TemporaryDirectory(prefix="tieout-bench-") as folder:
                found.append(compare(Path(folder), customers, per_hour, differing))
    Console(highlight=False, width=120).print(table(found))


if __name__ == "__main__":
    main()
