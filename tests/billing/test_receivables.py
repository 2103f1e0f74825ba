"""Receivables, worked by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing import receivables
from models.invoice import Invoice, IssuedInvoice
from tests.statement_builders import a_statement, an_invoice, usage

D = Decimal
DUE = date(2026, 12, 2)


def issued(customer: str, amount: str) -> tuple[Invoice, IssuedInvoice]:
    invoice = an_invoice(a_statement(usage("u", amount), customer=customer, contract=f"{customer}-2026"))
    return invoice, IssuedInvoice(
        reference=invoice.reference,
        stripe_id=f"in_{customer}",
        number=f"T-{customer}",
        status="open",
        currency="USD",
        total=invoice.total,
        lines=1,
        issued_at=datetime(2026, 11, 2, tzinfo=UTC),
        due_on=DUE,
    )


INVOICES = [issued("acme", "100.00"), issued("bolt", "300.00"), issued("cirrus", "50.00")]
OWED = {("2026-10@1/acme/USD", "USD"): D(40), ("2026-10@1/bolt/USD", "USD"): D(100)}


@pytest.mark.parametrize(
    ("on", "bucket", "late"),
    [
        (date(2026, 12, 2), "current", 0),
        (date(2026, 12, 3), "1-30", 1),
        (date(2027, 1, 1), "1-30", 30),
        (date(2027, 1, 2), "31-60", 31),
        (date(2027, 3, 3), "over 90", 91),
    ],
)
def test_an_invoice_ages_from_the_day_after_it_is_due(on: date, bucket: str, late: int) -> None:
    aged = receivables.aging(INVOICES, OWED, on)
    assert {(one.customer, one.bucket, one.days_past_due) for one in aged} == {
        ("acme", bucket, late),
        ("bolt", bucket, late),
    }  # cirrus paid


def test_days_sales_outstanding_is_what_is_owed_over_what_was_billed() -> None:
    (one,) = receivables.days_outstanding(INVOICES, OWED, 31)
    assert (one.receivable, one.billed, one.dso) == (D(140), D(450), D("9.6"))  # 140 / 450 x 31 = 9.644


def test_the_allowance_is_each_buckets_balance_at_its_loss_rate() -> None:
    aged = receivables.aging(INVOICES, OWED, date(2026, 12, 10))
    assert receivables.allowance(aged, {"1-30": D("0.05")}, "USD") == D("7.00")  # 140 x 0.05
