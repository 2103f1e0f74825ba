"""Orchestration: customers closed with the real deeds, and the same plans with empty ones, on one server in one run."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psutil
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from activities.messages import CloseMonth, close_id, customer_close_id
from adapters.postgres.terms import PostgresTerms
from benchmarks.books import MONTH, contracts
from benchmarks.served import Kind, serving
from devstack.book import seed
from devstack.up import Stack
from devstack.workers import EMBEDDED, Workers
from migrations.upgrade import upgrade
from models.contract import Contract
from runtime import temporal, wiring
from runtime.settings import Settings
from workflows import options
from workflows.monthly_close import MonthlyClose

WARMING = 10
"""Customers who are closed before, unmeasured: whatever is imported or connected to first is so then."""

ASKED = {
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "child",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
}
"""Events that a plan asked for; how they fall into workflow tasks depends on how fast the deeds were."""


class Cpu:
    """CPU seconds of the workers' processes, of Temporal, of Postgres with its backends, of Stripe's double, of S3."""

    def __init__(self, stack: Stack, workers: Mapping[str, Workers]) -> None:
        self._ours = tuple(one.pid for one in workers.values())
        self._pids = {
            "temporal": stack.temporal.pid,
            "postgres": stack.postgres.pid,
            "stripe": stack.stripe.pid,
            "objects": stack.objects.pid,
        }

    def now(self) -> dict[str, float]:
        """Return the seconds used so far."""
        others = {name: sum(self._of(pid, name == "postgres")) for name, pid in self._pids.items()}
        return {"ours": sum(sum(self._of(pid, False)) for pid in self._ours), **others}

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


async def close(client: Client, revision: int, customers: Sequence[str], cpu: Cpu) -> tuple[float, dict[str, float]]:
    """Close a month for these customers; return the seconds it took and the CPU seconds of everybody."""
    before, began = cpu.now(), time.perf_counter()
    closed = await client.execute_workflow(
        MonthlyClose.run,
        CloseMonth(month=MONTH, revision=revision, customers=tuple(customers)),
        id=close_id(MONTH, revision),
        task_queue=options.CLOSE_QUEUE,
    )
    seconds, after = time.perf_counter() - began, cpu.now()
    if set(closed.states) != {"done"}:
        raise RuntimeError(f"not every customer was closed: {closed.states}")
    return seconds, {name: after[name] - before[name] for name in after}


def environment_of(stack: Stack) -> dict[str, str]:
    """Return the workers' settings, without limits that would be measured instead."""
    return {
        **EMBEDDED,
        **stack.endpoints.as_environment(),
        "TIEOUT_CACHE_FOLDER": str(stack.state.root / "cache"),
        "TIEOUT_RETENTION_DAYS": "0",
        "TIEOUT_STRIPE_PER_SECOND": "100000",
    }


def settings_of(stack: Stack) -> Settings:
    """Return the settings of a stack as its workers have them."""
    values = {name.removeprefix("TIEOUT_").lower(): value for name, value in environment_of(stack).items()}
    return Settings(**values)  # type: ignore[arg-type]


def seed_books(stack: Stack, book: Sequence[Contract]) -> None:
    """Put people, contracts and rates into the empty books of a stack."""
    owner = stack.endpoints.database_url
    upgrade(owner)
    seed.seed_demo_people(owner, stack.state.root)
    seed.seed_terms(PostgresTerms(wiring.database(settings_of(stack), "worker")), book, seed.rates())


async def measure(stack: Stack, count: int, calls: int) -> dict[str, Any]:
    """Close `count` customers with the real deeds and with empty ones, on one server, and compare."""
    book = contracts(WARMING + count)
    seed_books(stack, book)
    client = await temporal.connect(settings_of(stack), "benchmark")
    everyone = tuple(sorted(one.customer for one in book))
    first, customers = everyone[:WARMING], everyone[WARMING:]
    seconds: dict[Kind, float] = {}
    spent: dict[Kind, dict[str, float]] = {}
    shapes: dict[Kind, set[tuple[str, ...]]] = {}
    for kind, warm, measured in ((Kind.EMPTY, 4, 3), (Kind.REAL, 2, 1)):
        async with serving(client, stack.state.root, environment_of(stack), kind, len(book), calls) as workers:
            cpu = Cpu(stack, workers)
            await close(client, warm, first, cpu)
            seconds[kind], spent[kind] = await close(client, measured, customers, cpu)
        shapes[kind] = await shapes_of(client, measured, customers)
    real, empty = spent[Kind.REAL], spent[Kind.EMPTY]
    if shapes[Kind.REAL] != shapes[Kind.EMPTY] or len(shapes[Kind.REAL]) != 1:
        raise RuntimeError(f"the shapes differ: {sorted(shapes[Kind.REAL] ^ shapes[Kind.EMPTY])}")
    return {
        "customers": count,
        "usage_lines_each": calls * 4,
        "commands_each": len(next(iter(shapes[Kind.REAL]))),
        "real_per_second": count / seconds[Kind.REAL],
        "empty_per_second": count / seconds[Kind.EMPTY],
        "ratio": seconds[Kind.EMPTY] / seconds[Kind.REAL],
        "cpu_ms_each": {
            "orchestration: temporal": empty["temporal"] / count * 1000,
            "orchestration: workers": empty["ours"] / count * 1000,
            "our code": (real["ours"] - empty["ours"]) / count * 1000,
            "postgres": real["postgres"] / count * 1000,
            "object store": real["objects"] / count * 1000,
            "stripe double": real["stripe"] / count * 1000,
        },
    }
