"""Tie-out: usage, statement, invoice, Stripe and journal of every customer side by side, and an outside opinion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from activities.deeds import Outside
from adapters.postgres.books import Books
from models.close import Standing, State
from models.journal import Account
from models.money import from_minor
from models.reconciliation import Reconciliation
from models.statement import Statement

ZERO = Decimal(0)


@dataclass(frozen=True)
class Row:
    """One customer's numbers."""

    customer: str
    minutes: Mapping[str, Decimal]  # by source
    statement: Decimal
    invoice: Decimal | None
    stripe: Decimal | None
    journal: Decimal  # what the entries of this invoice say is receivable
    expected: Decimal | None  # worked out independently
    currency: str
    wrong_meter: str | None  # a meter whose billed quantity is not the true one

    @property
    def problem(self) -> str | None:
        """The first stage at which the numbers part, or None when all are one number."""
        if self.wrong_meter:
            return f"reconcile: {self.wrong_meter} is not what was used"
        if self.expected is not None and self.statement != self.expected:
            return f"rate: {self.statement} instead of {self.expected}"
        if self.invoice is None or self.stripe is None:
            return "invoice: not issued"
        if not self.statement == self.invoice == self.stripe:
            return f"invoice: statement {self.statement}, invoice {self.invoice}, Stripe {self.stripe}"
        if self.journal != self.invoice:
            return f"post: journal {self.journal} instead of {self.invoice}"
        return None


def rows(
    outside: Outside,
    books: Books,
    month: str,
    standings: Sequence[Standing],
    expected: Mapping[str, Decimal],
    true_quantities: Mapping[str, Mapping[str, Decimal]],
) -> tuple[Row, ...]:
    """Return the tie-out of every customer that was closed, each number read where it lives."""
    found = []
    for standing in standings:
        if standing.state is State.SKIPPED:
            continue
        statement = outside.evidence.latest_statement(month, 1, standing.customer)
        reconciliation = outside.evidence.latest_reconciliation(month, 1, standing.customer)
        if statement is None or reconciliation is None:
            continue
        found.append(_row(outside, books, standing, statement, reconciliation, expected, true_quantities))
    return tuple(found)


def _row(
    outside: Outside,
    books: Books,
    standing: Standing,
    statement: Statement,
    reconciliation: Reconciliation,
    expected: Mapping[str, Decimal],
    true_quantities: Mapping[str, Mapping[str, Decimal]],
) -> Row:
    customer = standing.customer
    reference = standing.references.get("invoice")
    view = books.invoice(reference) if reference else None
    issued = view.issued if view else None
    stripe = None
    if issued is not None and issued.stripe_id:
        stripe = from_minor(outside.platform.read(issued.stripe_id)[2], issued.currency)
    journal = sum(
        (
            line.amount
            for line in books.journal(customer=customer, account=Account.RECEIVABLE)
            if line.invoice == reference
        ),
        ZERO,
    )
    billed: dict[str, Decimal] = {}
    for line in statement.lines:
        if line.meter and line.kind in ("usage", "included", "excluded", "overage"):
            billed[line.meter] = billed.get(line.meter, ZERO) + line.quantity
    true = true_quantities.get(customer, {})
    wrong = next((meter for meter in sorted(true) if true and billed.get(meter, ZERO) != true[meter]), None)
    return Row(
        customer=customer,
        minutes={total.source: total.quantity for total in reconciliation.totals if total.meter == "call.minutes"},
        statement=statement.total,
        invoice=issued.total if issued else None,
        stripe=stripe,
        journal=journal,
        expected=expected.get(customer),
        currency=statement.currency,
        wrong_meter=wrong,
    )
