"""The close desk: a period that a decision locked is not locked by it anew; a refused lock may be tried again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.messages import LockMonth
from models.approval import Decision, Person
from models.close import EVERYONE, DecisionKind, Role
from runtime import close_desk
from runtime.desk import DecisionNotTaken
from tests.workflows.conftest import skipping
from workflows import options
from workflows.lock_period import LockPeriod

LOCK = Decision(
    id="d1", kind=DecisionKind.LOCK, period="2026-10", revision=1, customer=EVERYONE, subject="2026-10",
    person=Person(id="cora", name="Cora", roles=(Role.CONTROLLER,)), recorded_at=datetime(2026, 11, 9, tzinfo=UTC),
)  # fmt: skip


def test_a_lock_that_is_sent_again_is_answered_as_it_was_and_one_that_was_refused_is_tried_again() -> None:
    unsigned, accrued, locked = ["stripe"], ["acme"], list[str]()

    @activity.defn(name="control.refuse_unsigned")
    def refuse_unsigned(_task: LockMonth) -> None:
        if unsigned:
            raise ApplicationError(f"{unsigned.pop()} is not signed", type="NotSigned", non_retryable=True)

    @activity.defn(name="post.accrue_waiting")
    def accrue_waiting(_task: LockMonth) -> tuple[str, ...]:
        return tuple(accrued)

    @activity.defn(name="post.lock_period")
    def lock_period(task: LockMonth) -> None:
        locked.append(task.decision)

    async def run() -> None:
        deeds = [refuse_unsigned, accrue_waiting, lock_period]
        async with skipping() as env:
            with ThreadPoolExecutor(4) as pool:
                async with (
                    Worker(
                        env.client,
                        task_queue=options.CLOSE_QUEUE,
                        workflows=[LockPeriod],
                        activities=deeds,
                        activity_executor=pool,
                    ),
                    Worker(env.client, task_queue=options.LEDGER_QUEUE, activities=deeds, activity_executor=pool),
                    Worker(env.client, task_queue=options.STRIPE_QUEUE, activities=deeds, activity_executor=pool),
                ):
                    with pytest.raises(DecisionNotTaken, match="stripe is not signed"):
                        await close_desk.lock(env.client, LOCK)
                    first = await close_desk.lock(env.client, LOCK)
                    assert first.accrued == ("acme",)
                    accrued.clear()  # the world moved on by it
                    unsigned.append("usage")
                    assert await close_desk.lock(env.client, LOCK) == first

    asyncio.run(asyncio.wait_for(run(), 100))
    assert locked == ["d1"]
