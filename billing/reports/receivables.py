"""Receivables: the invoice register with its aging, and what is earned and not invoiced."""

from datetime import timedelta
from decimal import Decimal

from billing.reports.facts import Facts, Sums, money
from models.journal import Account, Rule
from models.money import ZERO
from models.period import first_day, next_month
from models.reports import Report

_AGES = ((0, "not due"), (30, "1-30"), (60, "31-60"), (90, "61-90"))


def register(facts: Facts) -> Report:
    """Return every invoice issued up to the month's end: billed, paid, credited, what is left and how old it is."""
    closes_on = first_day(next_month(facts.month)) - timedelta(days=1)
    booked = Sums()
    for entry, one in facts.postings(Account.RECEIVABLE):
        kind = "paid" if entry.rule is Rule.A2 else "credited" if entry.rule.value[0] in "EH" else "billed"
        booked.add((entry.invoice, kind), one.amount)
    taxes = {one.statement: one.tax for one in facts.statements}
    rows = []
    for invoice in sorted(facts.invoices, key=lambda one: one.reference):
        tax, key, currency = taxes.get(invoice.statement, ZERO), invoice.reference, invoice.currency
        paid, credited = -booked[key, "paid"], -booked[key, "credited"]
        left = invoice.total - paid - credited
        late = max((closes_on - invoice.due_on).days, 0) if left > 0 else 0
        rows.append(
            (
                key,
                invoice.stripe_id,
                invoice.number,
                invoice.customer,
                invoice.contract,
                invoice.issued_at,
                invoice.due_on,
                currency,
                *(money(part, currency) for part in (invoice.total - tax, tax, invoice.total, paid, credited, left)),
                late,
                _age(late),
                "paid" if left == 0 else "open",
                invoice.fingerprint,
            )
        )
    columns = "invoice stripe_id number customer contract issued_at due_on currency net tax total paid credited balance"
    return facts.report("ar-register", f"{columns} days_past_due age status lines_hash".split(), rows)


def _age(days: int) -> str:
    return next((name for most, name in _AGES if days <= most), "over 90")


def unbilled(facts: Facts) -> Report:
    """Return what is earned and not invoiced at the month's end (1110), by contract, obligation and month."""
    sums: dict[tuple[str, str, str, str], list[tuple[str, Decimal]]] = {}
    statements: dict[tuple[str, str, str], set[str]] = {}
    for entry, one in facts.postings(Account.UNBILLED):
        statements.setdefault((entry.contract, one.obligation or "", entry.period), set()).add(entry.statement)
        key = (entry.customer, entry.contract, one.obligation or "", entry.currency)
        sums.setdefault(key, []).append((entry.period, one.amount))
    rows = []
    for (customer, contract, obligation, currency), parts in sorted(sums.items()):
        for period, amount in _left(parts):
            age = (first_day(next_month(facts.month)) - first_day(next_month(period))).days
            sources = sorted(statements[contract, obligation, period])
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
