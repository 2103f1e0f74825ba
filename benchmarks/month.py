"""A month at size: from the trigger to the last statement that awaits a person, on the embedded stack.

ClickHouse and PostHog's export each hold every event but for the faults, a sheet holds daily totals; the workers are
the product's own processes, one for each queue as in production.
`python -m benchmarks.month --customers 1000 --events 20000000`; with `--servegen FOLDER` each customer has the share of
one real client, of whom one is half of all usage.
"""

import asyncio
import csv
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import clickhouse_connect
import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from activities.messages import CloseMonth, close_id
from adapters.object_store import s3_client
from adapters.postgres.books import Books
from adapters.postgres.terms import PostgresTerms
from benchmarks import volume
from benchmarks.books import MONTH, contracts
from devstack.book import seed
from devstack.book.traces import shares
from devstack.up import Stack
from devstack.workers import EMBEDDED, Workers
from migrations.upgrade import upgrade
from models.close import Stage, Standing, State
from models.rate_card import RateVersion
from runtime import temporal, wiring
from runtime.settings import Settings
from workers.registry import ROLES
from workflows import options
from workflows.monthly_close import MonthlyClose

DAYS = 31
LARGEST = "bench-00000"
"""Who has the largest part of the usage (`volume.write`)."""

TABLE = """
CREATE TABLE bench_events (
    id String, account LowCardinality(String), meter LowCardinality(String), quantity Decimal(38, 12),
    timestamp DateTime64(6, 'UTC'), received_at DateTime64(6, 'UTC'),
    model LowCardinality(String), provider LowCardinality(String)
) ENGINE = MergeTree ORDER BY (account, meter, timestamp)
"""
TABLE_MAPPING = {"table": "bench_events", "dimensions": {"model": "model", "provider": "provider"}}
METERS = ("call.minutes", "llm.input_tokens", "llm.output_tokens", "tts.characters")
EXPORT_MAPPING = {
    "metered": [
        {
            "event": meter,
            "meter": meter,
            "quantity": "quantity",
            "dimensions": {"model": "model", "provider": "provider"},
        }
        for meter in METERS
    ]
}
COMPLETE = "2026-11-02T00:00:00Z"
SOURCES = {
    "clickhouse": {"grain": "event", "watermark": COMPLETE},
    "posthog": {"grain": "event", "watermark": COMPLETE},
    "sheet": {"grain": "day", "watermark": COMPLETE},
}
POLICY = {
    "schema": "tieout/policy/v1",
    "timezone": "UTC",
    "sources": SOURCES,
    "authority": [
        {
            "order": ["clickhouse", "posthog", "sheet"],
            "tolerance": {"absolute": "0", "ratio": "0.001"},
            "declared_by": "rita",
            "reason": "engineering's table of record",
            "from": "2026-01-01",
        }
    ],
}
_EXPORT = """
COPY (SELECT id AS uuid, meter AS event, account AS distinct_id,
             '{{"organization":"' || account || '","quantity":' || quantity::DECIMAL(18, 2)::VARCHAR || ',' || dims[2:]
                 AS properties,
             starts_at AS timestamp, received_at AS _inserted_at, 1 AS team_id
      FROM read_parquet('{source}') WHERE starts_at >= TIMESTAMPTZ '{start}' AND starts_at < TIMESTAMPTZ '{end}')
TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@dataclass
class Watched:
    """What was seen while the month ran: when each thing was first so, and the most memory the workers took."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak_mib: int = 0


def measure(folder: Path, events: int, customers: int, sizes: Sequence[float] | None = None) -> dict[str, Any]:
    """Return how long a month takes until everybody's statement awaits a person, with memory, CPU and histories."""
    paths = volume.write(folder / "volume", events, customers, shares=sizes)
    state = folder / f"stack-{customers}"
    with Stack(state, {}) as stack:
        environment = {**EMBEDDED, **stack.endpoints.as_environment(), **_files(folder)}
        del environment["TIEOUT_POSTHOG_PROJECT"]  # its double counts the demo's events, not these: no cross-check
        _seed(stack, environment, customers)
        _load_clickhouse(stack.endpoints.clickhouse_url, paths["clickhouse"])
        s3 = s3_client(stack.endpoints.s3_url, stack.endpoints.s3_access_key, stack.endpoints.s3_secret_key)
        _load_posthog(s3, stack.endpoints.sources_bucket, paths["posthog"], folder)
        _load_sheet(s3, stack.endpoints.sources_bucket, paths["sheet"])
        workers = {role: Workers(stack.state.root, environment, role) for role in ROLES}
        for one in workers.values():
            one.start()
        try:
            return asyncio.run(_close(stack, workers, environment, events, customers))
        finally:
            for one in workers.values():
                one.stop()


