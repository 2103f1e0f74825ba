"""Correction: worked out before anybody decides, a second person, what is refused on the way, and twice the same."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.messages import CorrectInvoice, Decide, InvoiceCorrected, correction_id
from models.close import DecisionKind
from models.correction import CorrectionStep
from tests.billing.test_corrections import a_request, by_hand, taxed
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds, refused
from tests.workflows.test_customer_close import told
from workflows import options
from workflows.correction import Correction

Handle = WorkflowHandle[Correction, InvoiceCorrected]
Play = Callable[[Handle, WorkflowEnvironment], Awaitable[None]]
CORRECTION = by_hand(taxed("100.00"), a_request(credits={"u1": "30.00"}))


def a_month() -> Deeds:
    deeds = Deeds()
    deeds.correction = CORRECTION
    return deeds


def play(deeds: Deeds, act: Play, cache: int = 1000) -> InvoiceCorrected:
    """Run one correction with people at work; return how it ended."""

    async def run() -> InvoiceCorrected:
        async with skipping() as env, workers(env.client, deeds, cache):
            handle: Handle = await env.client.start_workflow(
                Correction.run,
                CorrectInvoice(correction=CORRECTION.id, proposal="p"),
                id=correction_id(CORRECTION.id),
                task_queue=options.CLOSE_QUEUE,
            )
            await act(handle, env)
            return await handle.result()

    return asyncio.run(asyncio.wait_for(run(), 200))


async def decide(
    handle: Handle, deeds: Deeds, person: str, kind: DecisionKind = DecisionKind.APPROVE_CORRECTION, **more: Any
) -> None:
    """Decide as a person once it is worked out."""
    await handle.execute_update(Correction.proposed)
    subject = more.pop("subject", CORRECTION.fingerprint())
    id_ = deeds.decide(f"{kind.value}-{person}-{len(deeds.decisions)}", kind, person, subject, **more)
    await handle.execute_update(Correction.decide, Decide(decision=id_), id=id_)


def test_a_correction_is_worked_out_approved_settled_and_posted(cache: int) -> None:
    deeds = a_month()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        assert (await handle.execute_update(Correction.proposed)).net_minor == -30_00
        await decide(handle, deeds, "aron")

    ended = play(deeds, act, cache)
    assert (ended.step, ended.person, ended.month) == (CorrectionStep.POSTED, "aron", "2026-11")
    assert deeds.calls == ["prepare", "judge_correction", "settle", "post_correction"]


def test_the_proposer_a_stranger_and_a_forged_row_change_nothing() -> None:
    deeds = a_month()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        assert await told(decide(handle, deeds, "pia")) == "preparer_may_not_approve"
        assert await told(decide(handle, deeds, "erik")) == "wrong_role"
        assert await told(decide(handle, deeds, "aron", subject="another")) == "statement_changed"
        assert await told(handle.execute_update(Correction.decide, Decide(decision="forged"))) == "unknown_decision"
        assert "settle" not in deeds.calls
        await decide(handle, deeds, "aron")

    assert play(deeds, act).step is CorrectionStep.POSTED


def test_a_rejection_ends_it_and_nothing_is_settled() -> None:
    deeds = a_month()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "aron", DecisionKind.REJECT_CORRECTION, reason="they owe it")

    ended = play(deeds, act)
    assert (ended.step, ended.detail) == (CorrectionStep.REJECTED, "they owe it")
    assert deeds.calls == ["prepare", "judge_correction", "conclude_correction"]


def test_what_a_rule_refuses_is_told_and_nobody_is_asked() -> None:
    deeds = a_month()
    deeds.failing = {"prepare": [refused("OverCredited")]}

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        return None

    ended = play(deeds, act)
    assert ended.step is None
    assert "OverCredited" in ended.detail
    assert deeds.calls == ["prepare"]


def test_a_refusal_of_the_platform_or_the_journal_waits_for_a_retry() -> None:
    deeds = a_month()
    deeds.failing = {"settle": [refused("WrongState")], "post_correction": [refused("PeriodLocked")]}

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "aron")
        for count in (1, 2):
            while sum(call in ("settle", "post_correction") for call in deeds.calls) < 2 * count - 1:
                await asyncio.sleep(0.02)  # the fakes count; they tell nobody
            await until_taken(handle, deeds, "erik", DecisionKind.RETRY)

    assert play(deeds, act).step is CorrectionStep.POSTED
    assert [one for one in deeds.calls if "judge" not in one] == [
        "prepare",
        "settle",
        "settle",
        "post_correction",
        "post_correction",
    ]


def test_what_the_platform_refuses_may_be_given_up() -> None:
    deeds = a_month()
    deeds.failing = {"settle": [refused("WrongState")]}

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await decide(handle, deeds, "aron")
        await until_taken(handle, deeds, "abby", DecisionKind.REJECT_CORRECTION)

    assert play(deeds, act).step is CorrectionStep.WITHDRAWN
    assert [one.step for one in deeds.given_up] == [CorrectionStep.WITHDRAWN]


async def until_taken(handle: Handle, deeds: Deeds, person: str, kind: DecisionKind) -> None:
    """Decide as soon as somebody waits for it."""
    while True:
        try:
            return await decide(handle, deeds, person, kind)
        except WorkflowUpdateFailedError as failed:
            if not isinstance(failed.cause, ApplicationError) or failed.cause.type != "not_waiting":
                raise
            await asyncio.sleep(0.05)


def test_the_same_decision_twice_counts_once() -> None:
    deeds = a_month()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await handle.execute_update(Correction.proposed)
        id_ = deeds.decide("twice", DecisionKind.APPROVE_CORRECTION, "aron", CORRECTION.fingerprint())
        for _ in range(2):
            await handle.signal(Correction.decide_by_signal, Decide(decision=id_))

    assert play(deeds, act).step is CorrectionStep.POSTED
    assert deeds.calls.count("settle") == 1
