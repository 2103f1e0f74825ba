"""LockPeriod: finance locks an accounting period; who still waits is accrued, so nobody delays revenue."""

from temporalio import workflow

from activities.control import Control
from activities.messages import LockMonth, MonthLocked
from activities.post import Post
from workflows import options


@workflow.defn(name="LockPeriod")
class LockPeriod:
    """Refuse what is not tied out and signed as it is now, accrue who still waits, then lock the period."""

    @workflow.run
    async def run(self, task: LockMonth) -> MonthLocked:
        """Return whom it accrued; raises the refusal where signatures are missing or the decision does not allow it."""
        if task.signed or workflow.patched("every-lock-is-signed"):
            await workflow.execute_activity_method(
                Control.refuse_unsigned,
                task,
                **options.with_summary(options.STRIPE_CALL, f"signatures of {task.month}"),
            )
        accrued = await workflow.execute_activity_method(
            Post.accrue_waiting, task, **options.with_summary(options.LEDGER_POST, f"accrue who waits in {task.month}")
        )
        await workflow.execute_activity_method(
            Post.lock_period, task, **options.with_summary(options.LEDGER_POST, f"lock {task.month}")
        )
        return MonthLocked(month=task.month, accrued=tuple(accrued))
