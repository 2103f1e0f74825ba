"""make bench: what orchestration, rating and the usage pass cost here, beside the least that could do the same work.

Nothing is asserted on time: numbers are printed and kept in benchmarks/last.json, to be compared on one machine.
"""

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from activities.approve import Approve
from activities.deeds import Outside
from activities.messages import ApprovalNeed, AskApproval, CloseMonth, Population, close_id, customer_close_id
from adapters.postgres.terms import PostgresTerms
from benchmarks import journal, rate_api, rating, usage
from benchmarks.books import MONTH, ListedUsage, call_facts, contracts
from devstack.book import seed
from devstack.up import Stack
from devstack.workers import EMBEDDED
from migrations.upgrade import upgrade
from runtime import temporal, wiring
from runtime.engine import engine_id
from runtime.settings import Settings
from tests.workflows.fakes import Deeds
from workers.main import worker_for
from workers.registry import Queue, queues
from workflows import options
from workflows.monthly_close import MonthlyClose

LAST = Path(__file__).with_name("last.json")
SHARD = 500
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)

ASKED = {
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "child",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
}
"""Events that a plan asked for; how they fall into workflow tasks depends on how fast the deeds were."""


class ApprovedBySystem(Approve):
    """The fourth stage's own deed with all its work; then nobody is asked, so that no person is measured."""

    @activity.defn(name="approve.ask_approval")
    def ask_approval(self, task: AskApproval) -> ApprovalNeed:
        """Return that nobody must approve."""
        super().ask_approval(task)
        return ApprovalNeed(people=0, queue="system", why="benchmark")


class EmptyDeeds(Deeds):
    """Deeds of the same names that do nothing."""

    def all(self) -> list[Callable[..., Any]]:
        """Return them; customers come in shards of the product's size."""
        self.people = 0

        @activity.defn(name="collect.population")
        def population(_task: CloseMonth) -> Population:
            everyone = self.customers
            return Population(shards=tuple(everyone[start : start + SHARD] for start in range(0, len(everyone), SHARD)))

        return [population, *(one for one in super().all() if name_of(one) != "collect.population")]


def name_of(deed: Callable[..., Any]) -> str:
    """Return a deed's name at the server."""
    return str(activity._Definition.must_from_callable(deed).name)


def real_queues(outside: Outside) -> dict[str, Queue]:
    """Return the product's queues and deeds, with approval by system."""
    approved = ApprovedBySystem(outside)
    return {
        role: replace(
            queue,
            activities=[
                approved.ask_approval if name_of(deed) == "approve.ask_approval" else deed for deed in queue.activities
            ],
        )
        for role, queue in queues(outside).items()
    }


def empty_queues(real: Mapping[str, Queue], deeds: EmptyDeeds) -> dict[str, Queue]:
    """Return the same queues, each with the empty deeds of the same names."""
    by_name = {name_of(deed): deed for deed in deeds.all()}
    return {
        role: replace(
            queue, activities=[by_name[name_of(deed)] for deed in queue.activities if name_of(deed) in by_name]
        )
        for role, queue in real.items()
    }


class Cpu:
    """CPU seconds of us, of the Temporal server, of Postgres with its backends, and of the Stripe double."""

    def __init__(self, stack: Stack) -> None:
        self._pids = {
            "ours": os.getpid(),
            "temporal": stack.temporal.pid,
            "postgres": stack.postgres.pid,
            "stripe": stack.stripe.pid,
            "objects": stack.objects.pid,
        }

    def now(self) -> dict[str, float]:
        """Return the seconds used so far."""
        return {name: sum(self._of(pid, name == "postgres")) for name, pid in self._pids.items()}

    def _of(self, pid: int, with_children: bool) -> Iterator[float]:
        process = psutil.Process(pid)
        for one in [process, *(process.children() if with_children else ())]:
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            yield times.user + times.system


