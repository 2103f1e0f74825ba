"""The close desk: a close started by hand, a period locked; for the terminal and the pages alike."""

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.messages import CloseMonth, LockMonth, MonthClosed, close_id
from activities.ports import Clock
from models.approval import Person
from models.close import EVERYONE, DecisionKind, Role
from models.period import month_period
from models.refusal import Refusal
from runtime.desk import DeskDoor
from workflows import options, search
from workflows.lock_period import LockPeriod
from workflows.monthly_close import MonthlyClose

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


async def lock(client: Client, desk: DeskDoor, token: str, month: str, revision: int, reason: str) -> tuple[str, ...]:
    """Lock a period as a person; return the customers who were accrued because they wait still."""
    decision = desk.write(DecisionKind.LOCK, token, month, revision, EVERYONE, month, reason, {})
    locked = await client.execute_workflow(
        LockPeriod.run,
        LockMonth(month=month, revision=revision, decision=decision.id),
        id=f"lock/{month}/{decision.id}",
        task_queue=options.CLOSE_QUEUE,
        static_summary=f"lock {month}",
    )
    return locked.accrued
