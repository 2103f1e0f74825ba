"""CustomerClose: the stages in order, waits by timer, findings, approval with its refusals, rework, parking."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.messages import CloseCustomer, CloseView, CustomerClosed, Decide
from models.close import DecisionKind, Stage, State
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds, refused
from workflows import options
from workflows.customer_close import CustomerClose

Handle = WorkflowHandle[CustomerClose, CustomerClosed]
Play = Callable[[Handle, WorkflowEnvironment], Awaitable[None]]

TASK = CloseCustomer(month="2026-10", revision=1, customer="acme", poll_seconds=900)
STAGES = ["collect", "reconcile", "rate", "approve", "draft", "invoice", "recognize", "post", "publish"]


def play(deeds: Deeds, act: Play, cache: int = 1000) -> CustomerClosed:
    """Run one customer's close with a person at work; return how it ended."""

    async def run() -> CustomerClosed:
        async with skipping() as env, workers(env.client, deeds, cache):
            handle: Handle = await env.client.start_workflow(
                CustomerClose.run, TASK, id="close/2026-10/acme", task_queue=options.CLOSE_QUEUE
            )
            await act(handle, env)
            return await handle.result()

    return asyncio.run(asyncio.wait_for(run(), 200))


async def until(handle: Handle, state: State, stage: Stage | None = None) -> CloseView:
    """Return the view once the close is in a state (at a stage)."""
    while True:
        view = await handle.query(CustomerClose.snapshot)
        if view.state is state and stage in (None, view.stage):
            return view
        await asyncio.sleep(0.02)


async def told(answer: Awaitable[Any]) -> str:
    """Return the code with which an update was refused."""
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await answer
    assert isinstance(failed.value.cause, ApplicationError)
    return str(failed.value.cause.type)


async def approve(handle: Handle, deeds: Deeds, person: str = "aron", id_: str = "a-1") -> None:
    """Approve the statement that waits."""
    await until(handle, State.WAITING, Stage.APPROVE)
    deeds.decide(id_, DecisionKind.APPROVE, person, deeds.fingerprint)
    await handle.execute_update(CustomerClose.decide, Decide(decision=id_), id=id_)


def test_the_stages_run_once_in_order(cache: int) -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await approve(handle, deeds)

    closed = play(deeds, act, cache)
    assert closed == CustomerClosed(
        customer="acme",
        state=State.DONE,
        statement="statement-1",
        invoice="ref",
        currency="USD",
        total_minor=123_45,
        evidence="pack",
    )
    assert [call for call in deeds.calls if call in STAGES] == STAGES


def test_a_month_that_is_not_over_is_waited_for_by_timer() -> None:
    deeds = Deeds()
    deeds.ends_at = datetime.now(UTC) + timedelta(days=9)

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await env.sleep(timedelta(days=9, seconds=1))
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE
    assert (State.WAITING, f"the month ends at {deeds.ends_at.isoformat()}") in deeds.notes


def test_a_source_that_is_behind_is_asked_again_by_timer() -> None:
    deeds = Deeds()
    deeds.behind = [("posthog",), ("posthog",), ()]

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await env.sleep(timedelta(seconds=1801))
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE
    assert deeds.calls.count("readiness") == 3
    assert deeds.notes[0] == (State.WAITING, "waiting for posthog to be complete and sealed")


def test_findings_hold_until_each_is_answered(cache: int) -> None:
    deeds = Deeds()
    deeds.findings = ("f-1", "f-2")

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        view = await until(handle, State.WAITING, Stage.RECONCILE)
        assert view.holding == ("f-1", "f-2")
        deeds.decide("x", DecisionKind.RESOLVE, "pia", "f-9", payload={"answer": "accept"})
        assert (
            await told(handle.execute_update(CustomerClose.resolve_finding, Decide(decision="x"))) == "already_decided"
        )
        for finding in ("f-1", "f-2"):
            deeds.decide(finding, DecisionKind.RESOLVE, "pia", finding, payload={"answer": "accept"})
            await handle.execute_update(CustomerClose.resolve_finding, Decide(decision=finding))
        await approve(handle, deeds)

    assert play(deeds, act, cache).state is State.DONE
    assert deeds.calls.count("reconcile") == 2


async def resolve(handle: Handle, deeds: Deeds, finding: str, id_: str) -> None:
    """Accept the other source for a finding."""
    deeds.decide(id_, DecisionKind.RESOLVE, "pia", finding, payload={"answer": "accept"})
    await handle.execute_update(CustomerClose.resolve_finding, Decide(decision=id_), id=id_)


def test_a_finding_given_to_an_owner_still_holds() -> None:
    deeds = Deeds()
    deeds.findings = ("f-1",)

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.RECONCILE)
        deeds.decide("to-abby", DecisionKind.ASSIGN, "pia", "f-1", payload={"owner": "abby"})
        await handle.execute_update(CustomerClose.assign_finding, Decide(decision="to-abby"))
        assert (await until(handle, State.WAITING, Stage.RECONCILE)).holding == ("f-1",)
        await resolve(handle, deeds, "f-1", "r-1")
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE
    assert deeds.calls.count("reconcile") == 2


