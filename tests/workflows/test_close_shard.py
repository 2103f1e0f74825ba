"""A shard of more than one wave: nobody is lost, and no workflow task starts more customers than a wave."""

import asyncio
from collections import Counter

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from activities.messages import CloseShardOf, Hold, ShardClosed
from models.close import State
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds
from workflows import options
from workflows.close_shard import WAVE, CloseShard

CUSTOMERS = tuple(f"c{number:03}" for number in range(2 * WAVE + 10))


def started_together(history: WorkflowHistory) -> list[int]:
    """Return how many customers each workflow task started."""
    of = Counter(
        event.start_child_workflow_execution_initiated_event_attributes.workflow_task_completed_event_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    )
    return [of[task] for task in sorted(of)]


@pytest.mark.parametrize("pauses", [False, True], ids=["at once", "paused and resumed meanwhile"])
def test_customers_start_in_waves_and_all_of_them_end(pauses: bool) -> None:
    deeds = Deeds()
    deeds.people = 0

    async def run() -> tuple[ShardClosed, WorkflowHistory]:
        async with skipping() as env, workers(env.client, deeds, 1000):
            handle = await env.client.start_workflow(
                CloseShard.run,
                CloseShardOf(month="2026-10", revision=1, shard=1, customers=CUSTOMERS),
                id="close/2026-10/shard-001",
                task_queue=options.CLOSE_QUEUE,
            )
            if pauses:
                await handle.signal(CloseShard.hold, Hold(why="paused by pia: the bank is closed"))
                await handle.signal(CloseShard.hold, Hold(why="paused by pia: it is closed tomorrow too"))
                await handle.signal(CloseShard.hold, Hold(why=""))
            return await handle.result(), await handle.fetch_history()

    closed, history = asyncio.run(asyncio.wait_for(run(), 200))
    assert closed.states == {State.DONE.value: len(CUSTOMERS)}
    together = started_together(history)
    assert sum(together) == len(CUSTOMERS)
    assert max(together) <= WAVE
    assert not any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for event in history.events)
