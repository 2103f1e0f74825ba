"""Shards: ten thousand customers with little usage closed by the real deeds, and how large their histories grow.

A failed workflow task, or a customer who did not end, is an error and no figure. A wake-up that waited ten seconds for
the worker that has its workflow at hand goes to the common queue: that is counted. `python -m benchmarks.shards`.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.client import Client

from activities.messages import close_id, customer_close_id
from benchmarks.books import MONTH, contracts
from benchmarks.orchestration import Cpu, close, environment_of, seed_books, settings_of
from benchmarks.served import Kind, serving
from devstack.up import Stack
from runtime import temporal

NOT_BEGUN = TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
READ_AT_ONCE = 16
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


class TasksFailed(RuntimeError):
    """Workflow tasks failed, or timed out once they were begun."""


class Read(NamedTuple):
    """A history: its events, their bytes, and how many wake-ups waited for the worker that has it at hand."""

    events: int
    size: int
    waited: int


async def measure(stack: Stack, customers: int, calls: int = 1) -> dict[str, Any]:
    """Close so many customers, each with so many calls of four meters, and return the pace, the CPU and the histories.

    Raises:
        TasksFailed: a workflow task of the month, of a shard or of a customer failed.
    """
    config, book = settings_of(stack), contracts(customers)
    client = await temporal.connect(config, "benchmark")
    seed_books(stack, book)
    async with serving(client, stack.state.root, environment_of(stack), Kind.REAL, customers, calls) as workers:
        seconds, cpu = await close(client, 1, (), Cpu(stack, workers))
    shards = -(-customers // config.shard_size)
    month = close_id(MONTH, 1)
    histories = {
        "month": await read(client, [month]),
        "shard": await read(client, [f"{month}/shard-{number:03}" for number in range(1, shards + 1)]),
        "customer": await read(client, [customer_close_id(MONTH, 1, one.customer) for one in book]),
    }
    return {
        "customers": customers,
        "shards": shards,
        "seconds": seconds,
        "per_second": customers / seconds,
        "cpu_ms_each": {name: spent / customers * 1000 for name, spent in cpu.items()},
        "longest_history": {name: max((one.events, one.size) for one in found) for name, found in histories.items()},
        "waited_for_their_worker": sum(one.waited for found in histories.values() for one in found),
    }


async def read(client: Client, workflows: Iterable[str]) -> list[Read]:
    """Return what histories of workflows tell; raises TasksFailed where a workflow task failed."""
    gate = asyncio.Semaphore(READ_AT_ONCE)

    async def one(workflow: str) -> Read:
        async with gate:
            history = await client.get_workflow_handle(workflow).fetch_history()
        late = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT]
        waited = [event for event in late if event.workflow_task_timed_out_event_attributes.timeout_type == NOT_BEGUN]
        failed = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
        if failed or len(waited) < len(late):
            raise TasksFailed(f"{workflow}: workflow tasks failed: {[*failed, *late]}")
        return Read(len(history.events), sum(event.ByteSize() for event in history.events), len(waited))

    return list(await asyncio.gather(*map(one, workflows)))


def table(found: dict[str, Any]) -> Table:
    """Return the figures as a table."""
    shown = Table(title=f"{found['customers']:,} customers in {found['shards']} shards", title_justify="left")
    shown.add_column("what")
    shown.add_column("measured", justify="right")
    shown.add_row("closed, no workflow task failed", f"{found['seconds']:.0f} s, {found['per_second']:.1f} customers/s")
    for name, milliseconds in found["cpu_ms_each"].items():
        shown.add_row(f"CPU a customer, {name}", f"{milliseconds:.1f} ms")
    for name, (events, size) in found["longest_history"].items():
        shown.add_row(f"longest history of a {name}", f"{events:,} events, {size / 1024:,.0f} KiB")
    shown.add_row("wake-ups that waited ten seconds for their worker", f"{found['waited_for_their_worker']:,}")
    return shown


def main(
    customers: Annotated[int, typer.Option(help="Customers to close.")] = 10_000,
    calls: Annotated[int, typer.Option(help="Calls of each of them.")] = 1,
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another account where we are root
        with Stack(Path(folder), {}) as stack:
            found = asyncio.run(measure(stack, customers, calls))
    console.print(table(found))
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


if __name__ == "__main__":
    typer.run(main)
