"""Webhooks: a round that begins deliveries, and each delivery on its own, for as long as about three days."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

from activities.messages import DeliverWebhook, WebhookDelivered, WebhooksDue, webhook_id
from activities.webhooks import Webhooks
from workflows import options


@workflow.defn(name="WebhookDelivery")
class WebhookDelivery:
    """One event on its way to one endpoint; no other endpoint and no other event waits for it."""

    @workflow.run
    async def run(self, task: DeliverWebhook) -> WebhookDelivered:
        """Return how it ended: delivered, failed after the last try, or ended with its endpoint."""
        try:
            delivered: WebhookDelivered = await workflow.execute_activity_method(
                Webhooks.deliver, task, **options.with_summary(options.WEBHOOK, f"tell {task.endpoint} {task.notice}")
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("webhook.failed", extra={"endpoint": task.endpoint, "cause": str(error.cause)})
            delivered = await workflow.execute_activity_method(
                Webhooks.give_up, task, **options.with_summary(options.BOOKS, "keep that it failed")
            )
        workflow.set_current_details(f"{delivered.outcome.value}: {task.notice}")
        return delivered


@workflow.defn(name="WebhookRound")
class WebhookRound:
    """One round, started by its Schedule every minute."""

    @workflow.run
    async def run(self) -> int:
        """Return how many deliveries were begun."""
        due: WebhooksDue = await workflow.execute_activity_method(
            Webhooks.due, **options.with_summary(options.BOOKS, "which notices to which endpoints")
        )
        begun = sum(await asyncio.gather(*(self.begin(one) for one in due.deliveries)))
        workflow.set_current_details(f"{begun} deliveries begun")
        return begun

    async def begin(self, delivery: DeliverWebhook) -> bool:
        """Begin a delivery that outlives this round; return False where it was begun and not tried yet."""
        try:
            await workflow.start_child_workflow(
                WebhookDelivery.run,
                delivery,
                id=webhook_id(delivery.endpoint, delivery.notice),
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"{delivery.notice} to {delivery.endpoint}",
            )
        except WorkflowAlreadyStartedError:
            return False
        return True
