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


def close(deeds: Deeds, act: object = None, dry_run: bool = False) -> MonthClosed:
    async def run() -> MonthClosed:
        async with skipping() as env, workers(env.client, deeds, 1000):
            handle = await env.client.start_workflow(
                MonthlyClose.run,
                CloseMonth(month="2026-10", dry_run=dry_run),
                id="close/2026-10",
                task_queue=options.CLOSE_QUEUE,
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


OUTWARD = {"approve", "remind", "draft", "invoice", "recognize", "post", "publish", "seal_month"}
"""Deeds of stages that a dry run does not come to."""


def outward(deeds: Deeds) -> set[str]:
    return {call.split()[0] for call in deeds.calls} & (OUTWARD | {"seal_evidence", "verify"})


def test_a_dry_run_rates_everybody_and_touches_nothing_further() -> None:
    deeds = Deeds()
    deeds.customers = ("acme", "bolt")
    closed = close(deeds, dry_run=True)
    assert closed == MonthClosed(month="2026-10", revision=1, states={"done": 2}, evidence_root="")
    assert deeds.calls.count("rate") == 2
    assert outward(deeds) == set()


def test_a_dry_run_is_held_by_nothing_and_says_who_would_be() -> None:
    deeds = Deeds()
    deeds.findings = ("f-1", "f-2")
    assert close(deeds, dry_run=True).states == {"waiting": 1}
    assert deeds.notes == [(State.WAITING, "held by 2 findings; rated by the declared order")]
    refusing = Deeds()
    refusing.failing["rate"] = [refused()]
    assert close(refusing, dry_run=True).states == {"needs_attention": 1}
    assert [state for state, _ in refusing.notes] == [State.NEEDS_ATTENTION]
    assert "NoRate" in refusing.notes[0][1]
    assert outward(deeds) == outward(refusing) == set()


def test_a_dry_run_waits_for_no_source_and_no_day() -> None:
    early = datetime(2025, 12, 31, tzinfo=UTC)
    behind = Deeds()
    behind.watermarks = [early, early]
    closed = close(behind, dry_run=True)
    assert closed.states == {}
    assert closed.waiting == ("posthog complete up to 2025-12-31T00:00:00+00:00: waiting",)
    assert behind.calls.count("source_state posthog") == 1
    assert "population" not in behind.calls
    ahead = Deeds()
    ahead.ends_at = datetime.now(UTC) + timedelta(days=5)
    assert "is over in every customer's zone at" in close(ahead, dry_run=True).waiting[0]
