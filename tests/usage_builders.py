"""Builders of usage: say only what matters."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from billing.reconciliation.cells import Slice
from billing.sealing import Sealed, seal
from models.authority import Authority, Tolerance
from models.columns import COLUMNS
from models.period import Period, month_period
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


def sealed(rows: Iterable[dict[str, Any]], policy: SourcePolicy | None = None, window: Period = OCTOBER) -> Sealed:
    """Return rows sealed as a source's snapshot."""
    batch = pa.RecordBatch.from_pylist(list(rows), schema=COLUMNS)
    return seal([batch], window, policy or SourcePolicy(grain="event"))


def a_slice(source: str, rows: Iterable[dict[str, Any]], customer: str = "acme", **policy: Any) -> Slice:
    """Return one source's slice of one customer, from all rows of the source."""
    declared = SourcePolicy(**{"grain": "event", **policy})
    whole = sealed(rows, declared)
    names = whole.rows["customer"].to_pylist()
    mine = whole.rows.filter(pa.array([name == customer for name in names], pa.bool_()))
    strangers = whole.rows.filter(pa.array([name != customer for name in names], pa.bool_()))
    return Slice(source=source, policy=declared, rows=mine, duplicates=whole.duplicates, strangers=strangers)


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
