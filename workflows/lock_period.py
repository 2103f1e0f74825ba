"""LockPeriod: finance locks an accounting period; who still waits is accrued, so nobody delays revenue."""

from temporalio import workflow

from activities.messages import LockMonth, MonthLocked
from activities.post import Post
from workflows import options


@workflow.defn(name="LockPeriod")
class LockPeriod:
    """Accrue the customers still waiting from their latest statements, then lock the period."""

    @workflow.run
    async def run(self, task: LockMonth) -> MonthLocked:
        """Return whom it accrued; raises the refusal where the decision does not allow it."""
        accrued = await workflow.execute_activity_method(
            Post.accrue_waiting, task, **options.with_summary(options.LEDGER_POST, f"accrue who waits in {task.month}")
        )
        await workflow.execute_activity_method(
            Post.lock_period, task, **options.with_summary(options.LEDGER_POST, f"lock {task.month}")
        )
        return MonthLocked(month=task.month, accrued=tuple(accrued))
