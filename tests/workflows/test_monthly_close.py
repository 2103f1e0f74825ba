"""MonthlyClose and its shards: one seal per source, waits for watermarks, the others go on, evidence is sealed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.testing import WorkflowEnvironment

from activities.messages import CloseMonth, Decide, MonthClosed
from models.close import DecisionKind, Stage, State
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds, refused
from workflows import options
from workflows.customer_close import CustomerClose
from workflows.monthly_close import MonthlyClose

CLOSE: Any = CustomerClose.run


async def _waits(env: WorkflowEnvironment, customer: str, state: State, stage: Stage) -> None:
    handle = env.client.get_workflow_handle_for(CLOSE, f"close/2026-10/{customer}")
    while True:
        try:
            view = await handle.query(CustomerClose.snapshot)
        except Exception as error:  # noqa: BLE001  # the child may not be started yet
            assert "not found" in str(error).lower()  # noqa: PT017
        else:
            if (view.state, view.stage) == (state, stage):
                return
        await asyncio.sleep(0.02)


def close(deeds: Deeds, act: object = None) -> MonthClosed:
    async def run() -> MonthClosed:
        async with skipping() as env, workers(env.client, deeds, 1000):
            handle = await env.client.start_workflow(
                MonthlyClose.run, CloseMonth(month="2026-10"), id="close/2026-10", task_queue=options.CLOSE_QUEUE
            )
            if callable(act):
                await act(env)
            return await handle.result()

    return asyncio.run(asyncio.wait_for(run(), 200))


def test_each_source_is_sealed_once_and_every_customer_is_closed() -> None:
    deeds = Deeds()
    deeds.people = 0
    deeds.customers = ("acme", "bolt", "cirrus")
    closed = close(deeds)
    assert closed == MonthClosed(month="2026-10", revision=1, states={"done": 3}, evidence_root="root")
    assert sorted(call for call in deeds.calls if call.startswith("seal_source")) == [
        "seal_source clickhouse",
        "seal_source posthog",
    ]
    assert sorted(call for call in deeds.calls if call.startswith("seal_evidence")) == [
        "seal_evidence acme",
        "seal_evidence bolt",
        "seal_evidence cirrus",
    ]


def test_a_source_that_is_not_complete_is_waited_for() -> None:
    deeds = Deeds()
    deeds.people = 0
    early = datetime(2025, 12, 31, tzinfo=UTC)
    deeds.watermarks = [early, early]
    assert close(deeds).states == {"done": 1}
    assert deeds.calls.count("source_state posthog") == 3


def test_a_month_that_is_not_over_is_waited_for() -> None:
    deeds = Deeds()
    deeds.people = 0
    deeds.ends_at = datetime.now(UTC) + timedelta(days=5)
    assert close(deeds).states == {"done": 1}


def test_one_parked_customer_does_not_hold_the_others() -> None:
    deeds = Deeds()
    deeds.people = 0
    deeds.customers = ("acme", "bolt", "cirrus")
    deeds.failing["rate"] = [refused()]

    async def act(env: WorkflowEnvironment) -> None:
        while sum(call.startswith("seal_evidence") for call in deeds.calls) < 2:
            await asyncio.sleep(0.02)
        parked = [c for c in deeds.customers if f"seal_evidence {c}" not in deeds.calls]
        (customer,) = parked
        await _waits(env, customer, State.NEEDS_ATTENTION, Stage.RATE)
        deeds.decide("again", DecisionKind.RETRY, "erik", "rate", customer=customer)
        handle = env.client.get_workflow_handle_for(CLOSE, f"close/2026-10/{customer}")
        await handle.execute_update(CustomerClose.retry_step, Decide(decision="again"))

    assert close(deeds, act).states == {"done": 3}


def test_a_month_without_customers_ends_at_once() -> None:
    deeds = Deeds()
    deeds.customers = ()
    assert close(deeds).states == {}
