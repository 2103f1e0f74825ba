"""correct: prepare a correction of an issued invoice, judge who decides, settle it at the platform, post it."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow.parquet as pq
from temporalio import activity

from activities.deeds import Outside
from activities.messages import (
    ConcludeCorrection,
    CorrectInvoice,
    CorrectionDeed,
    CorrectionPosted,
    CorrectionRef,
    JudgeCorrection,
    SettledRef,
)
from activities.post import refuse_overdrawn
from billing import approval, carried, correcting, corrections, invoicing, settling, terms, usage_table
from billing.corrected import entries as corrected_entries
from billing.corrected import worked_out
from billing.rating import statement as rating
from models.approval import ApprovalCode, Decision, Verdict
from models.books import TooMuchCredited
from models.close import CORRECTIONS_FROM, DecisionKind
from models.correction import (
    Correction,
    CorrectionRequest,
    CorrectionStep,
    CorrectionTaken,
    CorrectionView,
    Settlement,
)
from models.invoice import Invoice, IssuedInvoice
from models.journal import JournalEntry
from models.money import to_minor
from models.rate_change import ChangeStep, StepTaken
from models.refusal import Refusal
from models.statement import Statement


class NoCorrection(Refusal):
    """No correction, or no proposal of one, has this id."""

    remedy = "See what there is: tieout correction list."


class NotIssuedYet(Refusal):
    """Only an issued invoice is corrected."""

    remedy = "Before it is issued, reject the statement or correct its input: tieout close reject, close resolve."


class CorrectionNotApproved(Refusal):
    """No taken approval of a second person stands behind this correction."""

    remedy = "Let somebody who did not propose it approve it: tieout correction approve ID."


class NothingKept(Refusal):
    """No reconciled usage of the month is kept, so that it cannot be rated again."""

    remedy = "Credit by hand: tieout correction propose --credit LINE=AMOUNT."


class CorrectDeeds:
    """The deeds of a correction. None of them changes what was issued or posted."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="correct.prepare")
    def prepare(self, task: CorrectInvoice) -> CorrectionRef:
        """Work out what a proposal comes to and keep it; the first working-out is the one that is decided on.

        Raises:
            NoCorrection, NotIssuedYet, NothingKept, or a refusal of billing/corrections.py: nobody is asked.
        """
        view = self.outside.corrections.correction(task.correction)
        if view is None:
            correction = self._worked_out(task)
            kept = self.outside.corrections.keep(correction, self.outside.clock.now())
            view = CorrectionView(correction=kept)
        kept = view.correction
        return CorrectionRef(
            correction=kept.id,
            fingerprint=kept.fingerprint(),
            step=view.step,
            currency=kept.currency,
            net_minor=to_minor(kept.net, kept.currency),
            tax_minor=to_minor(kept.tax, kept.currency),
            lines=len(kept.lines),
            material=kept.materiality.material,
        )

    @activity.defn(name="correct.judge")
    def judge(self, task: JudgeCorrection) -> Verdict:
        """Judge a decision row and keep the verdict; the first verdict on a decision stands."""
        outside, correction = self.outside, self._view(task.correction).correction
        decision = outside.closes.decision(task.decision)
        if decision is None:
            return approval.unknown(task.decision)
        verdict = corrections.judge(decision, correction, task.accepts)
        if verdict.taken and decision.kind is DecisionKind.APPROVE_CORRECTION:
            try:
                self._take(correction, CorrectionStep.APPROVED, decision.person.id, decision.reason)
            except TooMuchCredited as refusal:  # another one of this invoice was approved since it was prepared
                no = {"taken": False, "code": ApprovalCode.CHANGED, "message": str(refusal)}
                verdict = verdict.model_copy(update=no)
        return outside.closes.keep_verdict(
            verdict, decision.period, decision.revision, decision.customer, outside.clock.now()
        )

    @activity.defn(name="correct.settle")
    def settle(self, task: CorrectionDeed) -> SettledRef:
        """Settle an approved correction at the platform, or find it settled; what is read back ties to the cent.

        Raises:
            CorrectionNotApproved, WrongState, a refusal of the platform: a person decides.
        """
        view = self._view(task.correction)
        self._approval(task, view.correction)
        done = next((one for one in view.steps if one.step is CorrectionStep.SETTLED), None)
        if done is None:
            done = self._take(view.correction, CorrectionStep.SETTLED, references=self._settle(view.correction))
        return SettledRef(references=done.references)

    @activity.defn(name="correct.post")
    def post(self, task: CorrectionDeed) -> CorrectionPosted:
        """Post a settled correction once into the open period, and clear the rate change it was made for.

        Raises:
            CorrectionNotApproved, or a refusal of the journal: nothing is posted.
        """
        outside, view = self.outside, self._view(task.correction)
        correction = view.correction
        self._approval(task, correction)
        posted = [one for one in outside.journal.entries(customer=correction.customer) if _is_of(one.key, correction)]
        if not posted:
            at = outside.clock.now()
            posted = list(self._entries(correction, at))
            refuse_overdrawn(outside, correction.customer, posted)
            outside.journal.post(posted, preparer=correction.proposed_by, at=at)
        month = min((entry.period for entry in posted), default=correction.period)
        self._take(correction, CorrectionStep.POSTED, detail=f"{len(posted)} entries in {month}")
        self._clear(correction)
        return CorrectionPosted(entries=len(posted), month=month)

    @activity.defn(name="correct.conclude")
    def conclude(self, task: ConcludeCorrection) -> None:
        """Keep that a correction was rejected or given up."""
        self._take(self._view(task.correction).correction, task.step, task.person, task.detail)

    def _worked_out(self, task: CorrectInvoice) -> Correction:
        outside = self.outside
        decision = outside.closes.decision(task.proposal)
        if decision is None or decision.kind is not DecisionKind.PROPOSE_CORRECTION:
            raise NoCorrection("no proposal stands behind this", decision=task.proposal)
        request = CorrectionRequest.from_text(decision.payload["request"])
        if (decision.subject, request.id) != (request.fingerprint(), task.correction):
            raise NoCorrection("the proposal is about another correction", decision=task.proposal)
        if not approval.ROLES_FOR[decision.kind] & set(decision.person.roles):
            raise NoCorrection(f"{decision.person.id} may not propose corrections", decision=task.proposal)
        invoice, _ = self._issued(request.invoice)
        issued = outside.evidence.statement(invoice.statement)
        known_at = decision.recorded_at
        corrected: Statement | None = None
        next_issued = False
        if request.cause.rates_again:
            corrected = self._rated_again(request, issued, decision)
            issued_after = outside.evidence.issued_statements(issued.contract, "9999-12")
            next_issued = any(one.period > issued.period for one in issued_after)
        entries = outside.journal.entries(customer=issued.customer)
        correction = worked_out(
            request,
            issued,
            corrected,
            outside.corrections.of_invoice(request.invoice),
            corrections.revenue_of(entries, issued.fingerprint()),
            next_issued=next_issued,
            proposed_by=decision.person.id,
            known_at=known_at,
        )
        if corrected is not None:
            outside.evidence.keep_statement(corrected, CORRECTIONS_FROM, known_at)
        return correction

    def _rated_again(self, request: CorrectionRequest, issued: Statement, decision: Decision) -> Statement:
        """Return the month rated again: its newest reconciled usage, with the rates and terms known now."""
        outside, known_at = self.outside, decision.recorded_at
        newest = outside.evidence.newest_reconciliation(issued.period, issued.customer)
        if newest is None:
            raise NothingKept("no reconciled usage of the month is kept", customer=issued.customer, month=issued.period)
        usage = usage_table.to_lines(pq.read_table(outside.store.path(newest.usage)))
        contracts = terms.in_force(outside.terms.contracts(issued.customer, known_at), issued.customer, issued.period)
        again = rating.statement_for(
            contracts,
            (*usage, *request.usage),
            outside.terms.rates(known_at),
            issued.period,
            outside.evidence.issued_statements(issued.contract, issued.period),
            reconciliation=newest.fingerprint(),
            engine=outside.engine,
            opening=outside.terms.opening(issued.contract),
        )
        billed = carried.carried_by(issued)
        every = outside.corrections.of_customer(issued.customer)
        return carried.with_corrections(again, [one.correction for one in every if one.correction.id in billed])

    def _settle(self, correction: Correction) -> dict[str, str]:
        outside, request = self.outside, correction.request
        _, issued = self._issued(request.invoice)
        if request.settlement is Settlement.NEXT_PERIOD:
            return {}
        state = outside.platform.state(issued.stripe_id)
        settling.refuse_state(correction, state)
        if request.settlement in settling.CREDITS:
            note = outside.platform.credit(settling.credit_note_of(correction, issued))
            settling.refuse_other_total(correction, note)
            return {"credit_note": note.stripe_id, "number": note.number}
        outside.platform.void(issued.stripe_id)
        if request.settlement is Settlement.VOID:
            return {"voided": issued.stripe_id}
        return self._bill_again(correction, issued)

    def _bill_again(self, correction: Correction, issued: IssuedInvoice) -> dict[str, str]:
        """Issue the corrected statement under the next revision's reference, read back and tied line by line."""
        outside = self.outside
        assert correction.corrected is not None
        statement = outside.evidence.statement(correction.corrected)
        invoice = invoicing.invoice_for(statement, settling.rebilled_revision(correction))
        outside.invoices.reserve(invoice, outside.clock.now())
        stripe_customer = outside.invoices.stripe_customer(correction.customer)
        assert stripe_customer is not None
        draft = outside.platform.draft(stripe_customer, invoice)
        _, amounts, total_minor = outside.platform.read(draft)
        settling.refuse_other_lines(invoice, amounts, total_minor)
        held = outside.invoices.issued(outside.platform.finalize(draft, invoice), outside.clock.now())
        return {"voided": issued.stripe_id, "invoice": held.reference, "number": held.number}

    def _entries(self, correction: Correction, at: datetime) -> Sequence[JournalEntry]:
        outside = self.outside
        month = outside.journal.open_month(correction.period)
        return corrected_entries(
            correction,
            outside.evidence.statement(correction.statement),
            outside.corrections.of_invoice(correction.request.invoice),
            outside.journal.entries(customer=correction.customer),
            correcting.booking(correction.period, month, at.date()),
        )

    def _clear(self, correction: Correction) -> None:
        """Take the rate change out of the inbox: this correction makes good what it reached."""
        change = correction.request.rate_change
        if change is not None:
            self.outside.rate_changes.take(
                StepTaken(
                    proposal=change,
                    step=ChangeStep.CORRECTED,
                    at=self.outside.clock.now(),
                    detail=f"{correction.request.invoice} corrected by {correction.id}",
                )
            )

    def _issued(self, reference: str) -> tuple[Invoice, IssuedInvoice]:
        found = self.outside.invoices.invoice(reference)
        if found is None or found[1] is None:
            raise NotIssuedYet("no issued invoice has this reference", reference=reference)
        return found[0], found[1]

    def _approval(self, task: CorrectionDeed, correction: Correction) -> Decision:
        decision = self.outside.closes.decision(task.decision)
        if decision is None:
            raise CorrectionNotApproved("no such decision", decision=task.decision)
        verdict = corrections.judge(decision, correction, (DecisionKind.APPROVE_CORRECTION,))
        if not verdict.taken:
            raise CorrectionNotApproved(verdict.message, code=verdict.code.value)
        return decision

    def _view(self, correction: str) -> CorrectionView:
        view = self.outside.corrections.correction(correction)
        if view is None:
            raise NoCorrection("no correction has this id", correction=correction)
        return view

    def _take(
        self,
        correction: Correction,
        step: CorrectionStep,
        person: str | None = None,
        detail: str = "",
        references: dict[str, str] | None = None,
    ) -> CorrectionTaken:
        return self.outside.corrections.take(
            CorrectionTaken(
                correction=correction.id,
                step=step,
                at=self.outside.clock.now(),
                person=person,
                detail=detail,
                references=references or {},
            )
        )


def _is_of(key: str, correction: Correction) -> bool:
    name = f"correction/{correction.id}"
    return key == name or key.startswith(f"{name}/")
