"""The close desk: a close started by hand, a period tied out and locked; for the terminal and the pages alike."""

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError

from activities.messages import CloseMonth, LockMonth, MonthClosed, MonthLocked, TiedOut, TieOutMonth, close_id
from activities.ports import Clock
from models.approval import Decision, Person
from models.close import Role
from models.period import month_period
from models.refusal import Refusal
from runtime.desk import DecisionNotTaken
from workflows import options, search
from workflows.lock_period import LockPeriod
from workflows.monthly_close import MonthlyClose
from workflows.period_controls import TieOutPeriod

STARTERS = frozenset({Role.PREPARER, Role.CONTROLLER})


class PeriodNotOver(Refusal):
    """The month has not ended yet in the entity's zone."""

    remedy = "Wait until it is over; the Schedule starts its close by itself on the 1st."


class AlreadyStarted(Refusal):
    """The month's close was started before: one month has one close."""

    remedy = "See where it stands: tieout close status MONTH."


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

    Raises:
        DecisionNotTaken: something is not signed, or its numbers moved since.
    """
    try:
        return await client.execute_workflow(
            LockPeriod.run,
            LockMonth(month=decision.period, revision=decision.revision, decision=decision.id, signed=True),
            id=f"lock/{decision.period}/{decision.id}",
            task_queue=options.CLOSE_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"lock {decision.period}",
        )
    except WorkflowFailureError as failed:
        raise refusal_of(failed) from failed


def refusal_of(failed: WorkflowFailureError) -> DecisionNotTaken:
    """Return why a workflow of the period refused, in its deed's own words."""
    cause = failed.cause.cause if isinstance(failed.cause, ActivityError) else failed.cause
    if isinstance(cause, ApplicationError):
        return DecisionNotTaken(cause.message, code=cause.type)
    return DecisionNotTaken(str(cause), code="failed")
