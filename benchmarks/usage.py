"""Usage pass: seal two sources and reconcile every customer, beside bare DuckDB statements that do the same work."""

import hashlib
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.files import read_policy
from benchmarks.books import METERS, MONTH, batch_of, call_facts
from billing import sealing, slices
from billing.reconciliation.reconcile import reconcile
from devstack.book import seed
from models.columns import COLUMNS
from models.period import month_period
from models.snapshot import Artifact, Snapshot
from models.usage_policy import UsagePolicy

SOURCES = ("clickhouse", "posthog")

BARE_SEAL = """
COPY (
    SELECT account AS customer, * FROM raw
    WHERE starts_at >= $low AND starts_at < $high
    QUALIFY row_number() OVER (PARTITION BY id, meter ORDER BY received_at, account, quantity) = 1
    ORDER BY customer, meter, dims, starts_at, id
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""
BARE_JOIN = """
WITH a AS (
    SELECT customer, meter, dims, date_trunc('hour', starts_at) AS bucket, sum(quantity) AS quantity, count(*) AS events
    FROM '{first}' GROUP BY ALL
), b AS (
    SELECT customer, meter, dims, date_trunc('hour', starts_at) AS bucket, sum(quantity) AS quantity, count(*) AS events
    FROM '{second}' GROUP BY ALL
)
SELECT * FROM a FULL JOIN b USING (customer, meter, dims, bucket)
"""


def measure(folder: Path, events: int, customers: int) -> dict[str, Any]:
    """Return the seconds of our pass and of the bare one over the same events."""
    each = max(1, events // customers // len(METERS))
    names = [f"bench-{number:05}" for number in range(customers)]
    batches = {
        source: batch_of([fact for name in names for fact in call_facts(name, each)], source) for source in SOURCES
    }
    seal_seconds, reconcile_seconds, lines = _ours(folder, batches, names)
    bare_seconds, cells = _bare(folder, batches)
    if lines != cells:
        raise RuntimeError(f"not the same work: {lines} usage lines, {cells} cells")
    return {
        "events": each * customers * len(METERS),
        "customers": customers,
        "usage_lines": lines,
        "seal_seconds": seal_seconds,
        "reconcile_seconds": reconcile_seconds,
        "ours_seconds": seal_seconds + reconcile_seconds,
        "bare_seconds": bare_seconds,
        "ratio": (seal_seconds + reconcile_seconds) / bare_seconds,
    }


def _ours(folder: Path, batches: dict[str, pa.RecordBatch], customers: list[str]) -> tuple[float, float, int]:
    declared = read_policy(seed.BOOK / "policy.yaml")
    policy = UsagePolicy(
        sources={name: declared.sources[name] for name in SOURCES},
        authority=declared.authority,
        timezone=declared.timezone,
    )
    period = month_period(MONTH, "UTC")
    began = time.perf_counter()
    snapshots = []
    for name, batch in batches.items():
        sealed = sealing.seal([batch], period, policy.sources[name])
        snapshots.append(
            Snapshot(
                source=name,
                period=MONTH,
                window=period,
                grain="event",
                watermark=period.ends_at,
                sealed_at=period.ends_at,
                counts=sealed.counts,
                rows=_keep(folder / f"{name}.parquet", sealed.rows, sealed.fingerprint),
                duplicates=_keep(folder / f"{name}-duplicates.parquet", sealed.duplicates, "none"),
            )
        )
    sealed_at = time.perf_counter()
    lines = 0
    for customer in customers:
        found = slices.slices_of(customer, snapshots, policy, customers, lambda artifact: Path(artifact.uri))
        lines += len(reconcile(customer, MONTH, period, found, policy).usage)
    return sealed_at - began, time.perf_counter() - sealed_at, lines


def _keep(path: Path, rows: pa.Table, fingerprint: str) -> Artifact:
    pq.write_table(rows, path, compression="zstd", row_group_size=65_536)
    body = path.read_bytes()
    return Artifact(
        uri=str(path),
        content_fingerprint=fingerprint,
        sha256=hashlib.sha256(body).hexdigest(),
        rows=rows.num_rows,
        bytes=len(body),
    )


def _bare(folder: Path, batches: dict[str, pa.RecordBatch]) -> tuple[float, int]:
    period = month_period(MONTH, "UTC")
    paths = [str(folder / f"bare-{name}.parquet") for name in SOURCES]
    began = time.perf_counter()
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute("SET TimeZone = 'UTC'")
        for path, batch in zip(paths, batches.values(), strict=True):
            db.register("raw", pa.Table.from_batches([batch], COLUMNS))
            db.execute(BARE_SEAL.format(path=path), {"low": period.starts_at, "high": period.ends_at})
        joined = db.execute(BARE_JOIN.format(first=paths[0], second=paths[1])).fetchall()
    return time.perf_counter() - began, len(joined)
