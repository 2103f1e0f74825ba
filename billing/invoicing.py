"""Invoicing: rated lines grouped into few invoice lines that sum to the statement to the cent."""

from collections.abc import Sequence

from models.invoice import MAX_INVOICE_LINES, Invoice, InvoiceLine
from models.money import total
from models.refusal import Refusal
from models.statement import LineKind, RatedLine, Statement


class NegativeInvoice(Refusal):
    """A statement's total is below zero."""

    remedy = "Credits stop at the amount due; a negative total is a credit note, decided by a person."


class TooManyInvoiceLines(Refusal):
    """Even grouped by kind, the statement has more lines than the platform takes."""

    remedy = f"Group the contract's invoice by fewer fields; at most {MAX_INVOICE_LINES} lines are taken."


_WORDS = {
    LineKind.USAGE: "Usage",
    LineKind.INCLUDED: "Included usage",
    LineKind.EXCLUDED: "Not charged",
    LineKind.OVERAGE: "Overage",
    LineKind.FEE: "Fee",
    LineKind.COMMITMENT: "Commitment",
    LineKind.CREDIT_PURCHASE: "Credit purchase",
    LineKind.DISCOUNT: "Discount",
    LineKind.MINIMUM: "Minimum",
    LineKind.MAXIMUM: "Maximum",
    LineKind.POOL_DRAW: "Paid by commitment",
    LineKind.CREDIT_DRAW: "Paid by credit",
    LineKind.SHORTFALL: "Commitment shortfall",
    LineKind.CORRECTION: "Correction",
    LineKind.TAX: "Tax",
}

_ORDER = {kind: position for position, kind in enumerate(LineKind)}


def reference_of(statement: Statement, close_revision: int) -> str:
    """Return our business key of an invoice: one per customer, currency, period and revision."""
    return f"{statement.period}@{close_revision}/{statement.customer}/{statement.currency}"


def invoice_for(statement: Statement, close_revision: int) -> Invoice:
    """Return the invoice of a statement: grouped by kind and the contract's fields, coarser where needed.

    Stripe takes at most 250 items an invoice; detail is the statement's, not the invoice's.

    Raises:
        NegativeInvoice, TooManyInvoiceLines: a person decides.
    """
    if statement.total < 0:
        raise NegativeInvoice("the total is below zero", customer=statement.customer, total=statement.total)
    fields: tuple[str, ...] = statement.bill_to.group_by
    while True:
        groups = _grouped(statement.lines, fields)
        if len(groups) <= MAX_INVOICE_LINES:
            break
        if not fields:
            raise TooManyInvoiceLines("the statement does not fit an invoice", lines=len(groups))
        fields = fields[:-1]
    return Invoice(
        reference=reference_of(statement, close_revision),
        customer=statement.customer,
        contract=statement.contract,
        period=statement.period,
        currency=statement.currency,
        statement=statement.fingerprint(),
        net_days=statement.bill_to.net_days,
        purchase_order=statement.bill_to.purchase_order,
        lines=tuple(
            InvoiceLine(
                position=position,
                description=description,
                amount=total(line.amount for line in lines),
                rated_lines=tuple(line.id for line in lines),
            )
            for position, (description, lines) in enumerate(groups, 1)
        ),
        total=statement.total,
    )


def _grouped(lines: Sequence[RatedLine], fields: Sequence[str]) -> list[tuple[str, list[RatedLine]]]:
    """Return description and lines of each group, in the order of the waterfall, then by description."""
    groups: dict[tuple[int, str], list[RatedLine]] = {}
    for line in lines:
        groups.setdefault((_ORDER[line.kind], _description(line, fields)), []).append(line)
    return [(description, groups[order, description]) for order, description in sorted(groups)]


def _description(line: RatedLine, fields: Sequence[str]) -> str:
    if line.meter is None:
        return f"{_WORDS[line.kind]}: {line.description}"[:500]
    parts = [line.meter if field == "meter" else line.dimensions.get(field, "") for field in fields]
    named = " · ".join(part for part in parts if part)
    return f"{_WORDS[line.kind]}: {named}" if named else _WORDS[line.kind]
