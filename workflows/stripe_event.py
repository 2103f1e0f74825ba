"""StripeEvent: one event of the invoicing platform, received and kept, is applied to the books."""

from temporalio import workflow

from activities.messages import ApplyEvent, EventApplied
from activities.payments import Payments
from workflows import options


@workflow.defn(name="StripeEvent")
class StripeEvent:
    """Apply one event; its id is the workflow's, so that the platform may send it as often as it likes."""

    @workflow.run
    async def run(self, task: ApplyEvent) -> EventApplied:
        """Return what became of it: applied, known, or parked for a person."""
        applied: EventApplied = await workflow.execute_activity_method(
            Payments.apply_event, task, **options.with_summary(options.LEDGER_POST, f"apply {task.event}")
        )
        workflow.set_current_details(f"**{task.event}** · {applied.fate.value}: {applied.detail}")
        return applied
