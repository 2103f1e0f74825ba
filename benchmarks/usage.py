"""Usage pass: seal every source and reconcile every customer, beside bare DuckDB statements that do the same work.

The bare statements dedupe each event source by identity, sum it by customer, meter, model and hour, write the deduped
rows as zstd Parquet, and full-join the sums. Reading the sources is measured apart, for both.
"""

import hashlib
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import volume
from benchmarks.books import MONTH
from billing import sealing, slices
from billing.reconciliation.reconcile import reconcile
from models.authority import Authority, Tolerance
from models.columns import COLUMNS
from models.period import month_period
from models.snapshot import Artifact, Snapshot
from models.usage_policy import SourcePolicy, UsagePolicy
from runtime.memory import collect_rarely

EVENT_SOURCES = ("clickhouse", "posthog")
POLICY = UsagePolicy(
    sources={
        "clickhouse": SourcePolicy(grain="event"),
        "posthog": SourcePolicy(grain="event"),
        "sheet": SourcePolicy(grain="day"),
    },
    authority=(
        Authority(
            order=("clickhouse", "posthog", "sheet"),
            tolerance=Tolerance(absolute=Decimal(0), ratio=Decimal("0.001")),
            declared_by="benchmark",
            reason="benchmark",
            starts_on=date(2026, 1, 1),
        ),
    ),
)
PERIOD = month_period(MONTH, "UTC")

_BARE_DEDUPE = """
CREATE OR REPLACE TABLE {name} AS
SELECT id, meter, any_value(account) AS account, any_value(dims) AS dims, any_value(starts_at) AS starts_at,
       any_value(ends_at) AS ends_at, any_value(received_at) AS received_at, any_value(place) AS place,
       any_value(quantity) AS quantity
FROM read_parquet('{path}') GROUP BY id, meter
"""
_BARE_SUM = """
CREATE OR REPLACE TABLE {name}_sums AS
SELECT account, meter, dims, date_trunc('hour', starts_at) AS bucket, sum(quantity) AS quantity, count(*) AS events
FROM {name} GROUP BY ALL
"""
_BARE_JOIN = """
SELECT count(*), count(*) FILTER (a.quantity IS DISTINCT FROM b.quantity)
FROM {0}_sums a FULL JOIN {1}_sums b USING (account, meter, dims, bucket)
"""


def measure(folder: Path, events: int, customers: int) -> dict[str, Any]:
    """Return the seconds of our pass and of the bare one over the same events, and our peak memory in MiB."""
    collect_rarely()
    paths = volume.write(folder / "volume", events, customers)
    ours = _ours(folder, paths)
    bare = _bare(folder, paths)
    return {
        "events": events,
        "customers": customers,
        **ours,
        "bare_seconds": bare,
        "ratio": (ours["seal_seconds"] + ours["reconcile_seconds"]) / bare,
    }


def _ours(folder: Path, paths: dict[str, Path]) -> dict[str, Any]:
    read_seconds, seal_seconds, snapshots = 0.0, 0.0, []
    for name, path in paths.items():
        began = time.perf_counter()
        for _ in _batches(path):
            pass
        read_seconds += time.perf_counter() - began
        work = folder / f"seal-{name}"
        work.mkdir()
        began = time.perf_counter()
        spooled = sealing.spool(_batches(path), work / "spool.parquet")
        sealed = sealing.seal(spooled, PERIOD, POLICY.sources[name], work)
        snapshots.append(_snapshot(name, sealed))
        seal_seconds += time.perf_counter() - began
    seal_seconds -= read_seconds  # reading is the source's, for both sides
    everyone = sorted({customer for one in snapshots for customer in one.customers})
    began = time.perf_counter()

    def compared(customer: str) -> tuple[int, int]:
        parts = slices.slices_of(customer, snapshots, POLICY, lambda: everyone, lambda artifact: Path(artifact.uri))
        found = reconcile(customer, MONTH, PERIOD, parts, POLICY)
        return found.usage.num_rows, len(found.findings)

    with ThreadPoolExecutor(2) as pool:  # as a worker's deeds run
        answers = list(pool.map(compared, everyone))
    reconcile_seconds = time.perf_counter() - began
    return {
        "read_seconds": read_seconds,
        "seal_seconds": seal_seconds,
        "reconcile_seconds": reconcile_seconds,
        "usage_lines": sum(lines for lines, _ in answers),
        "findings": sum(findings for _, findings in answers),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    for batch in pq.ParquetFile(path).iter_batches(65_536):
        yield batch.cast(COLUMNS)


def _snapshot(name: str, sealed: sealing.Sealed) -> Snapshot:
    return Snapshot(
        source=name,
        period=MONTH,
        window=PERIOD,
        grain=POLICY.sources[name].grain,
        watermark=PERIOD.ends_at,
        sealed_at=PERIOD.ends_at,
        counts=sealed.counts,
        rows=_artifact(sealed.rows, sealed.fingerprint),
        buckets=_artifact(sealed.buckets, sealed.fingerprint),
        duplicates=_artifact(sealed.duplicates, sealed.fingerprint),
        customers=sealed.customers,
    )


def _artifact(path: Path, fingerprint: str) -> Artifact:
    with path.open("rb") as body:
        sha256 = hashlib.file_digest(body, "sha256").hexdigest()
    return Artifact(
        uri=str(path),
        content_fingerprint=fingerprint,
        sha256=sha256,
        rows=pq.read_metadata(path).num_rows,
        bytes=path.stat().st_size,
    )


def _bare(folder: Path, paths: dict[str, Path]) -> float:
    work = folder / "bare"
    work.mkdir()
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2,
        "memory_limit": "2GB",
        "temp_directory": str(work / "spill"),
    }
    with duckdb.connect(str(work / "bare.duckdb"), config=config) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET preserve_insertion_order = false")
        began = time.perf_counter()
        for name in EVENT_SOURCES:
            db.execute(_BARE_DEDUPE.format(name=name, path=paths[name]))
            db.execute(_BARE_SUM.format(name=name))
            db.execute(f"COPY {name} TO '{work / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        db.execute(_BARE_JOIN.format(*EVENT_SOURCES)).fetchall()
        return time.perf_counter() - began