async def _close(
    stack: Stack, workers: Mapping[str, Workers], environment: Mapping[str, str], events: int, customers: int
) -> dict[str, Any]:
    config = _settings(stack, environment)
    client = await temporal.connect(config, "benchmark")
    books = Books(wiring.database(config, "console"))
    evidence = wiring.outside_of(config, temporal.Histories(client)).evidence
    processes = {
        **{f"worker of {role}": one.pid for role, one in workers.items()},
        "temporal": stack.temporal.pid,
        "postgres": stack.postgres.pid,
        "object store": stack.objects.pid,
        "clickhouse": stack.clickhouse.pid,
    }
    before = {name: _cpu(pid) for name, pid in processes.items()}
    seen, began = Watched(), time.perf_counter()
    handle = await client.start_workflow(
        MonthlyClose.run,
        CloseMonth(month=MONTH, revision=1, started_by="scheduler"),
        id=close_id(MONTH, 1),
        task_queue=options.CLOSE_QUEUE,
    )

    def once(name: str, so: bool) -> None:
        if so:
            seen.seconds.setdefault(name, round(time.perf_counter() - began, 1))

    standings: tuple[Standing, ...] = ()
    while len(standings) < customers or not all(map(_awaits, standings)):
        await asyncio.sleep(0.5)
        taken = sum(psutil.Process(one.pid).memory_info().rss for one in workers.values())
        seen.peak_mib = max(seen.peak_mib, taken >> 20)
        for source in sorted(SOURCES):
            once(f"sealed {source}", evidence.snapshot(source, MONTH, 1) is not None)
        standings = books.standings(MONTH)
        once("first awaiting approval", any(map(_awaits_approval, standings)))
        others = [one for one in standings if one.customer != LARGEST]
        once("all but the largest awaiting", len(others) >= customers - 1 and all(map(_awaits, others)))
        if refused := [one for one in standings if one.state is State.NEEDS_ATTENTION]:
            raise RuntimeError(f"refused: {refused[0]}")
    once("awaiting", True)
    after = {name: _cpu(pid) for name, pid in processes.items()}
    description = await handle.describe()
    return {
        "events": events,
        "customers": customers,
        "seconds": seen.seconds,
        "peak_mib": seen.peak_mib,
        "awaiting_approval": sum(map(_awaits_approval, standings)),
        "awaiting_a_finding": sum(not _awaits_approval(one) for one in standings),
        "cpu_seconds": {name: round(after[name] - before[name], 1) for name in processes},
        "history_events_of_the_month": description.history_length,
    }


def _awaits(one: Standing) -> bool:
    return one.state is State.WAITING


