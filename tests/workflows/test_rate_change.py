"""RateChange: simulated before anybody decides, a second person, the instant, and what ends it otherwise."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from activities.messages import ChangeRate, Decide, RateChanged, rate_change_id
from models.close import EVERYONE, DecisionKind
from models.rate_change import ChangeStep
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds, refused
from tests.workflows.test_customer_close import told
from workflows import options
from workflows.rate_change import RateChange

Handle = WorkflowHandle[RateChange, RateChanged]
Play = Callable[[Handle, WorkflowEnvironment], Awaitable[None]]
PROPOSAL = "0123456789abcdef"


def play(deeds: Deeds, act: Play, cache: int = 1000) -> RateChanged:
    """Run one rate change with people at work; return how it ended."""

    async def run() -> RateChanged:
        async with skipping() as env, workers(env.client, deeds, cache):
            handle = await start(env)
            await act(handle, env)
            return await handle.result()

    return asyncio.run(asyncio.wait_for(run(), 200))


async def start(env: WorkflowEnvironment) -> Handle:
    """Start the change of the proposal, or find it."""
    return await env.client.start_workflow(
        RateChange.run,
        ChangeRate(proposal=PROPOSAL),
        id=rate_change_id(PROPOSAL),
        task_queue=options.CLOSE_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )


async def decide(
    handle: Handle, deeds: Deeds, person: str, kind: DecisionKind = DecisionKind.APPROVE_RATE, **more: Any
) -> None:
    """Decide as a person once the simulation is there."""
    await handle.execute_update(RateChange.simulation)
    subject = more.pop("subject", PROPOSAL)
    id_ = deeds.decide(f"{kind.value}-{person}", kind, person, subject, customer=EVERYONE, **more)
    await handle.execute_update(RateChange.decide, Decide(decision=id_), id=id_)


def test_a_change_is_simulated_approved_and_in_force(cache: int) -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        simulated = await handle.execute_update(RateChange.simulation)
        assert (simulated.moved, simulated.money_minor) == (1, {"USD": 750})
        await decide(handle, deeds, "cora")

    ended = play(deeds, act, cache)
    assert (ended.step, ended.version) == (ChangeStep.IN_FORCE, "list/m@")
    assert deeds.calls == ["simulate", "judge", "put_into_catalog", "conclude"]
    assert [one.step for one in deeds.concluded] == [ChangeStep.IN_FORCE]


def test_the_proposer_a_stranger_to_the_role_and_a_forged_row_change_nothing() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        assert await told(decide(handle, deeds, "rita")) == "preparer_may_not_approve"
        assert await told(decide(handle, deeds, "erik")) == "wrong_role"
        assert await told(decide(handle, deeds, "aron", subject="another")) == "wrong_close"
        assert await told(decide(handle, deeds, "abby", DecisionKind.APPROVE)) == "not_waiting"
        assert await told(decide(handle, deeds, "abby", DecisionKind.REJECT_RATE, reason=" ")) == "reason_missing"
        assert await told(handle.execute_update(RateChange.decide, Decide(decision="forged"))) == "unknown_decision"
        assert "put_into_catalog" not in deeds.calls
        await decide(handle, deeds, "cora")

    assert play(deeds, act).step is ChangeStep.IN_FORCE


def test_a_rejection_ends_it_without_touching_the_catalog() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "cora", DecisionKind.REJECT_RATE, reason="the page says otherwise")

    ended = play(deeds, act)
    assert (ended.step, ended.person, ended.detail) == (ChangeStep.REJECTED, "cora", "the page says otherwise")
    assert "put_into_catalog" not in deeds.calls


def test_a_change_for_a_later_instant_is_in_force_then() -> None:
    deeds = Deeds()
    deeds.rate_starts_at = datetime.now(UTC) + timedelta(days=40)

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "cora")
        assert "conclude" not in deeds.calls
        await env.sleep(timedelta(days=40, seconds=1))

    assert play(deeds, act).step is ChangeStep.IN_FORCE
    assert deeds.calls[-1] == "conclude"


def test_a_locked_period_is_recorded_as_needing_a_correction() -> None:
    deeds = Deeds()
    deeds.locked = ("2026-10",)

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "cora")

    ended = play(deeds, act)
    assert (ended.step, ended.locked) == (ChangeStep.NEEDS_CORRECTION, ("2026-10",))
    assert deeds.concluded[0].detail == ended.detail != ""


def test_a_rule_that_refuses_ends_the_change_and_is_told() -> None:
    deeds = Deeds()
    deeds.failing = {"put_into_catalog": [refused("CatalogMoved")]}

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "cora")

    ended = play(deeds, act)
    assert ended.step is ChangeStep.REFUSED
    assert ended.detail.startswith("CatalogMoved")


@pytest.mark.parametrize("kind", [DecisionKind.APPROVE_RATE, DecisionKind.REJECT_RATE])
def test_a_decision_by_signal_is_taken_like_one_by_update(kind: DecisionKind) -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        deeds.decide("s", kind, "cora", PROPOSAL, customer=EVERYONE)
        await handle.signal(RateChange.decide_by_signal, Decide(decision="s"))

    assert play(deeds, act).step in (ChangeStep.IN_FORCE, ChangeStep.REJECTED)


def test_started_twice_it_is_one_change() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        again = await start(env)
        assert again.first_execution_run_id in (None, handle.first_execution_run_id)
        await decide(again, deeds, "cora")

    play(deeds, act)
    assert deeds.calls.count("simulate") == 1
