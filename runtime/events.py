"""Events: how a kept event of the invoicing platform gets its workflow, one for each event."""

from contextlib import suppress
from datetime import datetime

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.messages import ApplyEvent, EventApplied, event_id
from models.value import instant_text
from workflows import options
from workflows.stripe_event import StripeEvent


async def apply_again(client: Client, event: str, at: datetime) -> EventApplied:
    """Apply a parked event again, in a run of its own, and return what became of it."""
    return await client.execute_workflow(
        StripeEvent.run,
        ApplyEvent(event=event),
        id=f"{event_id(event)}/{instant_text(at)}",
        task_queue=options.CLOSE_QUEUE,
        static_summary=f"platform event {event}, again",
    )


async def start_applying(client: Client, event: str) -> None:
    """Start an event's workflow; where it runs or has succeeded already, nothing is started."""
    with suppress(WorkflowAlreadyStartedError):
        await client.start_workflow(
            StripeEvent.run,
            ApplyEvent(event=event),
            id=event_id(event),
            task_queue=options.CLOSE_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"platform event {event}",
        )
