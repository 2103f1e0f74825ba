"""Builders of usage: say only what matters."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from billing import sealing
from billing.reconciliation.cells import Slice
from models.authority import Authority, Tolerance
from models.columns import BUCKETS, REPORTED, SEALED
from models.period import Period, month_period
from models.snapshot import SourceCounts
from models.usage_policy import SourcePolicy, UsagePolicy

OCTOBER = month_period("2026-10", "UTC")
START = OCTOBER.starts_at


def event(hour: float, quantity: str = "1", *, meter: str = "call.minutes", **more: Any) -> dict[str, Any]:
    """Return one event at so many hours after 1 October 00:00 UTC; its id is its hour unless given."""
    dims = more.pop("dims", {})
    return {
        "id": f"{meter}-{hour}",
        "account": "acme",
        "meter": meter,
        "quantity": Decimal(quantity),
        "starts_at": START + timedelta(hours=hour),
        "ends_at": None,
        "received_at": None,
        "dims": json.dumps(dims, sort_keys=True, separators=(",", ":")),
        "place": "test",
        **more,
    }


def month_of_events(quantity: str = "1", every_hours: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Return one event at every (n-th) hour of October, with quantities that differ by the hour of the day."""
    return [
        event(hour + 0.5, str(Decimal(quantity) * (1 + hour % 24)), **more) for hour in range(0, 31 * 24, every_hours)
    ]


def days(quantities: Sequence[str], meter: str = "call.minutes", shift_hours: int = 0) -> list[dict[str, Any]]:
    """Return a sheet: one cell a day from 1 October on."""
    rows = []
    for day, quantity in enumerate(quantities):
        at = START + timedelta(days=day, hours=shift_hours)
        rows.append(
            event(0, quantity, meter=meter)
            | {"id": f"sheet-{meter}-{day}", "starts_at": at, "ends_at": at + timedelta(days=1)}
        )
    return rows


@dataclass(frozen=True)
class SealedTables:
    """A sealed source, read back."""

    rows: pa.Table
    buckets: pa.Table
    duplicates: pa.Table
    counts: SourceCounts
    fingerprint: str


def sealed(
    rows: Iterable[dict[str, Any]],
    policy: SourcePolicy | None = None,
    window: Period = OCTOBER,
    earlier: pa.Table | None = None,
    cuts: sealing.Cuts | None = None,
) -> SealedTables:
    """Return rows sealed as a source's snapshot; the same rows sealed in the same way are sealed once."""
    declared, listed = policy or SourcePolicy(grain="event"), list(rows)
    if earlier is not None:
        return _sealed(listed, declared, window, earlier, cuts)
    key = repr((listed, declared, window, cuts))
    if key not in _KEPT:
        _KEPT[key] = _sealed(listed, declared, window, None, cuts)
    return _KEPT[key]


_KEPT: dict[str, SealedTables] = {}


def _sealed(
    rows: list[dict[str, Any]],
    declared: SourcePolicy,
    window: Period,
    earlier: pa.Table | None,
    cuts: sealing.Cuts | None,
) -> SealedTables:
    batch = pa.RecordBatch.from_pylist(rows, schema=REPORTED)
    with TemporaryDirectory() as scratch:
        folder, before = Path(scratch) / "seal", Path(scratch) / "earlier.parquet"
        folder.mkdir()
        if earlier is not None:
            pq.write_table(earlier, before)
        found = sealing.seal(
            sealing.spool([batch], folder / "spool.parquet"),
            window,
            declared,
            folder,
            earlier=[before] if earlier is not None else [],
            cuts=cuts,
        )
        return SealedTables(
            rows=pq.read_table(found.rows).sort_by([("starts_at", "ascending"), ("id", "ascending")]).cast(SEALED),
            buckets=pq.read_table(found.buckets).cast(BUCKETS),
            duplicates=pq.read_table(found.duplicates).cast(SEALED),
            counts=found.counts,
            fingerprint=found.fingerprint,
        )


def a_slice(source: str, rows: Iterable[dict[str, Any]], customer: str = "acme", **policy: Any) -> Slice:
    """Return one source's slice of one customer, from all rows of the source."""
    cuts = policy.pop("cuts", ())
    window, earlier = policy.pop("window", OCTOBER), policy.pop("earlier", None)
    declared = SourcePolicy(**{"grain": "event", **policy})
    whole = sealed(rows, declared, window, earlier, cuts={customer: cuts})

    def of(table: pa.Table, mine: bool) -> pa.Table:
        return table.filter(
            pa.array([(name == customer) is mine for name in table["customer"].to_pylist()], pa.bool_())
        )

    return Slice(
        source=source,
        policy=declared,
        buckets=of(whole.buckets, True),
        duplicates=whole.duplicates,
        rows=lambda: of(whole.rows, True),
        strangers=lambda: of(whole.rows, False),
    )


def a_policy(slices: Sequence[Slice], order: Sequence[str] = (), ratio: str = "0.001") -> UsagePolicy:
    """Return a policy in which the slices' sources speak in their order."""
    return UsagePolicy(
        sources={one.source: one.policy for one in slices},
        authority=(
            Authority(
                order=tuple(order or [one.source for one in slices]),
                tolerance=Tolerance(absolute=Decimal(0), ratio=Decimal(ratio)),
                declared_by="controller",
                reason="the table of record",
                starts_on=datetime(2026, 1, 1, tzinfo=UTC).date(),
            ),
        ),
    )
