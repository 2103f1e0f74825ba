"""The close desk: a close started by hand, a period tied out and locked; for the terminal and the pages alike."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError

from activities.messages import (
    CloseMonth,
    LockMonth,
    MonthClosed,
    MonthLocked,
    PeriodReopened,
    ReopenMonth,
    TiedOut,
    TieOutMonth,
    close_id,
)
from activities.ports import Clock
from billing.approval import STARTERS
from models.approval import ApprovalCode, Decision, Person, Verdict
from models.close import DecisionKind
from models.period import month_period
from models.refusal import Refusal
from models.value import instant_text
from runtime.desk import DecisionNotTaken, answered, refuse_role
from workflows import options, search
from workflows.lock_period import LockPeriod
from workflows.monthly_close import MonthlyClose
from workflows.period_controls import ReopenPeriod, TieOutPeriod


class PeriodNotOver(Refusal):
    """The month has not ended yet in the entity's zone."""

    remedy = "Wait until it is over; the Schedule starts its close by itself on the 1st."


class AlreadyStarted(Refusal):
    """The month's close was started before: one month has one close."""

    remedy = "See where it stands: tieout close status MONTH."


class NotLocked(Refusal):
    """Only a locked period is opened again."""

    remedy = "See how it stands: tieout period status MONTH."


class NoReason(Refusal):
    """A locked period is to be opened, and nobody says why."""

    remedy = "Say why: it stands beside the period for as long as there are books."


class NotYours(Refusal):
    """The person's roles do not allow this."""

    remedy = "Ask somebody with the role."


def refuse_unfinished(month: str, zone: str, clock: Clock) -> None:
    """Refuse a month that is not over in the entity's zone; raises PeriodNotOver."""
    period = month_period(month, zone)
    if period.ends_at > clock.now():
        raise PeriodNotOver("the period is not over", month=month, ends_at=period.ends_at.isoformat())


async def start(
    client: Client, starter: Person, month: str, revision: int, dry_run: bool
) -> WorkflowHandle[MonthlyClose, MonthClosed]:
    """Start a close as a person, who prepares it by that; return its handle.

    Raises:
        NotYours, AlreadyStarted: nothing was started.
    """
    if not STARTERS & set(starter.roles):
        raise NotYours(f"{starter.id} may not start a close", needs="preparer or controller")
    try:
        return await client.start_workflow(
            MonthlyClose.run,
            CloseMonth(month=month, revision=revision, started_by=starter.id, by_hand=True, dry_run=dry_run),
            id=close_id(month, revision),
            task_queue=options.CLOSE_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=TypedSearchAttributes([SearchAttributePair(search.PERIOD, month)]),
            static_summary=f"{'dry run of' if dry_run else 'close of'} {month}",
        )
    except WorkflowAlreadyStartedError as error:
        raise AlreadyStarted("this month's close was started before", month=month) from error


async def pause_or_resume(client: Client, decision: Decision) -> Verdict | None:
    """Pause or resume a close, as a decision says; None where no worker answered: it does once one is back.

    Raises:
        DecisionNotTaken: it was not taken, or there is no open close of this month.
    """
    handle = client.get_workflow_handle_for(MonthlyClose.run, close_id(decision.period, decision.revision))
    update, signal = MonthlyClose.pause_or_resume, MonthlyClose.pause_or_resume_by_signal
    return await answered(handle, update, signal, decision, "there is no open close of this month")


def refuse_pausing(person: Person, kind: DecisionKind, reason: str) -> None:
    """Refuse what the close would not take, before it is written; raises DecisionNotTaken."""
    refuse_role(person, kind)
    if not reason.strip():
        raise DecisionNotTaken(f"{kind.value} needs a reason", code=ApprovalCode.NO_REASON.value)


async def tie_out(client: Client, month: str) -> TiedOut:
    """Tie a period out anew; return the fingerprint of each tie-out and what does not tie."""
    return await client.execute_workflow(
        TieOutPeriod.run,
        TieOutMonth(month=month),
        id=f"tie-out/{month}",
        task_queue=options.CLOSE_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"tie out {month}",
    )


async def lock(client: Client, decision: Decision) -> MonthLocked:
    """Lock a period whose tie-outs are signed as they are now; return who was accrued because they wait still.

    A decision that locked it before is answered as it was then.

    Raises:
        DecisionNotTaken: something is not signed, or its numbers moved since.
    """
    workflow_id = f"lock/{decision.period}/{decision.id}"
    try:
        with suppress(WorkflowAlreadyStartedError):  # it has ended well: the handle shows how
            return await client.execute_workflow(
                LockPeriod.run,
                LockMonth(month=decision.period, revision=decision.revision, decision=decision.id, signed=True),
                id=workflow_id,
                task_queue=options.CLOSE_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"lock {decision.period}",
            )
        return await client.get_workflow_handle_for(LockPeriod.run, workflow_id).result()
    except WorkflowFailureError as failed:
        raise refusal_of(failed) from failed


def asked_to_reopen(decisions: Sequence[Decision]) -> Decision | None:
    """Return the newest ask to open a period that was not answered yet, or None."""
    answered = {one.subject for one in decisions if one.kind is DecisionKind.REOPEN}
    asks = [one for one in decisions if one.kind is DecisionKind.ASK_REOPEN and one.id not in answered]
    return asks[-1] if asks else None


def reopened_until(now: datetime, for_: timedelta) -> str:
    """Return until when a period asked for now would be open, as its decision names it."""
    return instant_text(now.replace(microsecond=0) + for_)


def refuse_no_reason(reason: str) -> None:
    """Refuse an ask to open a period without a reason; raises NoReason."""
    if not reason.strip():
        raise NoReason("asking to reopen needs a reason")


async def reopen(client: Client, asked: Decision, approved: Decision) -> PeriodReopened:
    """Open a locked period as two people decided; return until when.

    Raises:
        DecisionNotTaken: the decisions do not allow it.
    """
    try:
        return await client.execute_workflow(
            ReopenPeriod.run,
            ReopenMonth(month=asked.period, asked=asked.id, approved=approved.id),
            id=f"reopen/{asked.period}/{approved.id}",
            task_queue=options.CLOSE_QUEUE,
            static_summary=f"reopen {asked.period}",
        )
    except WorkflowFailureError as failed:
        raise refusal_of(failed) from failed


def refusal_of(failed: WorkflowFailureError) -> DecisionNotTaken:
    """Return why a workflow of the period refused, in its deed's own words."""
    cause = failed.cause.cause if isinstance(failed.cause, ActivityError) else failed.cause
    if isinstance(cause, ApplicationError):
        return DecisionNotTaken(cause.message, code=cause.type)
    return DecisionNotTaken(str(cause), code="failed")
