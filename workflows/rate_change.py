"""RateChange: a proposed rate version through simulation and a second person into force at its instant."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.change_rate import RateChangeDeeds
from activities.messages import (
    ChangeRate,
    ConcludeChange,
    Decide,
    InCatalog,
    JudgeRateChange,
    PutIntoCatalog,
    RateChanged,
    SimulationRef,
)
from models.approval import Verdict
from models.close import DecisionKind
from models.rate_change import ChangeStep
from workflows import options, search
from workflows.inbox import Inbox


@workflow.defn(name="RateChange")
class RateChange:
    """Simulate, wait for a second person, put into the catalog, be there at its instant. One change a proposal."""

    @workflow.init
    def __init__(self, task: ChangeRate) -> None:
        self.task = task
        self.inbox = Inbox()
        self.step = ChangeStep.PROPOSED
        self.simulated: SimulationRef | None = None
        self.waiting = False

    @workflow.run
    async def run(self, task: ChangeRate) -> RateChanged:
        """Return how the change ended: rejected, refused, in force, or in force and in need of a correction."""
        await self.simulate()
        verdict = await self.decided()
        if verdict.kind is DecisionKind.REJECT_RATE:
            ended = RateChanged(
                proposal=task.proposal, step=ChangeStep.REJECTED, person=verdict.person, detail=verdict.message
            )
        else:
            ended = await self.put_into_catalog(verdict)
        await self.conclude(ended)
        self.inbox.close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    async def simulate(self) -> None:
        """Have the version rated beside the catalog over kept usage; a decision is about what was simulated."""
        simulated: SimulationRef = await workflow.execute_activity_method(
            RateChangeDeeds.simulate,
            self.task,
            **options.with_summary(options.COMPUTE, f"simulate rate {self.task.proposal}"),
        )
        self.simulated = simulated
        self.show(ChangeStep.SIMULATED, f"{simulated.moved} customer months move, {simulated.refused} refused")

    async def decided(self) -> Verdict:
        """Wait until a decision is taken; one that is refused changes nothing and the wait goes on."""
        workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_set("approver")])
        self.waiting = True
        while True:
            await workflow.wait_condition(self.inbox.has_mail)
            decision = self.inbox.take()
            verdict: Verdict = await workflow.execute_activity_method(
                RateChangeDeeds.judge,
                JudgeRateChange(proposal=self.task.proposal, decision=decision),
                **options.with_summary(options.BOOKS, f"verify a decision on rate {self.task.proposal}"),
            )
            self.waiting = not verdict.taken
            self.inbox.answer(decision, verdict)
            if verdict.taken:
                workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_unset()])
                return verdict

    async def put_into_catalog(self, verdict: Verdict) -> RateChanged:
        """Append the approved version, wait for its instant, and return how it stands; a refusal ends the change."""
        try:
            kept: InCatalog = await workflow.execute_activity_method(
                RateChangeDeeds.put_into_catalog,
                PutIntoCatalog(proposal=self.task.proposal, decision=verdict.decision),
                **options.with_summary(options.BOOKS, f"put rate {self.task.proposal} into the catalog"),
            )
        except ActivityError as error:
            return RateChanged(proposal=self.task.proposal, step=ChangeStep.REFUSED, detail=_why(error))
        self.show(ChangeStep.APPROVED, f"in force from {kept.starts_at.isoformat()}")
        wait = kept.starts_at - workflow.now()
        if wait.total_seconds() > 0:
            await workflow.sleep(wait, summary=f"until rate {self.task.proposal} is in force")
        return RateChanged(
            proposal=self.task.proposal,
            step=ChangeStep.NEEDS_CORRECTION if kept.locked else ChangeStep.IN_FORCE,
            version=kept.version,
            locked=kept.locked,
            detail=kept.detail,
        )

    async def conclude(self, ended: RateChanged) -> None:
        """Keep how it ended; what needs a correction stays in the inbox of people."""
        self.show(ended.step, ended.detail)
        await workflow.execute_activity_method(
            RateChangeDeeds.conclude,
            ConcludeChange(proposal=ended.proposal, step=ended.step, person=ended.person, detail=ended.detail),
            **options.with_summary(options.BOOKS, f"rate {self.task.proposal}: {ended.step.value}"),
        )

    @workflow.signal(name="decide_by_signal")
    def decide_by_signal(self, message: Decide) -> None:
        """Take a decision that is durable with no worker running."""
        self.inbox.put(message.decision)

    @workflow.update
    async def decide(self, message: Decide) -> Verdict:
        """Approve or reject the proposal; the caller is told the verdict."""
        return await self.inbox.verdict(message.decision)

    @decide.validator
    def decide_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for, without a trace in the history."""
        if not self.waiting:
            raise ApplicationError(
                f"rate {self.task.proposal} is {self.step.value} and waits for nobody", type="not_waiting"
            )

    @workflow.update
    async def simulation(self) -> SimulationRef:
        """Wait for the simulation and return it."""
        await workflow.wait_condition(lambda: self.simulated is not None)
        assert self.simulated is not None
        return self.simulated

    def show(self, step: ChangeStep, detail: str) -> None:
        """Set the step for the Temporal UI."""
        self.step = step
        workflow.set_current_details(f"**rate {self.task.proposal}** · {step.value}{f': {detail}' if detail else ''}")


def _why(error: ActivityError) -> str:
    cause: Any = error.cause
    return f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else str(cause or error)