def test_a_resolution_is_reversed_until_the_invoice_and_the_month_is_rated_again(cache: int) -> None:
    deeds = Deeds()
    deeds.findings = ("f-1",)

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.RECONCILE)
        deeds.decide("early", DecisionKind.REVERSE, "pia", "f-1")
        nothing = handle.execute_update(CustomerClose.reverse_resolution, Decide(decision="early"))
        assert await told(nothing) == "already_decided"  # nobody has answered it yet
        await resolve(handle, deeds, "f-1", "r-1")
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("back", DecisionKind.REVERSE, "pia", "f-1", reason="the log was another day's")
        await handle.execute_update(CustomerClose.reverse_resolution, Decide(decision="back"))
        assert (await until(handle, State.WAITING, Stage.RECONCILE)).holding == ("f-1",)
        await resolve(handle, deeds, "f-1", "r-2")
        await approve(handle, deeds)

    assert play(deeds, act, cache).statement == "statement-2"
    assert deeds.calls.count("reconcile") == 4  # held, answered, held again, answered again


def test_after_the_invoice_a_reversal_is_refused_with_the_way_out() -> None:
    deeds = Deeds()
    deeds.findings = ("f-1",)
    deeds.failing = {"post": [refused()]}

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.RECONCILE)
        await resolve(handle, deeds, "f-1", "r-1")
        await approve(handle, deeds)
        await until(handle, State.NEEDS_ATTENTION, Stage.POST)
        deeds.decide("late", DecisionKind.REVERSE, "pia", "f-1")
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(CustomerClose.reverse_resolution, Decide(decision="late"))
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "invoice_issued"
        assert "tieout correction propose" in failed.value.cause.message
        await handle.signal("approve", Decide(decision="late"))  # the same by signal: judged, and not taken
        deeds.decide("again", DecisionKind.RETRY, "erik", "post")
        await handle.execute_update(CustomerClose.retry_step, Decide(decision="again"))

    assert play(deeds, act).state is State.DONE
    assert deeds.answered == {"f-1"}


@pytest.mark.parametrize(
    ("person", "subject", "preparers", "code"),
    [
        ("pia", "statement-1", {"pia"}, "preparer_may_not_approve"),
        ("erik", "statement-1", set(), "wrong_role"),
        ("aron", "statement-0", set(), "statement_changed"),
    ],
)
def test_an_approval_is_refused_and_the_caller_learns_why(
    person: str, subject: str, preparers: set[str], code: str
) -> None:
    deeds = Deeds()
    deeds.preparers = preparers

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("bad", DecisionKind.APPROVE, person, subject)
        assert await told(handle.execute_update(CustomerClose.decide, Decide(decision="bad"))) == code
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE


def test_a_forged_decision_changes_nothing(cache: int) -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        await handle.signal("approve", Decide(decision="forged"))
        assert (
            await told(handle.execute_update(CustomerClose.decide, Decide(decision="forged-2"))) == "unknown_decision"
        )
        assert (await handle.query(CustomerClose.snapshot)).approved_by == ()
        await approve(handle, deeds)

    assert play(deeds, act, cache).state is State.DONE


def test_an_approval_by_bare_signal_is_judged_the_same() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("by-signal", DecisionKind.APPROVE, "aron", "statement-1")
        await handle.signal("approve", Decide(decision="by-signal"))

    assert play(deeds, act).state is State.DONE


def test_high_risk_needs_two_different_people() -> None:
    deeds = Deeds()
    deeds.people = 2

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await approve(handle, deeds, "aron", "first")
        deeds.decide("again", DecisionKind.APPROVE, "aron", "statement-1")
        assert (
            await told(handle.execute_update(CustomerClose.decide, Decide(decision="again"))) == "second_person_needed"
        )
        deeds.decide("second", DecisionKind.APPROVE, "cora", "statement-1")
        await handle.execute_update(CustomerClose.decide, Decide(decision="second"))

    assert play(deeds, act).state is State.DONE


def test_the_same_update_twice_is_one_approval() -> None:
    deeds = Deeds()
    deeds.people = 2

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("one", DecisionKind.APPROVE, "aron", "statement-1")
        for _ in range(2):
            await handle.execute_update(CustomerClose.decide, Decide(decision="one"), id="one")
        assert (await handle.query(CustomerClose.snapshot)).approved_by == ("aron",)
        deeds.decide("two", DecisionKind.APPROVE, "abby", "statement-1")
        await handle.execute_update(CustomerClose.decide, Decide(decision="two"))

    assert play(deeds, act).state is State.DONE


def test_automatic_approval_asks_nobody() -> None:
    deeds = Deeds()
    deeds.people = 0

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        return None

    assert play(deeds, act).state is State.DONE


