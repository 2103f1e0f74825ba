"""CloseShard: at most a few hundred customers, started in waves, their evidence sealed as each ends."""

import asyncio

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.messages import (
    CloseCustomer,
    CloseShardOf,
    CustomerClosed,
    CustomerRef,
    Hold,
    SealEvidence,
    ShardClosed,
    customer_close_id,
)
from activities.publish import Publish
from models.close import State
from workflows import options, pausing, search
from workflows.customer_close import CustomerClose

WAVE = 50
"""Customers started, or told, at a time: each answers with an event, and Temporal's server fails a workflow task during
which more than a hundred came in (`history.maximumBufferedEventsBatch`). With all at once, 10,000 customers showed it.
"""


@workflow.defn(name="CloseShard")
class CloseShard:
    """Close the customers of one shard.

    No window and no continue-as-new: a customer waits for people for days, and one that waits costs the
    server a row, not a slot. A wave is over once its customers have begun. A shard stays under the server's 2,000
    pending children.
    """

    @workflow.init
    def __init__(self, task: CloseShardOf) -> None:
        self.paused = ""
        self.below: set[str] = set()
        self.customers = len(task.customers)
        self.begun: asyncio.Semaphore | None = None

    def wave(self) -> asyncio.Semaphore:
        """Return what lets a wave through; a shard of one wave, and one that began before there were any, has one."""
        if self.begun is None:
            waves = self.customers > WAVE and workflow.patched("customers-start-in-waves")
            self.begun = asyncio.Semaphore(WAVE if waves else max(1, self.customers))
        return self.begun

    @workflow.run
    async def run(self, task: CloseShardOf) -> ShardClosed:
        """Return how many customers ended in which state."""
        ended = await asyncio.gather(*(self.close(task, customer) for customer in task.customers))
        await workflow.wait_condition(workflow.all_handlers_finished)
        states: dict[str, int] = {}
        for closed in ended:
            states[closed.state.value] = states.get(closed.state.value, 0) + 1
        return ShardClosed(shard=task.shard, states=states)

    async def close(self, task: CloseShardOf, customer: str) -> CustomerClosed:
        """Run one customer's close, then archive its history and seal its evidence; a dry run leaves none."""
        close = CustomerRef(month=task.month, revision=task.revision, customer=customer)
        workflow_id = customer_close_id(task.month, task.revision, customer)
        run_id = ""
        try:
            child = await self.begin(task, customer, workflow_id)
            run_id = child.first_execution_run_id or ""
            if self.paused:
                await pausing.tell([workflow_id], Hold(why=self.paused))
            closed = await child
        except WorkflowAlreadyStartedError:
            closed = await self.adopt(close)
        except ChildWorkflowError as error:
            self.below.discard(workflow_id)
            return CustomerClosed(customer=customer, state=State.NEEDS_ATTENTION, reason=str(error.cause or error))
        self.below.discard(workflow_id)
        if task.dry_run:
            return closed
        await workflow.execute_activity_method(
            Publish.seal_evidence,
            SealEvidence(close=close, workflow_id=workflow_id, run_id=run_id),
            **options.with_summary(options.ARCHIVE, f"seal evidence {customer} {task.month}"),
        )
        return closed

    async def begin(
        self, task: CloseShardOf, customer: str, workflow_id: str
    ) -> workflow.ChildWorkflowHandle[CustomerClose, CustomerClosed]:
        """Return one customer's close once it has begun, in a wave, and not while the close is paused."""
        while True:
            if self.paused:
                await workflow.wait_condition(lambda: not self.paused)
            async with self.wave():
                if not self.paused:
                    self.below.add(workflow_id)
                    return await self.start(task, customer, workflow_id)

    async def start(
        self, task: CloseShardOf, customer: str, workflow_id: str
    ) -> workflow.ChildWorkflowHandle[CustomerClose, CustomerClosed]:
        """Start one customer's close."""
        return await workflow.start_child_workflow(
            CustomerClose.run,
            CloseCustomer(
                month=task.month,
                revision=task.revision,
                customer=customer,
                poll_seconds=task.poll_seconds,
                reminder_hours=task.reminder_hours,
                dry_run=task.dry_run,
            ),
            id=workflow_id,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(search.CUSTOMER, customer),
                    SearchAttributePair(search.PERIOD, task.month),
                ]
            ),
            static_summary=f"{customer} {task.month}",
        )

    @workflow.signal(name=pausing.SIGNAL)
    async def hold(self, message: Hold) -> None:
        """Begin no customer while the close is paused, and tell those that run; or let them go on."""
        self.paused = message.why
        workflow.set_current_details(self.paused)
        await pausing.tell(sorted(self.below), message, self.wave())

    async def adopt(self, close: CustomerRef) -> CustomerClosed:
        """Wait for a close that another parent started: a poll that adds no history per try."""
        return await workflow.execute_activity_method(
            Publish.await_closed,
            close,
            **options.with_summary(options.ADOPT, f"wait for {close.customer} {close.month}, started elsewhere"),
        )
