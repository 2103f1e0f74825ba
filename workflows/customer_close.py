"""CustomerClose: one customer's month through the eight stages. `run` is the table of contents of a close."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError

from activities.approve import Approve
from activities.collect import Collect
from activities.invoice import InvoiceDeeds
from activities.messages import (
    ApprovalNeed,
    AskApproval,
    CloseCustomer,
    CloseView,
    CompareSources,
    CustomerClosed,
    CustomerRef,
    Decide,
    DraftRef,
    FinalizeDraft,
    Hold,
    IssuedRef,
    Park,
    PostedRef,
    PostRevenue,
    PublishClose,
    PublishedRef,
    RateUsage,
    Readiness,
    ReconciliationRef,
    Remind,
    ScheduleRef,
    Slices,
    StatementDeed,
    StatementRef,
    VerifyDecision,
)
from activities.post import Post
from activities.publish import Publish
from activities.rate import Rate
from activities.recognize import Recognize
from activities.reconcile import Reconcile
from models.approval import ISSUED, ApprovalCode, Verdict
from models.close import DecisionKind, Stage, State
from workflows import options, pausing, search
from workflows.inbox import Inbox

Result = TypeVar("Result")

ESCALATE_AFTER = 3
"""Reminders to the approvers before the controller is asked too."""

BEFORE_THE_INVOICE = frozenset({Stage.COLLECT, Stage.RECONCILE, Stage.RATE, Stage.APPROVE, Stage.INVOICE})
"""Stages in which a correction starts the month again; after the invoice there are corrections, never edits."""


RESOLVING = (DecisionKind.RESOLVE, DecisionKind.ASSIGN, DecisionKind.REVERSE, DecisionKind.CORRECT, DecisionKind.SKIP)
"""What a customer held by findings takes."""

REWORKING = (DecisionKind.RETRY, DecisionKind.CORRECT, DecisionKind.REVERSE, DecisionKind.SKIP)
"""What a rejected statement, or a parked step before the invoice, takes."""

SIGNING = (
    DecisionKind.APPROVE,
    DecisionKind.REJECT,
    DecisionKind.CORRECT,
    DecisionKind.REVERSE,
    DecisionKind.SKIP,
)
"""What a statement that waits for signatures takes."""


class Rework(Exception):
    """An input was corrected, a resolution reversed, a statement rejected: the month is reconciled and rated again."""


class NothingToBill(Exception):
    """No contract is in force and nothing was used: the month ends at zero, with what is still open as the reason."""


class WouldWait(Exception):
    """A dry run comes to where a close waits for time, a source or a person: it ends there and says so."""


class Skipped(Exception):
    """A person took this customer out of the close."""


@workflow.defn(name="CustomerClose")
class CustomerClose:
    """Close one customer's month; park on a refusal, resume by a person's decision, never lose its place."""

    @workflow.init
    def __init__(self, task: CloseCustomer) -> None:
        self.task = task
        self.close = CustomerRef(month=task.month, revision=task.revision, customer=task.customer)
        self.inbox = Inbox()
        self.stage = Stage.COLLECT
        self.state = State.RUNNING
        self.accepts: tuple[DecisionKind, ...] = ()
        self.statement: StatementRef | None = None
        self.holding: tuple[str, ...] = ()
        self.approved_by: tuple[str, ...] = ()
        self.issued = False
        self.detail = ""
        self.shown = False
        self.paused = ""

    # The close, in order.

    @workflow.run
    async def run(self, task: CloseCustomer) -> CustomerClosed:
        """Return how the customer's month ended: done (with an invoice, or at zero), or skipped by a person."""
        if task.dry_run:
            rehearsed = await self.rehearse()
            self.inbox.close()
            await workflow.wait_condition(workflow.all_handlers_finished)
            return rehearsed
        try:
            statement, invoice = await self.until_issued()
            await self.recognize(statement)
            await self.post(statement, invoice)
            evidence = await self.publish(statement, invoice)
            closed = CustomerClosed(
                customer=task.customer,
                state=State.DONE,
                statement=statement.fingerprint,
                invoice=invoice.reference,
                currency=statement.currency,
                total_minor=statement.total_minor,
                evidence=evidence.fingerprint,
            )
            self.show(Stage.PUBLISH, State.DONE, f"invoice {invoice.number} issued and posted")
        except NothingToBill as nothing:
            closed = await self.zero(str(nothing))
        except Skipped as skipped:
            closed = CustomerClosed(customer=task.customer, state=State.SKIPPED, reason=str(skipped))
            await self.note(State.SKIPPED, str(skipped))
        self.inbox.close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return closed

    async def rehearse(self) -> CustomerClosed:
        """Return the rated month of a dry run; findings are noted and do not hold it, nobody is asked."""
        try:
            statement = await self.rate(await self.reconcile(await self.collect()))
        except NothingToBill as nothing:
            return await self.zero(str(nothing))
        except WouldWait as waits:
            await self.note(State.NEEDS_ATTENTION, str(waits))
            return CustomerClosed(customer=self.task.customer, state=State.NEEDS_ATTENTION, reason=str(waits))
        held = f"held by {len(self.holding)} findings; rated by the declared order" if self.holding else ""
        state = State.WAITING if held else State.DONE
        await self.note(state, held or "dry run: rated, nothing issued")
        return CustomerClosed(
            customer=self.task.customer,
            state=state,
            statement=statement.fingerprint,
            currency=statement.currency,
            total_minor=statement.total_minor,
            reason=held,
        )

    async def zero(self, why: str) -> CustomerClosed:
        """Record that there was nothing to bill, and why."""
        await self.note(State.DONE, why)
        return CustomerClosed(customer=self.task.customer, state=State.DONE, reason=why)

    async def until_issued(self) -> tuple[StatementRef, IssuedRef]:
        """Go from usage to an issued invoice, as often as rework asks for it."""
        while True:
            try:
                slices = await self.collect()
                reconciliation = await self.reconcile(slices)
                statement = await self.rate(reconciliation)
                await self.approve(statement)
                return statement, await self.invoice(statement)
            except Rework as rework:
                workflow.logger.info("customer_close.rework", extra={"reason": str(rework)})

    # The stages.

    async def collect(self) -> Slices:
        """Wait until the month is over and every source is sealed past its end; take the sealed slices."""
        while True:
            ready: Readiness = await self.do(Stage.COLLECT, Collect.readiness, self.close, Readiness, options.BOOKS)
            wait = ready.ends_at - workflow.now()
            if self.task.dry_run and (wait > timedelta(0) or ready.behind):
                raise WouldWait(f"the month ends at {ready.ends_at.isoformat()}; behind: {', '.join(ready.behind)}")
            if wait > timedelta(0):
                await self.note(State.WAITING, f"the month ends at {ready.ends_at.isoformat()}")
                await workflow.sleep(wait, summary=f"{self.task.customer}: until {self.task.month} is over")
            elif ready.behind:
                behind = ", ".join(ready.behind)
                await self.note(State.WAITING, f"waiting for {behind} to be complete and sealed")
                await workflow.sleep(
                    timedelta(seconds=self.task.poll_seconds), summary=f"{self.task.customer}: waiting for {behind}"
                )
            else:
                slices: Slices = await self.do(Stage.COLLECT, Collect.take_slices, self.close, Slices, options.BOOKS)
                if slices.nothing:
                    raise NothingToBill(slices.nothing)
                return slices

    async def reconcile(self, slices: Slices) -> ReconciliationRef:
        """Compare the sources; wait while a finding holds the customer."""
        task = CompareSources(close=self.close, snapshots=tuple(ref.fingerprint for ref in slices.snapshots))
        while True:
            compared: ReconciliationRef = await self.do(
                Stage.RECONCILE, Reconcile.compare_sources, task, ReconciliationRef, options.COMPUTE, accepts=RESOLVING
            )
            self.holding = compared.holding
            if not compared.holding or self.task.dry_run:
                return compared
            self.show(Stage.RECONCILE, State.WAITING, f"held by {len(compared.holding)} findings", RESOLVING)
            answered: set[str] = set()
            while not answered.issuperset(compared.holding):
                verdict, subject = await self.decision(*RESOLVING)
                self.act_on(verdict)
                if verdict.kind is DecisionKind.RESOLVE:
                    answered.add(subject)

    async def rate(self, reconciliation: ReconciliationRef) -> StatementRef:
        """Apply the contract."""
        task = RateUsage(close=self.close, reconciliation=reconciliation.fingerprint)
        statement: StatementRef = await self.do(Stage.RATE, Rate.rate_usage, task, StatementRef, options.COMPUTE)
        self.statement = statement
        workflow.upsert_search_attributes([search.INVOICE_CENTS.value_set(statement.total_minor)])
        return statement

    async def approve(self, statement: StatementRef) -> None:
        """Wait until enough people approved this very statement; remind and escalate by timer."""
        ask = AskApproval(close=self.close, statement=statement.fingerprint)
        need: ApprovalNeed = await self.do(
            Stage.APPROVE, Approve.ask_approval, ask, ApprovalNeed, options.BOOKS, accepts=SIGNING
        )
        self.approved_by = ()
        if need.people == 0:
            self.show(Stage.APPROVE, State.RUNNING, f"approved by system: {need.why}")
            return
        workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_set(need.queue)])
        self.show(Stage.APPROVE, State.WAITING, f"{need.people} to approve ({need.why})", SIGNING)
        reminders = 0
        while len(self.approved_by) < need.people:
            if not await self.mail_within(timedelta(hours=self.task.reminder_hours), *SIGNING):
                reminders += 1
                remind = Remind(close=self.close, statement=statement.fingerprint, count=reminders)
                await workflow.execute_activity_method(
                    Approve.remind,
                    remind,
                    **options.with_summary(options.BOOKS, f"remind {self.task.customer} ({reminders})"),
                )
                if reminders == ESCALATE_AFTER:
                    workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_set("controller")])
                continue
            verdict, _ = await self.decision(*SIGNING)
            if verdict.taken and verdict.kind is DecisionKind.APPROVE and verdict.person:
                self.approved_by = (*self.approved_by, verdict.person)
            if verdict.taken and verdict.kind is DecisionKind.REJECT:
                await self.rejected(verdict)
            self.act_on(verdict)
        workflow.upsert_search_attributes([search.APPROVER_QUEUE.value_unset()])

    async def rejected(self, verdict: Verdict) -> None:
        """Wait for the rework of a rejected statement: a correction, or a plain retry after one outside."""
        await self.note(State.REJECTED, f"rejected by {verdict.person}: {verdict.message}", REWORKING)
        while True:
            answer, _ = await self.decision(*REWORKING)
            self.act_on(answer)
            if answer.taken and answer.kind is DecisionKind.RETRY:
                raise Rework(answer.message)

    async def invoice(self, statement: StatementRef) -> IssuedRef:
        """Draft, tie to the cent, then finalize: the platform's numbers are read back before anything is final."""
        task = StatementDeed(close=self.close, statement=statement.fingerprint)
        draft: DraftRef = await self.do(
            Stage.INVOICE, InvoiceDeeds.draft_invoice, task, DraftRef, options.STRIPE_CALL, "draft invoice"
        )
        self.issued = True  # from here on nothing is reworked: corrections only
        final = FinalizeDraft(close=self.close, statement=statement.fingerprint, draft=draft)
        return await self.do(
            Stage.INVOICE, InvoiceDeeds.finalize_invoice, final, IssuedRef, options.STRIPE_CALL, "issue invoice"
        )

    async def recognize(self, statement: StatementRef) -> ScheduleRef:
        """Schedule the revenue."""
        task = StatementDeed(close=self.close, statement=statement.fingerprint)
        return await self.do(Stage.RECOGNIZE, Recognize.schedule_revenue, task, ScheduleRef, options.COMPUTE)

    async def post(self, statement: StatementRef, invoice: IssuedRef) -> PostedRef:
        """Post the entries."""
        task = PostRevenue(close=self.close, statement=statement.fingerprint, invoice=invoice.reference)
        return await self.do(Stage.POST, Post.post_entries, task, PostedRef, options.LEDGER_POST)

    async def publish(self, statement: StatementRef, invoice: IssuedRef) -> PublishedRef:
        """Publish the figures and the evidence pack."""
        task = PublishClose(close=self.close, statement=statement.fingerprint, invoice=invoice.reference)
        return await self.do(Stage.PUBLISH, Publish.publish_close, task, PublishedRef, options.ARCHIVE)

    # How a stage is done, and how it parks.

    async def do(
        self,
        stage: Stage,
        deed: Callable[..., Any],
        task: Any,
        result: type[Result],
        how: options.Options,
        words: str = "",
        accepts: tuple[DecisionKind, ...] = (),
    ) -> Result:
        """Run a deed; where a rule refuses, park the customer until a person retries, corrects or skips.

        `accepts`: decisions that may come while the deed runs, since the deed itself asks people for them; they wait
        in the inbox.
        """
        summary = f"{words or stage.value} {self.task.customer} {self.task.month}"
        begins = stage is not self.stage or not self.shown
        while True:
            if self.paused and begins:
                await self.until_resumed(stage)
            begins = True  # what is tried again begins again
            self.show(stage, State.RUNNING, "", accepts)
            try:
                done = await workflow.execute_activity_method(deed, task, **options.with_summary(how, summary))
                return cast(Result, done)
            except ActivityError as error:
                cause = error.cause
                if not isinstance(cause, ApplicationError):
                    why = f"{stage.value} did not finish: {cause or error}"
                else:
                    why = f"{cause.type}: {cause.message}"
            await self.until_retried(stage, why)

    async def until_resumed(self, stage: Stage) -> None:
        """Wait before a stage for as long as the close is paused, and say by whom and why."""
        while self.paused:
            await self.note(State.PAUSED, self.paused, stage=stage)
            await workflow.wait_condition(lambda: self.paused != self.detail)

    async def until_retried(self, stage: Stage, why: str) -> None:
        """Park the customer until a person retries; a correction raises Rework, a skip raises Skipped."""
        if self.task.dry_run:
            raise WouldWait(why)
        kinds: tuple[DecisionKind, ...] = (DecisionKind.RETRY,)
        if not self.issued and stage in BEFORE_THE_INVOICE:
            kinds = REWORKING
        await self.note(State.NEEDS_ATTENTION, why, kinds)
        while True:
            verdict, _ = await self.decision(*kinds)
            self.act_on(verdict)
            if verdict.taken and verdict.kind is DecisionKind.RETRY:
                return

    def act_on(self, verdict: Verdict) -> None:
        """Leave the current wait where the decision says so: a correction or a reversal reworks, a skip ends."""
        if verdict.taken and verdict.kind in (DecisionKind.CORRECT, DecisionKind.REVERSE):
            raise Rework(verdict.message)
        if verdict.taken and verdict.kind is DecisionKind.SKIP:
            raise Skipped(f"skipped by {verdict.person}: {verdict.message}")

    # People.

    async def mail_within(self, time: timedelta, *accepts: DecisionKind) -> bool:
        """Return whether a decision came within a time."""
        self.accepts = accepts
        try:
            await workflow.wait_condition(
                self.inbox.has_mail, timeout=time, timeout_summary=f"remind about {self.task.customer}"
            )
        except TimeoutError:
            return False
        return True

    async def decision(self, *accepts: DecisionKind) -> tuple[Verdict, str]:
        """Wait for the next decision, have its row judged, and return the verdict and its subject."""
        self.accepts = accepts
        await workflow.wait_condition(self.inbox.has_mail)
        decision = self.inbox.take()
        verify = VerifyDecision(
            close=self.close,
            decision=decision,
            stage=self.stage,
            accepts=accepts,
            statement=self.statement.fingerprint if self.statement else None,
            holding=self.holding,
            approved_by=self.approved_by,
            issued=self.issued,
        )
        verdict: Verdict = await workflow.execute_activity_method(
            Approve.verify_decision,
            verify,
            **options.with_summary(options.BOOKS, f"verify a decision on {self.task.customer}"),
        )
        self.inbox.answer(decision, verdict)
        self.accepts = ()
        return verdict, verdict.subject if verdict.taken else ""

    @workflow.signal(name=pausing.SIGNAL)
    def hold(self, message: Hold) -> None:
        """Begin no new stage while the close is paused; or go on."""
        self.paused = message.why
        workflow.set_current_details(self.details())

    @workflow.signal(name="approve")
    def approve_by_signal(self, message: Decide) -> None:
        """Take an approval that is durable with no worker running: the outbox's and the engineer's way."""
        self.inbox.put(message.decision)

    @workflow.update
    async def decide(self, message: Decide) -> Verdict:
        """Approve or reject the statement that was seen; the caller is told the verdict."""
        return await self.inbox.verdict(message.decision)

    @decide.validator
    def decide_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for, without a trace in the history."""
        self.refuse_unless_waiting(DecisionKind.APPROVE, DecisionKind.REJECT)

    @workflow.update
    async def resolve_finding(self, message: Decide) -> Verdict:
        """Answer a finding that holds this customer."""
        return await self.inbox.verdict(message.decision)

    @resolve_finding.validator
    def resolve_finding_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for."""
        self.refuse_unless_waiting(DecisionKind.RESOLVE)

    @workflow.update
    async def assign_finding(self, message: Decide) -> Verdict:
        """Give a finding that holds this customer to an owner."""
        return await self.inbox.verdict(message.decision)

    @assign_finding.validator
    def assign_finding_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for."""
        self.refuse_unless_waiting(DecisionKind.ASSIGN)

    @workflow.update
    async def reverse_resolution(self, message: Decide) -> Verdict:
        """Take a finding's resolution back: the month is reconciled again and held by it."""
        return await self.inbox.verdict(message.decision)

    @reverse_resolution.validator
    def reverse_resolution_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for; once the invoice is issued, with the way out."""
        if self.issued:
            raise ApplicationError(ISSUED, type=ApprovalCode.ISSUED.value)
        self.refuse_unless_waiting(DecisionKind.REVERSE)

    @workflow.update
    async def retry_step(self, message: Decide) -> Verdict:
        """Try the parked step again, or rework a rejected statement."""
        return await self.inbox.verdict(message.decision)

    @retry_step.validator
    def retry_step_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for."""
        self.refuse_unless_waiting(DecisionKind.RETRY)

    @workflow.update
    async def correct_input(self, message: Decide) -> Verdict:
        """Start the month again from corrected inputs."""
        return await self.inbox.verdict(message.decision)

    @correct_input.validator
    def correct_input_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for."""
        self.refuse_unless_waiting(DecisionKind.CORRECT)

    @workflow.update
    async def skip_customer(self, message: Decide) -> Verdict:
        """Take this customer out of the close, with a reason."""
        return await self.inbox.verdict(message.decision)

    @skip_customer.validator
    def skip_customer_validator(self, message: Decide) -> None:
        """Refuse at once what nobody waits for."""
        self.refuse_unless_waiting(DecisionKind.SKIP)

    @workflow.query
    def snapshot(self) -> CloseView:
        """Return where this close stands."""
        return CloseView(
            stage=self.stage,
            state=self.state,
            statement=self.statement.fingerprint if self.statement else None,
            holding=self.holding,
            approved_by=self.approved_by,
            detail=self.detail,
        )

    def refuse_unless_waiting(self, *kinds: DecisionKind) -> None:
        """Raise ApplicationError unless this close waits for one of these kinds of decision."""
        if not set(kinds) & set(self.accepts):
            waits_for = ", ".join(kind.value for kind in self.accepts) or "nobody"
            raise ApplicationError(
                f"{self.task.customer} {self.task.month} is at {self.stage.value} ({self.state.value})"
                f" and waits for {waits_for}",
                type="not_waiting",
            )

    # What people see.

    def show(self, stage: Stage, state: State, detail: str, accepts: tuple[DecisionKind, ...] = ()) -> None:
        """Set stage and state for the UI: search attributes where they changed, current details always.

        What is shown as waiting takes decisions from this moment: nobody who answers what he sees is turned away.
        """
        changed: list[SearchAttributeUpdate[Any]] = []
        if stage is not self.stage or not self.shown:
            changed.append(search.CLOSE_STAGE.value_set(stage.value))
        if state is not self.state or not self.shown:
            changed.append(search.CLOSE_STATE.value_set(state.value))
        attention = state is State.NEEDS_ATTENTION
        if attention != (self.state is State.NEEDS_ATTENTION):
            changed.append(search.NEEDS_ATTENTION.value_set(attention))
        self.stage, self.state, self.detail, self.shown = stage, state, detail, True
        self.accepts = accepts
        if changed:
            workflow.upsert_search_attributes(changed)
        workflow.set_current_details(self.details())

    def details(self) -> str:
        """Return the stages as a short Markdown list, the current one marked, for the Temporal UI."""
        order = list(Stage)
        rows = [f"**{self.task.customer} · {self.task.month}** · {self.state.value}"]
        for stage in order:
            done = order.index(stage) < order.index(self.stage) or self.state is State.DONE
            mark = "✔" if done else "➤" if stage is self.stage else "·"
            rows.append(f"- {mark} {stage.value}{f': {self.detail}' if stage is self.stage and self.detail else ''}")
        if self.paused and self.state is not State.PAUSED:
            rows.append(f"\nthe close is {self.paused}")
        if self.statement:
            rows.append(f"\nstatement `{self.statement.fingerprint[:12]}` · {self.statement.lines} lines")
        return "\n".join(rows)

    async def note(
        self, state: State, detail: str, accepts: tuple[DecisionKind, ...] = (), stage: Stage | None = None
    ) -> None:
        """Write the state to the books too: that is what the console and the CLI read."""
        self.show(stage or self.stage, state, detail, accepts)
        await workflow.execute_activity_method(
            Approve.note,
            Park(close=self.close, stage=self.stage, state=state, detail=detail),
            **options.with_summary(options.BOOKS, f"note: {self.task.customer} {state.value}"),
        )
