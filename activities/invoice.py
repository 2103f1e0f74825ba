"""invoice: draft at the platform, read back, tie to the cent, only then finalize."""

import hashlib

from temporalio import activity

from activities.deeds import Outside
from activities.messages import DraftRef, FinalizeDraft, IssuedRef, StatementDeed
from billing import invoicing, terms
from models.close import Stage, State
from models.invoice import Invoice
from models.money import to_minor
from models.refusal import Refusal


class InvoiceDoesNotTie(Refusal):
    """What the platform holds is not what the statement says, to the cent."""

    remedy = "The draft was taken back and nothing was sent; look at the platform's lines, then retry the step."


class InvoiceDeeds:
    """The deeds of the fifth stage."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="invoice.draft_invoice")
    def draft_invoice(self, task: StatementDeed) -> DraftRef:
        """Draft the invoice of an approved statement and return it once read back and tied, line by line.

        What was drafted or issued under our reference before is found again, never made twice.

        Raises:
            InvoiceDoesNotTie: the draft was taken back.
            NegativeInvoice, TooManyInvoiceLines, InvoiceRefused: a person decides.
        """
        outside, close = self.outside, task.close
        statement = outside.evidence.statement(task.statement)
        invoice = invoicing.invoice_for(statement, close.revision)
        stripe_id = outside.platform.draft(self._customer(close.customer, close.month), invoice)
        self._tie(stripe_id, invoice)
        outside.invoices.reserve(invoice, outside.clock.now())  # from here on this invoice, or none
        return DraftRef(
            reference=invoice.reference,
            stripe_id=stripe_id,
            total_minor=to_minor(invoice.total, invoice.currency),
            lines=len(invoice.lines),
        )

    @activity.defn(name="invoice.finalize_invoice")
    def finalize_invoice(self, task: FinalizeDraft) -> IssuedRef:
        """Finalize and send a tied draft, keep the platform's PDF with its hash, and keep what was issued."""
        outside, close = self.outside, task.close
        found = outside.invoices.invoice(task.draft.reference)
        if found is None:
            raise InvoiceDoesNotTie("the draft was never tied", reference=task.draft.reference)
        invoice, issued = found
        if issued is None:
            held = outside.platform.finalize(task.draft.stripe_id, invoice)
            if held.total != invoice.total or held.lines != len(invoice.lines):
                raise InvoiceDoesNotTie(
                    "the issued invoice is not the statement's", issued=held.total, statement=invoice.total
                )
            pdf = outside.platform.pdf(held.stripe_id)
            digest = hashlib.sha256(pdf).hexdigest()
            uri = outside.store.put(
                f"invoices/{close.month}@{close.revision}/{close.customer}/{digest}.pdf", pdf, "application/pdf"
            )
            issued = outside.invoices.issued(
                held.model_copy(update={"pdf_sha256": digest, "pdf_uri": uri}), outside.clock.now()
            )
        outside.closes.project(
            close.month,
            close.revision,
            close.customer,
            Stage.RECOGNIZE,
            State.RUNNING,
            outside.clock.now(),
            "",
            invoice=issued.reference,
            number=issued.number,
            stripe_id=issued.stripe_id,
        )
        return IssuedRef(
            reference=issued.reference,
            stripe_id=issued.stripe_id,
            number=issued.number,
            currency=issued.currency,
            total_minor=to_minor(issued.total, issued.currency),
        )

    def _tie(self, stripe_id: str, invoice: Invoice) -> None:
        """Read an invoice back and compare it with ours, line by line; take it back where it differs."""
        status, amounts, total_minor = self.outside.platform.read(stripe_id)
        ours = tuple(to_minor(line.amount, invoice.currency) for line in invoice.lines)
        if amounts == ours and total_minor == to_minor(invoice.total, invoice.currency):
            return
        if status == "draft":
            self.outside.platform.void(stripe_id)
        wrong = [
            f"line {position}: {theirs} instead of {mine}"
            for position, (mine, theirs) in enumerate(zip(ours, amounts, strict=False), 1)
            if mine != theirs
        ]
        raise InvoiceDoesNotTie(
            "the invoice read back is not the statement's",
            lines=f"{len(amounts)} of {len(ours)}",
            first_difference=wrong[0] if wrong else "none",
            total_minor=f"{total_minor} instead of {to_minor(invoice.total, invoice.currency)}",
        )

    def _customer(self, customer: str, month: str) -> str:
        """Return the customer's id at the platform, made there once."""
        kept = self.outside.invoices.stripe_customer(customer)
        if kept:
            return kept
        contract = terms.in_force(self.outside.terms.contracts(customer), customer, month)[-1]
        stripe_id = self.outside.platform.ensure_customer(
            customer, contract.name or customer, contract.email or f"billing+{customer}@example.com"
        )
        return self.outside.invoices.keep_stripe_customer(customer, stripe_id, self.outside.clock.now())
