"""Correction: an issued invoice is corrected by two people, settled at the platform and posted in the open period."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.correct import CorrectDeeds
from activities.messages import (
    ConcludeCorrection,
    CorrectInvoice,
    CorrectionDeed,
    CorrectionPosted,
    CorrectionRef,
    Decide,
    InvoiceCorrected,
    JudgeCorrection,
)
from models.approval import Verdict
from models.close import DecisionKind
from models.correction import CorrectionStep
from workflows import options, search
from workflows.inbox import Inbox

DECIDING = (DecisionKind.APPROVE_CORRECTION, DecisionKind.REJECT_CORRECTION)
ENDED = frozenset({CorrectionStep.REJECTED, CorrectionStep.WITHDRAWN, CorrectionStep.POSTED})


@workflow.defn(name="Correction")
class Correction:
    """Work it out, wait for a second person, settle, post. One correction for one request."""

    @workflow.init
    def __init__(self, task: CorrectInvoice) -> None:
        self.task = task
        self.inbox = Inbox()
        self.prepared: CorrectionRef | None = None
        self.refused = ""
        self.waiting = False

    @workflow.run
    async def run(self, task: CorrectInvoice) -> InvoiceCorrected:
        """Return how the correction ended: posted, rejected, withdrawn, or refused before anybody was asked."""
        prepared = await self.prepare()
        if prepared is None or prepared.step in ENDED:
            ended = self.ended(prepared.step if prepared else None, self.refused)
        else:
            ended = await self.correct()
        self.inbox.close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    async def prepare(self) -> CorrectionRef | None:
        """Have it worked out from what is kept; a refusal ends it, and nobody is asked."""
        try:
            prepared: CorrectionRef = await workflow.execute_activity_method(
                CorrectDeeds.prepare,
                self.task,
                **options.with_summary(options.COMPUTE, f"work out correction {self.task.correction}"),
            )
        except ActivityError as error:
            self.refused = _why(error)
            self.show("refused", self.refused)
            return None
        self.prepared = prepared
        amount = f"net {prepared.net_minor}, tax {prepared.tax_minor} minor units of {prepared.currency}"
        self.show("proposed", f"{amount}{', material' if prepared.material else ''}")
        return prepared

    async def correct(self) -> InvoiceCorrected:
        """Wait for the second person, then settle and post; what is refused waits for a retry."""
        verdict = await self.decided(DECIDING)
        if verdict.kind is DecisionKind.REJECT_CORRECTION:
            return await self.conclude(CorrectionStep.REJECTED, verdict)
        deed = CorrectionDeed(correction=self.task.correction, decision=verdict.decision)
        given_up = await self.settle(deed)
        if given_up is not None:
            return await self.conclude(CorrectionStep.WITHDRAWN, given_up)
        posted = await self.post(deed)
        self.show("posted", f"{posted.entries} entries in {posted.month}")
        return self.ended(CorrectionStep.POSTED, f"{posted.entries} entries", verdict.person, posted.month)

    async def settle(self, deed: CorrectionDeed) -> Verdict | None:
        """Settle at the platform; return the verdict by which it was given up, if it was."""
        while True:
            try:
                await workflow.execute_activity_method(
                    CorrectDeeds.settle,
                    deed,
                    **options.with_summary(options.STRIPE_CALL, f"settle correction {deed.correction}"),
                )
                return None
            except ActivityError as error:
                self.show("needs attention", _why(error))
                verdict = await self.decided((DecisionKind.RETRY, DecisionKind.REJECT_CORRECTION))
                if verdict.kind is DecisionKind.REJECT_CORRECTION:
                    return verdict

    async def post(self, deed: CorrectionDeed) -> CorrectionPosted:
        """Post; what is settled is never given up, so a refusal waits until it can be posted."""
        while True:
            try:
                posted: CorrectionPosted = await workflow.execute_activity_method(
                    CorrectDeeds.post,
                    deed,
                    **options.with_summary(options.LEDGER_POST, f"post correction {deed.correction}"),
                )
                return posted
            except ActivityError as error:
                self.show("needs attention", _why(error))
                await self.decided((DecisionKind.RETRY,))

    async def decided(self, accepts: tuple[DecisionKind, ...]) -> Verdict:
        """Wait until a decision is taken; one that is refused changes nothing and the wait goes on."""
        workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_set("approver")])
        self.waiting = True
        while True:
            await workflow.wait_condition(self.inbox.has_mail)
            decision = self.inbox.take()
            verdict: Verdict = await workflow.execute_activity_method(
                CorrectDeeds.judge,
                JudgeCorrection(correction=self.task.correction, decision=decision, accepts=accepts),
                **options.with_summary(options.BOOKS, f"verify a decision on correction {self.task.correction}"),
            )
            self.waiting = not verdict.taken
            self.inbox.answer(decision, verdict)
            if verdict.taken:
                workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_unset()])
                return verdict

    async def conclude(self, step: CorrectionStep, verdict: Verdict) -> InvoiceCorrected:
        """Keep that it was rejected or given up."""
        self.show(step.value, verdict.message)
        await workflow.execute_activity_method(
            CorrectDeeds.conclude,
            ConcludeCorrection(
                correction=self.task.correction, step=step, person=verdict.person, detail=verdict.message
            ),
            **options.with_summary(options.BOOKS, f"correction {self.task.correction}: {step.value}"),
        )
        return self.ended(step, verdict.message, verdict.person)

    @workflow.signal(name="decide_by_signal")
    def decide_by_signal(self, message: Decide) -> None:
        """Take a decision that is durable with no worker running."""
        self.inbox.put(message.decision)

    @workflow.update
    async def decide(self, message: Decide) -> Verdict:
        """Approve, reject or retry; the caller is told the verdict."""
        return await self.inbox.verdict(message.decision)

    @decide.validator
    def decide_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for, without a trace in the history."""
        if not self.waiting:
            raise ApplicationError(f"correction {self.task.correction} waits for nobody", type="not_waiting")

    @workflow.update
    async def proposed(self) -> CorrectionRef:
        """Wait until it is worked out and return it; raises ApplicationError where a rule refused it."""
        await workflow.wait_condition(lambda: self.prepared is not None or bool(self.refused))
        if self.prepared is None:
            raise ApplicationError(self.refused, type="refused")
        return self.prepared

    def ended(
        self, step: CorrectionStep | None, detail: str, person: str | None = None, month: str | None = None
    ) -> InvoiceCorrected:
        """Return how it ended."""
        return InvoiceCorrected(correction=self.task.correction, step=step, person=person, detail=detail, month=month)

    def show(self, step: str, detail: str) -> None:
        """Set the step for the Temporal UI."""
        workflow.set_current_details(f"**correction {self.task.correction}** · {step}{f': {detail}' if detail else ''}")


def _why(error: ActivityError) -> str:
    cause: Any = error.cause
    return f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else str(cause or error)
