"""Receivables: the invoice register with its aging, and what is earned and not invoiced."""

from datetime import timedelta
from decimal import Decimal

from billing.reports.facts import Facts, Sums, money
from models.journal import Account, Rule
from models.money import ZERO
from models.period import first_day, next_month
from models.reports import Report
from models.statement import LineKind

_AGES = ((0, "not due"), (30, "1-30"), (60, "31-60"), (90, "61-90"))


def register(facts: Facts) -> Report:
    """Return every invoice issued up to the month's end: billed, paid, credited, what is left and how old it is."""
    closes_on = first_day(next_month(facts.month)) - timedelta(days=1)
    booked, taxes = Sums(), Sums()
    for entry, one in facts.postings(Account.RECEIVABLE):
        kind = "paid" if entry.rule is Rule.A2 else "credited" if entry.rule.value[0] in "EH" else "billed"
        booked.add((entry.invoice, kind), one.amount)
    taxes_of = {
        one.fingerprint(): sum((line.amount for line in one.lines if line.kind is LineKind.TAX), ZERO)
        for one in facts.statements
    }
    for view in facts.invoices:
        taxes.add((view.invoice.reference,), taxes_of.get(view.invoice.statement, ZERO))
    rows = []
    for view in sorted(facts.invoices, key=lambda one: one.invoice.reference):
        asked, issued = view.invoice, view.issued
        if issued is None:
            continue
        tax, key, currency = taxes[(asked.reference,)], asked.reference, asked.currency
        paid, credited = -booked[key, "paid"], -booked[key, "credited"]
        left = asked.total - paid - credited
        late = max((closes_on - issued.due_on).days, 0) if left > 0 else 0
        rows.append(
            (
                key,
                issued.stripe_id,
                issued.number,
                asked.customer,
                asked.contract,
                issued.issued_at,
                issued.due_on,
                currency,
                *(money(one, currency) for one in (asked.total - tax, tax, asked.total, paid, credited, left)),
                late,
                _age(late),
                "paid" if left == 0 else "open",
                asked.fingerprint(),
            )
        )
    columns = "invoice stripe_id number customer contract issued_at due_on currency net tax total paid credited balance"
    return facts.report("ar-register", f"{columns} days_past_due age status lines_hash".split(), rows)


def _age(days: int) -> str:
    return next((name for most, name in _AGES if days <= most), "over 90")


def unbilled(facts: Facts) -> Report:
    """Return what is earned and not invoiced at the month's end (1110), by contract, obligation and month."""
    sums: dict[tuple[str, str, str, str], list[tuple[str, Decimal]]] = {}
    for entry, one in facts.postings(Account.UNBILLED):
        key = (entry.customer, entry.contract, one.obligation or "", entry.currency)
        sums.setdefault(key, []).append((entry.period, one.amount))
    rows = []
    for (customer, contract, obligation, currency), parts in sorted(sums.items()):
        for period, amount in _left(parts):
            age = (first_day(next_month(facts.month)) - first_day(next_month(period))).days
            sources = sorted(
                {
                    entry.statement
                    for entry, one in facts.postings(Account.UNBILLED)
                    if (entry.contract, one.obligation or "", entry.period) == (contract, obligation, period)
                }
            )
            rows.append(
                (
                    customer,
                    contract,
                    obligation,
                    period,
                    currency,
                    money(amount, currency),
                    age,
                    next_month(period),
                    " ".join(sources),
                )
            )
    columns = "customer contract obligation service_month currency amount age_days expected_invoice_in source"
    return facts.report("unbilled", columns.split(), rows)


def _left(parts: list[tuple[str, Decimal]]) -> list[tuple[str, Decimal]]:
    """Return what is left of what arose in each month, the oldest settled first."""
    arose: dict[str, Decimal] = {}
    settled = ZERO
    for period, amount in parts:
        if amount > 0:
            arose[period] = arose.get(period, ZERO) + amount
        else:
            settled -= amount
    left = []
    for period, amount in sorted(arose.items()):
        taken = min(amount, settled)
        settled -= taken
        if amount != taken:
            left.append((period, amount - taken))
    return left if not settled else [*left, (parts[-1][0], -settled)]
