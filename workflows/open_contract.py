"""OpenContract: a running contract is taken over from its approved opening position."""

from temporalio import workflow

from activities.messages import OpenedRef, TakeOver
from activities.opening import Openings
from workflows import options


@workflow.defn(name="OpenContract")
class OpenContract:
    """Keep an opening position that one person proposed and another approved, and post it."""

    @workflow.run
    async def run(self, task: TakeOver) -> OpenedRef:
        """Return what was opened; raises the refusal where decisions, contract or position do not allow it."""
        return await workflow.execute_activity_method(
            Openings.take_over, task, **options.with_summary(options.LEDGER_POST, f"take over {task.contract}")
        )
