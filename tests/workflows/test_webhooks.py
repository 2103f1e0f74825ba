"""Webhooks: a delivery is tried for about three days and then given up; one that fails holds up no other."""

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.messages import DeliverWebhook, WebhookDelivered, WebhooksDue, webhook_id
from activities.webhooks import QUIET
from models.webhook import Outcome
from runtime import temporal
from tests.workflows.conftest import skipping
from workflows import options
from workflows.webhooks import WebhookDelivery, WebhookRound

SICK = DeliverWebhook(endpoint="sick", notice="invoice_ready/2026-10@1/acme/USD", number=1)
WELL = SICK.model_copy(update={"endpoint": "well"})


class Endpoints:
    """Two endpoints: one takes everything at once, one after so many tries."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.tries: list[datetime] = []
        self.told: list[str] = []
        self.given_up: list[str] = []
        self.counted = threading.Condition()

    def wait_until_told(self, endpoint: str, times: int) -> None:
        """Wait until an endpoint was told so many times."""
        with self.counted:
            assert self.counted.wait_for(lambda: self.told.count(endpoint) >= times, 20)

    def serve(self, env: WorkflowEnvironment, pool: ThreadPoolExecutor) -> list[Worker]:
        """Return the workers."""

        @activity.defn(name="webhooks.due")
        def due() -> WebhooksDue:
            return WebhooksDue(deliveries=(SICK, WELL))

        @activity.defn(name="webhooks.deliver")
        def deliver(task: DeliverWebhook) -> WebhookDelivered:
            if task.endpoint == "sick":
                self.tries.append(activity.info().started_time)
                if len(self.tries) <= self.after:
                    raise RuntimeError("503")
            with self.counted:
                self.told.append(task.endpoint)
                self.counted.notify_all()
            return WebhookDelivered(delivery=task, outcome=Outcome.DELIVERED)

        @activity.defn(name="webhooks.give_up")
        def give_up(task: DeliverWebhook) -> WebhookDelivered:
            self.given_up.append(task.endpoint)
            return WebhookDelivered(delivery=task, outcome=Outcome.FAILED)

        plans = [WebhookRound, WebhookDelivery]
        return [
            Worker(
                env.client, task_queue=options.CLOSE_QUEUE, workflows=plans, activities=[due, give_up],
                activity_executor=pool, workflow_runner=temporal.sandbox(),
            ),
            Worker(env.client, task_queue=options.WEBHOOK_QUEUE, activities=[deliver], activity_executor=pool),
        ]  # fmt: skip


def play(endpoints: Endpoints, scene: Callable[[WorkflowEnvironment], Awaitable[None]]) -> None:
    """Run a scene with the workers serving."""

    async def run() -> None:
        async with skipping() as env:
            with ThreadPoolExecutor(4) as pool:
                async with AsyncExitStack() as stack:
                    for worker in endpoints.serve(env, pool):
                        await stack.enter_async_context(worker)
                    await scene(env)

    asyncio.run(asyncio.wait_for(run(), 100))


async def delivered(env: WorkflowEnvironment) -> Outcome:
    """Run the sick endpoint's delivery to its end."""
    id_, queue = webhook_id("sick", SICK.notice), options.CLOSE_QUEUE
    return (await env.client.execute_workflow(WebhookDelivery.run, SICK, id=id_, task_queue=queue)).outcome


def test_one_that_stays_down_is_tried_for_three_days_and_given_up() -> None:
    endpoints = Endpoints(after=1000)

    async def scene(env: WorkflowEnvironment) -> None:
        assert await delivered(env) is Outcome.FAILED

    play(endpoints, scene)
    assert endpoints.given_up == ["sick"]
    waits = [later - earlier for earlier, later in itertools.pairwise(endpoints.tries)]
    assert len(endpoints.tries) == 13
    assert [round(wait.total_seconds(), -1) for wait in waits[:4]] == [10, 40, 160, 640]
    assert all(wait >= earlier - timedelta(seconds=1) for earlier, wait in itertools.pairwise(waits))
    assert timedelta(days=3) < endpoints.tries[-1] - endpoints.tries[0] < timedelta(days=3, hours=6)


def test_one_that_recovers_is_told_and_not_given_up() -> None:
    endpoints = Endpoints(after=5)

    async def scene(env: WorkflowEnvironment) -> None:
        assert await delivered(env) is Outcome.DELIVERED

    play(endpoints, scene)
    assert (len(endpoints.tries), endpoints.given_up) == (6, [])


def test_one_that_fails_holds_up_no_other_and_is_begun_once() -> None:
    endpoints = Endpoints(after=1000)

    async def scene(env: WorkflowEnvironment) -> None:
        with env.auto_time_skipping_disabled():
            for number, begun in ((1, 2), (2, 1)):
                queue = options.CLOSE_QUEUE
                rounds = await env.client.execute_workflow(WebhookRound.run, id=f"round-{number}", task_queue=queue)
                assert rounds == begun  # the second round leaves the sick one alone
                await asyncio.to_thread(endpoints.wait_until_told, "well", number)
            sick = env.client.get_workflow_handle(webhook_id("sick", SICK.notice))
            assert (await sick.describe()).status is WorkflowExecutionStatus.RUNNING

    play(endpoints, scene)
    assert endpoints.told == ["well", "well"]


def test_a_delivery_is_quiet_for_longer_than_it_waits_between_two_tries_before_it_is_begun_again() -> None:
    waits = options.WEBHOOK["retry_policy"].maximum_interval
    assert waits is not None
    assert waits + options.WEBHOOK["start_to_close_timeout"] < QUIET