def _awaits_approval(one: Standing) -> bool:
    return one.stage is Stage.APPROVE and one.state is State.WAITING


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its children."""
    process, total = psutil.Process(pid), 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _files(folder: Path) -> dict[str, str]:
    """Write what the sources declare, and return the settings that name it. JSON is YAML."""
    named = {"policy": POLICY, "clickhouse": TABLE_MAPPING, "posthog": EXPORT_MAPPING}
    for name, value in named.items():
        (folder / f"{name}.yaml").write_text(json.dumps(value))
    return {f"TIEOUT_{name.upper()}_FILE": str(folder / f"{name}.yaml") for name in named}


def _settings(stack: Stack, environment: Mapping[str, str]) -> Settings:
    values = {name.removeprefix("TIEOUT_").lower(): value for name, value in environment.items()}
    return Settings(**values | {"cache_folder": str(stack.state.root / "cache")})  # type: ignore[arg-type]


def _seed(stack: Stack, environment: Mapping[str, str], customers: int) -> None:
    owner = stack.endpoints.database_url
    upgrade(owner)
    seed.seed_demo_people(owner, stack.state.root)
    terms = PostgresTerms(wiring.database(_settings(stack, environment), "worker"))
    seed.seed_terms(terms, contracts(customers), tuple(_rates()))


def _rates() -> Iterator[RateVersion]:
    """Yield a price for every model and meter of the volume."""
    for meter, per in zip(METERS, (1, 1_000_000, 1_000_000, 1000), strict=True):
        for model in range(volume.MODELS) if meter != "call.minutes" else (None,):
            yield RateVersion.model_validate(
                {
                    "rate": seed.CARD,
                    "meter": meter,
                    "where": {} if model is None else {"model": f"m-{model}"},
                    "from": datetime(2026, 1, 1, tzinfo=UTC),
                    "amount": Decimal("0.05") if model is None else Decimal(model + 1) / 4,
                    "per": per,
                    "currency": "USD",
                    "source": "benchmark",
                    "checked_on": date(2026, 10, 1),
                }
            )


def _load_clickhouse(dsn: str, path: Path) -> None:
    with clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False) as client, duckdb.connect() as db:
        client.command(TABLE)
        db.execute("SET TimeZone = 'UTC'")
        rows = db.sql(
            "SELECT id, account, meter, quantity, starts_at AS timestamp, received_at,"
            " json_extract_string(dims, '$.model') AS model, json_extract_string(dims, '$.provider') AS provider"
            f" FROM read_parquet('{path}')"
        )
        for batch in rows.to_arrow_reader(1_000_000):
            client.insert_arrow("bench_events", pa.Table.from_batches([batch]))


def _load_posthog(s3: Any, bucket: str, path: Path, folder: Path) -> None:
    """Write an export file a day."""
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as db:
        db.execute("SET TimeZone = 'UTC'")
        for number in range(DAYS):
            start = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=number)
            end = start + timedelta(days=1)
            file = folder / "part.parquet"
            db.execute(_EXPORT.format(source=path, start=start, end=end, file=file))
            key = f"posthog/{start:%Y/%m/%d}/events/{start.isoformat()}-{end.isoformat()}.parquet"
            s3.upload_file(str(file), bucket, key)
            file.unlink()


def _load_sheet(s3: Any, bucket: str, path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Complete through", "2026-10-31"])
    writer.writerow(["Customer", "Meter", "Date", "Qty"])
    table = pq.read_table(path, columns=["account", "meter", "starts_at", "quantity"])
    for row in table.to_pylist():
        writer.writerow([row["account"], row["meter"], f"{row['starts_at']:%Y-%m-%d}", f"{row['quantity']:f}"])
    s3.put_object(Bucket=bucket, Key=f"sheets/{MONTH}.csv", Body=text.getvalue().encode())


def show(results: Sequence[Mapping[str, Any]]) -> None:
    """Print what was measured."""
    table = Table(title="From the trigger to the last statement that awaits a person", title_justify="left")
    table.add_column("what")
    for result in results:
        table.add_column(f"{result['customers']:,} customers, {result['events']:,} events", justify="right")
    names = list(dict.fromkeys(name for result in results for name in result["seconds"]))
    for name in names:
        table.add_row(name, *(f"{result['seconds'].get(name, 0):.1f} s" for result in results))
    table.add_row("workers' peak memory, together", *(f"{result['peak_mib']:,} MiB" for result in results))
    for name in results[0]["cpu_seconds"]:
        table.add_row(f"CPU, {name}", *(f"{result['cpu_seconds'][name]:.1f} s" for result in results))
    for name in ("awaiting_approval", "awaiting_a_finding", "history_events_of_the_month"):
        table.add_row(name.replace("_", " "), *(f"{result[name]:,}" for result in results))
    console.print(table)


def main(
    customers: Annotated[
        int, typer.Option(help="Customers; a tenth of them, with a tenth of the events, goes before.")
    ] = 1_000,
    events: Annotated[int, typer.Option(help="Events of each of the two event sources.")] = 20_000_000,
    tenth: Annotated[bool, typer.Option(help="Whether a tenth goes before, to see that cost is linear.")] = True,
    servegen: Annotated[Path | None, typer.Option(help="The folder of shared data with ServeGen's clients.")] = None,
) -> None:
    """Measure, print, and keep nothing."""
    results = []
    sizes = shares(servegen) if servegen else None
    runs = [(events, len(sizes) if sizes else customers)]
    if tenth:
        runs.insert(0, (events // 10, max(1, runs[0][1] // 10) if not sizes else len(sizes)))
    for some, count in runs:
        with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)  # PostgreSQL runs as another account where we are root
            results.append(measure(Path(folder), some, count, sizes))
            show(results)
    print(json.dumps(results))
    sys.stdout.flush()
    os._exit(0)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


if __name__ == "__main__":
    typer.run(main)
