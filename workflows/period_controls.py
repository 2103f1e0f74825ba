"""TieOutPeriod and ReopenPeriod: a period's numbers beside each other, and a locked period open again for a while."""

from temporalio import workflow

from activities.control import Control
from activities.messages import PeriodReopened, ReopenMonth, TiedOut, TieOutMonth
from workflows import options


@workflow.defn(name="TieOutPeriod")
class TieOutPeriod:
    """Compute a period's tie-outs anew."""

    @workflow.run
    async def run(self, task: TieOutMonth) -> TiedOut:
        """Return their fingerprints and what does not tie."""
        return await workflow.execute_activity_method(
            Control.tie_out, task, **options.with_summary(options.STRIPE_CALL, f"tie out {task.month}")
        )


@workflow.defn(name="ReopenPeriod")
class ReopenPeriod:
    """Open a locked period until an instant; it locks itself when that has come."""

    @workflow.run
    async def run(self, task: ReopenMonth) -> PeriodReopened:
        """Return until when it is open; raises the refusal where the decisions do not allow it."""
        return await workflow.execute_activity_method(
            Control.reopen, task, **options.with_summary(options.LEDGER_POST, f"reopen {task.month}")
        )