def test_a_rejection_waits_for_rework_and_the_new_statement_needs_a_new_signature(cache: int) -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("no", DecisionKind.REJECT, "aron", "statement-1", reason="wrong purchase order")
        await handle.execute_update(CustomerClose.decide, Decide(decision="no"))
        await until(handle, State.REJECTED)
        deeds.decide("fixed", DecisionKind.CORRECT, "pia", "approve")
        await handle.execute_update(CustomerClose.correct_input, Decide(decision="fixed"))
        while deeds.statements < 2:
            await asyncio.sleep(0.02)
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("old", DecisionKind.APPROVE, "abby", "statement-1")
        assert await told(handle.execute_update(CustomerClose.decide, Decide(decision="old"))) == "statement_changed"
        await approve(handle, deeds, "abby", "new")

    assert play(deeds, act, cache).statement == "statement-2"


def test_a_rejection_without_a_reason_is_not_taken() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("no", DecisionKind.REJECT, "aron", "statement-1", reason=" ")
        assert await told(handle.execute_update(CustomerClose.decide, Decide(decision="no"))) == "reason_missing"
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE


@pytest.mark.parametrize("deed", ["reconcile", "rate", "draft", "recognize", "post", "publish"])
def test_a_refusal_parks_the_customer_and_a_retry_goes_on(deed: str) -> None:
    deeds = Deeds()
    deeds.failing[deed] = [refused()]

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        if deed in ("draft", "recognize", "post", "publish"):
            await approve(handle, deeds)
        view = await until(handle, State.NEEDS_ATTENTION)
        assert "NoRate" in view.detail
        deeds.decide("again", DecisionKind.RETRY, "erik", view.stage.value)
        await handle.execute_update(CustomerClose.retry_step, Decide(decision="again"))
        if deed not in ("draft", "recognize", "post", "publish"):
            await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE
    assert deeds.calls.count(deed) == 2
    assert any(state is State.NEEDS_ATTENTION for state, _ in deeds.notes)


@pytest.mark.parametrize(
    ("deed", "kind", "subject"),
    [("note", DecisionKind.RETRY, "rate"), ("approve", DecisionKind.APPROVE, "statement-1")],
)
def test_who_answers_while_the_books_are_being_told_is_not_turned_away(
    deed: str, kind: DecisionKind, subject: str
) -> None:
    """The deed that tells the books may take its time: whoever reads them first may answer first."""
    deeds = Deeds()
    deeds.held[deed] = Event()
    if deed == "note":
        deeds.failing["rate"] = [refused()]

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        while deed not in deeds.calls:
            await asyncio.sleep(0.02)  # the fakes count; they tell nobody
        deeds.decide("early", kind, "aron", subject)
        update = CustomerClose.retry_step if kind is DecisionKind.RETRY else CustomerClose.decide
        early = await handle.start_update(update, Decide(decision="early"), wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        deeds.held[deed].set()
        assert (await early.result()).taken
        if kind is DecisionKind.RETRY:
            await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE


def test_after_the_invoice_nothing_is_reworked_or_skipped() -> None:
    deeds = Deeds()
    deeds.failing["post"] = [refused("PeriodLocked")]

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await approve(handle, deeds)
        await until(handle, State.NEEDS_ATTENTION, Stage.POST)
        deeds.decide("fix", DecisionKind.CORRECT, "pia", "post")
        assert await told(handle.execute_update(CustomerClose.correct_input, Decide(decision="fix"))) == "not_waiting"
        deeds.decide("skip", DecisionKind.SKIP, "cora", "post")
        assert await told(handle.execute_update(CustomerClose.skip_customer, Decide(decision="skip"))) == "not_waiting"
        deeds.decide("again", DecisionKind.RETRY, "erik", "post")
        await handle.execute_update(CustomerClose.retry_step, Decide(decision="again"))

    assert play(deeds, act).state is State.DONE
    assert deeds.calls.count("draft") == 1


def test_a_controller_may_skip_and_others_may_not() -> None:
    deeds = Deeds()
    deeds.failing["reconcile"] = [refused("NoContract")]

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.NEEDS_ATTENTION)
        deeds.decide("not-his", DecisionKind.SKIP, "aron", "reconcile")
        assert (
            await told(handle.execute_update(CustomerClose.skip_customer, Decide(decision="not-his"))) == "wrong_role"
        )
        deeds.decide("hers", DecisionKind.SKIP, "cora", "reconcile", reason="an alias")
        await handle.execute_update(CustomerClose.skip_customer, Decide(decision="hers"))

    closed = play(deeds, act)
    assert (closed.state, closed.reason) == (State.SKIPPED, "skipped by cora: an alias")


def test_approvers_are_reminded_every_day_and_the_controller_is_asked_after_three() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        await env.sleep(timedelta(hours=24 * 3 + 1))
        found = (await handle.describe()).typed_search_attributes
        assert deeds.reminders == 3
        assert {pair.key.name: pair.value for pair in found}["ApproverQueue"] == "controller"
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE


def test_a_decision_nobody_waits_for_is_refused_at_once() -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        deeds.decide("early", DecisionKind.RETRY, "erik", "rate")
        assert await told(handle.execute_update(CustomerClose.retry_step, Decide(decision="early"))) == "not_waiting"
        await approve(handle, deeds)

    assert play(deeds, act).state is State.DONE
    assert "verify" in deeds.calls
