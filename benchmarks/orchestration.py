"""Orchestration: customers closed with the real deeds, and the same plans with empty ones, on one server in one run."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import psutil
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from activities.approve import Approve
from activities.deeds import Outside
from activities.messages import ApprovalNeed, AskApproval, CloseMonth, Population, close_id, customer_close_id
from adapters.postgres.terms import PostgresTerms
from benchmarks.books import MONTH, ListedUsage, call_facts, contracts
from devstack.book import seed
from devstack.up import Stack
from devstack.workers import EMBEDDED
from migrations.upgrade import upgrade
from models.contract import Contract
from runtime import temporal, wiring
from runtime.settings import Settings
from tests.workflows.fakes import Deeds
from workers.main import worker_for
from workers.registry import Queue, queues
from workflows import options
from workflows.monthly_close import MonthlyClose

SHARD = 500

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
    """Return the same queues with empty deeds of the same names; one that a close does not use is left out."""
    by_name = {name_of(deed): deed for deed in deeds.all()}
    mapped = {
        role: replace(
            queue, activities=[by_name[name_of(deed)] for deed in queue.activities if name_of(deed) in by_name]
        )
        for role, queue in real.items()
    }
    return {role: queue for role, queue in mapped.items() if queue.activities or queue.workflows}


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


def settings_of(stack: Stack) -> Settings:
    """Return the settings of a stack, without limits that would be measured instead."""
    environment = {**EMBEDDED, **stack.endpoints.as_environment()}
    values = {name.removeprefix("TIEOUT_").lower(): value for name, value in environment.items()}
    unlimited = {"retention_days": 0, "stripe_per_second": 100_000.0}
    return Settings(**values | {"cache_folder": str(stack.state.root / "cache")} | unlimited)  # type: ignore[arg-type]


def outside_with(stack: Stack, config: Settings, client: Client, book: Sequence[Contract], calls: int) -> Outside:
    """Return the outside of a fresh stack whose customers have these contracts, and so many calls each."""
    owner = stack.endpoints.database_url
    upgrade(owner)
    seed.seed_demo_people(owner, stack.state.root)
    seed.seed_terms(PostgresTerms(wiring.database(config, "worker")), book, seed.rates())
    facts = [fact for one in book for fact in call_facts(one.customer, calls)]
    outside = wiring.outside_of(config, temporal.Histories(client))
    names = ("clickhouse", "posthog")
    return replace(
        outside,
        sources={name: ListedUsage(name, facts) for name in names},
        policy=outside.policy.model_copy(update={"sources": {name: outside.policy.sources[name] for name in names}}),
    )


async def measure(stack: Stack, count: int, calls: int) -> dict[str, Any]:
    """Close `count` customers with the real deeds and with empty ones, on one server, and compare."""
    config, book = settings_of(stack), contracts(count)
    client = await temporal.connect(config, "benchmark")
    outside = outside_with(stack, config, client, book, calls)
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
        "usage_lines_each": calls * 4,
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
