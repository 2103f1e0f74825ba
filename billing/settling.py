"""Settling: what a correction asks of the invoicing platform, and what of its answer is refused."""

from collections.abc import Sequence

from models.close import CORRECTIONS_FROM
from models.correction import Correction, DeltaLine, Settlement
from models.credit_note import AtPlatform, CreditNote, CreditNoteAsked, CreditNoteLine
from models.invoice import Invoice, IssuedInvoice
from models.money import to_minor
from models.refusal import Refusal

CREDITS = frozenset({Settlement.CREDIT_NOTE, Settlement.BALANCE, Settlement.REFUND})

_TO = {Settlement.CREDIT_NOTE: "due", Settlement.BALANCE: "balance", Settlement.REFUND: "paid_back"}
_NEEDS = {
    Settlement.CREDIT_NOTE: "open",
    Settlement.BALANCE: "paid",
    Settlement.REFUND: "paid",
    Settlement.VOID: "open",
    Settlement.REBILL: "open",
}
_REASONS = {"goodwill": "order_change", "dispute": "order_change"}


class WrongState(Refusal):
    """The invoice at the platform is not in the state this settlement needs."""

    remedy = "Unpaid: credit_note, void or rebill. Paid: balance or refund. Propose it again with the right one."


class CreditDoesNotTie(Refusal):
    """What the platform holds is not what was asked."""

    remedy = "Look at the invoice and its credit notes in Stripe; nothing was posted."


def refuse_state(correction: Correction, state: AtPlatform) -> None:
    """Refuse where the invoice is not in the state the settlement needs, or in the one it leaves behind.

    Raises:
        WrongState: nothing was asked of the platform.
    """
    settlement = correction.request.settlement
    allowed = {_NEEDS[settlement]}
    if settlement in (Settlement.VOID, Settlement.REBILL):
        allowed.add("void")
    if settlement is Settlement.CREDIT_NOTE:
        allowed.add("paid")  # a credit of all that was due pays it; the platform refuses a new one on a paid invoice
    if state.status not in allowed:
        raise WrongState(f"the invoice is {state.status}", needs=_NEEDS[settlement], invoice=correction.request.invoice)


def credit_note_of(correction: Correction, issued: IssuedInvoice) -> CreditNoteAsked:
    """Return the credit note of a correction: a line a place where all go down, else one for the whole."""
    downs = [line for line in correction.lines if line.delta < 0]
    lines = [CreditNoteLine(description=_words(line), amount=-line.delta) for line in downs]
    if correction.tax < 0:
        lines.append(CreditNoteLine(description="Tax", amount=-correction.tax))
    if len(downs) != len(correction.lines) or correction.tax > 0:
        lines = [CreditNoteLine(description=f"Correction {correction.id}", amount=-correction.total)]
    return CreditNoteAsked(
        reference=correction.id,
        stripe_invoice=issued.stripe_id,
        currency=correction.currency,
        to=_TO[correction.request.settlement],
        reason=_REASONS.get(correction.request.cause.value, "product_unsatisfactory"),
        memo=f"{correction.request.cause.value}: {correction.request.reason}"[:500],
        lines=tuple(lines),
        total=-correction.total,
    )


def refuse_other_total(correction: Correction, note: CreditNote) -> None:
    """Refuse a credit note that is not of the correction's total; raises CreditDoesNotTie."""
    if note.total != -correction.total or note.status != "issued":
        raise CreditDoesNotTie(
            "the credit note is another", credit_note=note.number, holds=note.total, asked=-correction.total
        )


def refuse_other_lines(invoice: Invoice, amounts: Sequence[int], total_minor: int) -> None:
    """Refuse an invoice read back with other lines or another total; raises CreditDoesNotTie."""
    ours = tuple(to_minor(line.amount, invoice.currency) for line in invoice.lines)
    if tuple(amounts) != ours or total_minor != to_minor(invoice.total, invoice.currency):
        raise CreditDoesNotTie("the invoice read back is not the statement's", reference=invoice.reference)


def rebilled_revision(correction: Correction) -> int:
    """Return the revision of the invoice that replaces the corrected one: after 501, the corrected one's next."""
    revision = int(correction.request.invoice.split("@", 1)[1].split("/", 1)[0])
    return revision + 1 if revision >= CORRECTIONS_FROM else CORRECTIONS_FROM


def rebilled_reference(correction: Correction) -> str:
    """Return our reference of the invoice that replaces the corrected one."""
    return f"{correction.period}@{rebilled_revision(correction)}/{correction.customer}/{correction.currency}"


def _words(line: DeltaLine) -> str:
    named = " · ".join(part for part in (line.name, *line.dimensions.values()) if part)
    original = f" (line {line.originals[0]})" if line.originals else ""
    return f"{line.kind.value.capitalize()}: {named}{original}"[:500]
