"""Served: a worker's process as in production, with the product's own deeds or with empty ones of the same names."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from activities.approve import Approve
from activities.deeds import Outside
from activities.messages import ApprovalNeed, AskApproval, CloseMonth, Population
from benchmarks.books import ListedUsage, call_facts, contracts
from devstack.workers import Workers
from models.contract import Contract
from runtime import temporal, wiring
from runtime.settings import Settings
from tests.workflows.fakes import Deeds
from workers.main import identity, work
from workers.registry import Queue, queues
from workflows import options

QUEUES = {
    "workflows": options.CLOSE_QUEUE,
    "usage": options.USAGE_QUEUE,
    "stripe": options.STRIPE_QUEUE,
    "ledger": options.LEDGER_QUEUE,
}
"""The queues that a close needs, by the role that serves each."""

STARTS_WITHIN_SECONDS = 120
ASKED_EVERY_SECONDS = 0.1


class Kind(StrEnum):
    """Which deeds are served."""

    REAL = "real"
    EMPTY = "empty"


class ApprovedBySystem(Approve):
    """The fourth stage's own deed with all its work; then nobody is asked, so that no person is measured."""

    @activity.defn(name="approve.ask_approval")
    def ask_approval(self, task: AskApproval) -> ApprovalNeed:
        """Return that nobody must approve."""
        super().ask_approval(task)
        return ApprovalNeed(people=0, queue="system", why="benchmark")


class EmptyDeeds(Deeds):
    """Deeds of the same names that do nothing, for customers in shards of a size."""

    def __init__(self, shard_size: int) -> None:
        super().__init__()
        self.people = 0
        self._shard_size = shard_size

    def all(self) -> list[Callable[..., Any]]:
        """Return them; who is closed is named by who starts the close."""
        size = self._shard_size

        @activity.defn(name="collect.population")
        def population(task: CloseMonth) -> Population:
            everyone = task.customers
            return Population(shards=tuple(everyone[start : start + size] for start in range(0, len(everyone), size)))

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
    return {
        role: replace(
            queue,
            activities=[by_name[name_of(deed)] for deed in queue.activities if name_of(deed) in by_name],
            at_one_instant=nullcontext,
        )
        for role, queue in real.items()
    }


def outside_with(config: Settings, client: Client, book: Sequence[Contract], calls: int) -> Outside:
    """Return the outside of these settings, whose two event sources list so many calls of each contract's customer."""
    outside = wiring.outside_of(config, temporal.Histories(client))
    facts = [fact for one in book for fact in call_facts(one.customer, calls)]
    names = ("clickhouse", "posthog")
    return replace(
        outside,
        sources={name: ListedUsage(name, facts) for name in names},
        policy=outside.policy.model_copy(update={"sources": {name: outside.policy.sources[name] for name in names}}),
    )


@asynccontextmanager
async def serving(
    client: Client, state: Path, environment: Mapping[str, str], kind: Kind, customers: int, calls: int
) -> AsyncIterator[dict[str, Workers]]:
    """Have a process serve each role's queue, all of them asking for work; they are gone at the end.

    Raises:
        TimeoutError: a worker does not ask for work, see its log.
    """
    command = ("benchmarks.served", "--kind", kind, "--customers", str(customers), "--calls", str(calls))
    workers = {role: Workers(state, environment, role, command) for role in QUEUES}
    try:
        for one in workers.values():
            one.start()
        async with asyncio.timeout(STARTS_WITHIN_SECONDS):
            for role, one in workers.items():
                while not await _asks(client, role, one.pid):
                    await asyncio.sleep(ASKED_EVERY_SECONDS)
        yield workers
    finally:
        for one in workers.values():
            await asyncio.to_thread(one.stop)


async def _asks(client: Client, role: str, pid: int) -> bool:
    """Return whether the server knows a process as one that asks for work."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=QUEUES[role]),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    known = await client.workflow_service.describe_task_queue(request)
    return any(one.identity == identity((role,), pid) for one in known.pollers)


def main(
    kind: Annotated[Kind, typer.Option(help="Which deeds.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(QUEUES)}.")],
    customers: Annotated[int, typer.Option(help="Customers the sources list calls of.")],
    calls: Annotated[int, typer.Option(help="Calls of each of them.")],
) -> None:
    """Serve one queue until told to end."""

    def made(config: Settings, client: Client) -> Mapping[str, Queue]:
        served = real_queues(outside_with(config, client, contracts(customers), calls))
        return served if kind is Kind.REAL else empty_queues(served, EmptyDeeds(config.shard_size))

    work((role,), made)


if __name__ == "__main__":
    typer.run(main)