def asked_for(history: WorkflowHistory) -> tuple[str, ...]:
    """Return what a plan asked of the server, in order."""
    asked = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            asked.append(f"activity {event.activity_task_scheduled_event_attributes.activity_type.name}")
        elif event.event_type in ASKED:
            asked.append(ASKED[event.event_type])
    return tuple(asked)


async def shapes_of(client: Client, revision: int, customers: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return the different shapes of the customers' histories."""
    ids = [customer_close_id(MONTH, revision, customer) for customer in customers]
    histories = await asyncio.gather(*(client.get_workflow_handle(one).fetch_history() for one in ids))
    return {asked_for(history) for history in histories}


async def close(
    client: Client, config: Settings, served: Mapping[str, Queue], revision: int, cpu: Cpu
) -> tuple[float, dict[str, float]]:
    """Close a month with these deeds; return the seconds it took and the CPU seconds of everybody."""
    with ThreadPoolExecutor(max_workers=40, thread_name_prefix="deed") as pool:
        async with AsyncExitStack() as stack:
            for role, queue in served.items():
                await stack.enter_async_context(worker_for(role, queue, client, config, pool))
            before, began = cpu.now(), time.perf_counter()
            closed = await client.execute_workflow(
                MonthlyClose.run,
                CloseMonth(month=MONTH, revision=revision),
                id=close_id(MONTH, revision),
                task_queue=options.CLOSE_QUEUE,
            )
            seconds, after = time.perf_counter() - began, cpu.now()
    if set(closed.states) != {"done"}:
        raise RuntimeError(f"not every customer was closed: {closed.states}")
    return seconds, {name: after[name] - before[name] for name in after}


async def orchestration(stack: Stack, count: int, lines: int) -> dict[str, Any]:
    """Close `count` customers with the real deeds and with empty ones, on one server, and compare."""
    environment = {**EMBEDDED, **stack.endpoints.as_environment()}
    config = Settings(
        **{name.removeprefix("TIEOUT_").lower(): value for name, value in environment.items()}
        | {"cache_folder": str(stack.state.root / "cache"), "retention_days": 0, "stripe_per_second": 100_000.0}  # type: ignore[arg-type]
    )
    owner = stack.endpoints.database_url
    upgrade(owner)
    book = contracts(count)
    seed.seed_demo_people(owner, stack.state.root)
    seed.seed_terms(PostgresTerms(wiring.database(config, "worker")), book, seed.rates())
    client = await temporal.connect(config, "benchmark")
    facts = [fact for one in book for fact in call_facts(one.customer, lines)]
    outside = wiring.outside_of(config, temporal.Histories(client))
    names = ("clickhouse", "posthog")
    outside = replace(
        outside,
        sources={name: ListedUsage(name, facts) for name in names},
        policy=outside.policy.model_copy(update={"sources": {name: outside.policy.sources[name] for name in names}}),
    )
    customers = tuple(sorted(one.customer for one in book))
    empty = EmptyDeeds()
    empty.customers = customers[:10]
    cpu = Cpu(stack)
    real_served = real_queues(outside)
    await close(client, config, empty_queues(real_served, empty), 3, cpu)  # warm: imports, sandbox, server
    empty.customers = customers
    empty_seconds, empty_cpu = await close(client, config, empty_queues(real_served, empty), 2, cpu)
    real_seconds, real_cpu = await close(client, config, real_served, 1, cpu)
    real_shapes = await shapes_of(client, 1, customers)
    empty_shapes = await shapes_of(client, 2, customers)
    same = real_shapes == empty_shapes and len(real_shapes) == 1
    if not same:
        raise RuntimeError(f"the shapes differ: {sorted(real_shapes ^ empty_shapes)}")
    return {
        "customers": count,
        "usage_lines_each": lines * 4,
        "commands_each": len(next(iter(real_shapes))),
        "real_per_second": count / real_seconds,
        "empty_per_second": count / empty_seconds,
        "ratio": empty_seconds / real_seconds,
        "cpu_ms_each": {
            "orchestration: temporal": empty_cpu["temporal"] / count * 1000,
            "orchestration: worker": empty_cpu["ours"] / count * 1000,
            "our code": (real_cpu["ours"] - empty_cpu["ours"]) / count * 1000,
            "postgres": real_cpu["postgres"] / count * 1000,
            "object store": real_cpu["objects"] / count * 1000,
            "stripe double": real_cpu["stripe"] / count * 1000,
        },
    }


def show(result: Mapping[str, Any]) -> None:
    """Print the results as one table."""
    table = Table(title=f"Benchmarks · {result['engine']} · {result['machine']}", title_justify="left")
    table.add_column("what")
    for column in ("ours", "the least", "ratio"):
        table.add_column(column, justify="right")
    close_, rated, passed = result["orchestration"], result["rating"], result["usage_pass"]
    table.add_row(
        f"orchestration, {close_['customers']} customers, shapes equal ({close_['commands_each']} commands)",
        f"{close_['real_per_second']:.1f} customers/s",
        f"{close_['empty_per_second']:.1f} customers/s",
        f"{close_['ratio']:.0%}",
    )
    for name, milliseconds in close_["cpu_ms_each"].items():
        table.add_row(f"  CPU a customer, {name}", f"{milliseconds:.1f} ms", "", "")
    table.add_row("rating: rated lines a core", f"{rated['rated_lines_per_second']:,.0f}/s", "20,000/s", "")
    for name, key in (
        ("no pool", "usage_lines_per_second"),
        ("a pool that runs dry", "usage_lines_per_second_with_pool"),
    ):
        table.add_row(f"rating: usage lines a core, {name}", f"{rated[key]:,.0f}/s", "100,000/s", "")
    twice = f"{rated['twice_the_lines_with_pool_cost']:.2f} x"
    table.add_row("rating: twice the usage lines, with a pool", twice, "2.00 x", "")
    table.add_row(
        f"usage pass, {passed['events']:,} events x 2 sources, {passed['customers']} customers",
        f"{passed['seal_seconds'] + passed['reconcile_seconds']:.2f} s",
        f"{passed['bare_seconds']:.2f} s",
        f"{passed['ratio']:.2f} x",
    )
    table.add_row("  of it collect (seal, Parquet)", f"{passed['seal_seconds']:.2f} s", "", "")
    table.add_row("  of it reconcile", f"{passed['reconcile_seconds']:.2f} s", "", "")
    table.add_row("  reading the sources, apart", f"{passed['read_seconds']:.2f} s", "", "")
    table.add_row("  our peak memory", f"{passed['peak_mib']:,} MiB", "", "")
    for row in journal.rows(result["journal"]):
        table.add_row(*row)
    quoted = result["rate_api"]
    table.add_row(
        f"rate API, a quote of {quoted['lines']} lines over HTTP, {quoted['versions']:,} rate versions",
        f"p95 {quoted['p95_ms']:.1f} ms",
        "",
        "",
    )
    console.print(table)


def main(
    customers: Annotated[int, typer.Option(help="Customers to close.")] = 60,
    lines: Annotated[int, typer.Option(help="Calls of each of them; a call bears four meters.")] = 20,
    events: Annotated[int, typer.Option(help="Events of the usage pass, in each of two sources.")] = 1_000_000,
    entries: Annotated[int, typer.Option(help="Entries of the journal.")] = 100_000,
) -> None:
    """Measure orchestration, rating, the usage pass, the journal and the rate API, print a table and keep it."""
    result: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine": engine_id(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "rating": rating.measure(),
    }
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as folder:
        result["usage_pass"] = usage.measure(Path(folder), events, max(20, events // 20_000))
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another account where we are root
        result["rate_api"] = rate_api.measure(Path(folder))
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        result["journal"] = journal.measure(Path(folder), entries)
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with Stack(Path(folder), {}) as stack:
            result["orchestration"] = asyncio.run(orchestration(stack, customers, lines))
    show(result)
    LAST.write_text(json.dumps(result, indent=1) + "\n")
    console.print(f"kept in {LAST}")
    sys.stdout.flush()
    os._exit(0)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


if __name__ == "__main__":
    typer.run(main)
