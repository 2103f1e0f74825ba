"""Receivables: aging by days past due, days sales outstanding, and the allowance an aging asks for (rule H1)."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from billing.rating.exact import exactly
from models.invoice import Invoice, IssuedInvoice
from models.money import ZERO, rounded, total
from models.receivable import DaysOutstanding, OpenInvoice

BUCKETS = ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90"))
OVER = "over 90"
_PLACES = Decimal("0.1")


def aging(
    invoices: Iterable[tuple[Invoice, IssuedInvoice]], balances: Mapping[tuple[str, str], Decimal], on: date
) -> tuple[OpenInvoice, ...]:
    """Return the invoices that are owed something on a day, the longest overdue first.

    `balances` are what 1100 holds of each invoice, by our reference and currency.
    """
    found = []
    for asked, issued in invoices:
        balance = balances.get((asked.reference, asked.currency), ZERO)
        if not balance:
            continue
        late = max(0, (on - issued.due_on).days)
        found.append(
            OpenInvoice(
                reference=asked.reference,
                customer=asked.customer,
                currency=asked.currency,
                total=asked.total,
                balance=balance,
                due_on=issued.due_on,
                days_past_due=late,
                bucket=next((name for most, name in BUCKETS if late <= most), OVER),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.days_past_due, one.reference)))


def days_outstanding(
    invoices: Iterable[tuple[Invoice, IssuedInvoice]], balances: Mapping[tuple[str, str], Decimal], days: int
) -> tuple[DaysOutstanding, ...]:
    """Return how many days of billing are owed still, by currency, to a tenth of a day.

    `days` are those over which the invoices were billed.
    """
    billed: dict[str, list[Decimal]] = {}
    for asked, _ in invoices:
        billed.setdefault(asked.currency, []).append(asked.total)
    rows = []
    for currency, amounts in sorted(billed.items()):
        owed, sum_ = total(amount for (_, unit), amount in balances.items() if unit == currency), total(amounts)
        with exactly():
            dso = (owed / sum_ * days).quantize(_PLACES) if sum_ else None
        rows.append(DaysOutstanding(currency=currency, receivable=owed, billed=sum_, days=days, dso=dso))
    return tuple(rows)


def allowance(aged: Iterable[OpenInvoice], loss_rates: Mapping[str, Decimal], currency: str) -> Decimal:
    """Return what should stand on 1190 of a currency: each bucket's balance times its loss rate, rounded once."""
    return rounded(
        total(one.balance * loss_rates.get(one.bucket, ZERO) for one in aged if one.currency == currency), currency
    )
