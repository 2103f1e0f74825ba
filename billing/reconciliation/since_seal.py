"""Since the seal: where a source no longer says what was sealed of it, by bucket. The seal stands; it is told."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from billing.reconciliation.findings import finding_id
from models.reconciliation import Cause, Finding, Severity
from models.value import decimal_text

_HOURS = """customer, meter, dims, date_trunc('hour', starts_at) AS starts_at, max(ends_at) AS ends_at,
    sum(quantity) AS quantity, sum(events) AS events, sum(digest) AS digest"""
_CHANGED = """
SELECT customer, meter, count(*), min(starts_at), max(ends_at), sum(live), sum(sealed), sum(live_events - sealed_events)
FROM (
    SELECT coalesce(l.customer, s.customer) AS customer, coalesce(l.meter, s.meter) AS meter,
           coalesce(l.starts_at, s.starts_at) AS starts_at, coalesce(l.ends_at, s.ends_at) AS ends_at,
           coalesce(l.quantity, 0) AS live, coalesce(s.quantity, 0) AS sealed,
           coalesce(l.events, 0) AS live_events, coalesce(s.events, 0) AS sealed_events
    FROM (SELECT {hours} FROM read_parquet($1) GROUP BY ALL) l
    FULL JOIN (SELECT {hours} FROM read_parquet($2) GROUP BY ALL) s
        ON l.customer = s.customer AND l.meter = s.meter AND l.dims = s.dims AND l.starts_at = s.starts_at
    WHERE (l.quantity, l.events, l.digest) IS DISTINCT FROM (s.quantity, s.events, s.digest)
) GROUP BY customer, meter ORDER BY customer, meter
"""


def changed(source: str, month: str, sealed: Path, live: Path, sealed_at: datetime) -> tuple[Finding, ...]:
    """Return the meters of each customer of which a source now says another thing than was sealed.

    `sealed` and `live` are buckets (models/columns.py BUCKETS), however they are cut: those of the seal, and those of
    the source as it answers now. Recorded findings: nothing is taken over by itself, what came later is late usage.
    """
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("SET TimeZone = 'UTC'")
        rows = db.execute(_CHANGED.format(hours=_HOURS), [str(live), str(sealed)]).fetchall()
    return tuple(_finding(source, month, sealed_at, *row) for row in rows)


def _finding(
    source: str,
    month: str,
    sealed_at: datetime,
    customer: str,
    meter: str,
    buckets: int,
    first: datetime,
    last: datetime,
    live: Decimal,
    sealed: Decimal,
    events: int,
) -> Finding:
    cause = Cause.CHANGED_SINCE_SEAL
    return Finding(
        id=finding_id(customer, month, source, meter, cause, sealed_at),
        customer=customer,
        period=month,
        cause=cause,
        severity=Severity.RECORDED,
        source=source,
        against=source,
        meter=meter,
        starts_at=first,
        ends_at=last,
        quantity=live,
        against_quantity=sealed,
        evidence=f"{buckets} buckets are no longer as sealed at {sealed_at.isoformat()}:"
        f" {decimal_text(live)} where {decimal_text(sealed)} was, {events:+d} events",
        suggestion=f"ask whoever runs {source}; bill what came later as late usage, or correct what was issued",
    )
