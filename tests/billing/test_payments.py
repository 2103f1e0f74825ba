"""Payments told by the platform: the customer's balance an invoice takes, and money for what was written off."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.payments import OwedBefore, entries_of
from models.invoice import IssuedInvoice
from models.journal import JournalEntry, Rule
from models.stripe_event import PlatformEvent
from tests.billing.test_events import sides
from tests.billing.test_settlements import BILLED, INVOICE, after, event
from tests.statement_builders import a_statement, an_invoice, usage

D = Decimal
ASKED = an_invoice(a_statement(usage("u", "100.00")))
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
ISSUED = IssuedInvoice(
    reference=ASKED.reference,
    stripe_id="in_1",
    number="T-1",
    status="open",
    currency="USD",
    total=ASKED.total,
    lines=len(ASKED.lines),
    issued_at=AT,
    due_on=AT.date(),
)


def told(kind: str, **about: object) -> PlatformEvent:
    """Return an event about the invoice of 100.00."""
    thing = {"object": "invoice", "id": "in_1", "currency": "usd", **about}
    body = json.dumps({"id": "evt_1", "type": kind, "data": {"object": thing}})
    return PlatformEvent(id="evt_1", type=kind, created=AT, object_id="in_1", body=body)


def posted(one: PlatformEvent, booked: Sequence[JournalEntry] = ()) -> dict[str, dict[str, Decimal]]:
    """Return the amounts by account of each entry, by its key."""
    return {entry.key: sides(entry) for entry in entries_of(one, ASKED, ISSUED, None, "2026-11", booked)}


def test_an_invoice_takes_the_customers_balance_once_whether_finalized_or_paid_is_told_first() -> None:
    """40.00 of credit stood (the platform counts it as −4000); 25.00 of it is left, so 15.00 was taken."""
    taken = {"2120": D("15.00"), "1100": D("-15.00")}
    balance: dict[str, object] = {"starting_balance": -4000, "ending_balance": -2500}
    first = posted(told("invoice.finalized", **balance))
    assert first == {"balance/in_1": taken}
    then = posted(told("invoice.paid", amount_paid=8500, **balance))
    assert then == {"balance/in_1": taken, "payment/in_1": {"1010": D("85.00"), "1100": D("-85.00")}}


def test_an_invoice_that_takes_nothing_posts_nothing_when_it_is_finalized() -> None:
    assert posted(told("invoice.finalized", starting_balance=0, ending_balance=0)) == {}
    assert posted(told("invoice.finalized", starting_balance=0, ending_balance=None)) == {}


def test_a_debt_at_the_platform_is_not_booked_by_guess() -> None:
    with pytest.raises(OwedBefore) as refused:
        posted(told("invoice.finalized", starting_balance=700, ending_balance=0))
    assert "Set the balance to zero" in refused.value.remedy


def test_a_balance_told_with_the_payment_counts_before_what_was_written_off_is_recovered() -> None:
    """100.00 less 60.00 written off and 15.00 of balance: 25.00 is due, so 85.00 paid brings all 60.00 back."""
    off = after(BILLED, event("write_off", invoice=INVOICE, amount="60.00"))
    paid = told("invoice.paid", amount_paid=8500, starting_balance=-1500, ending_balance=0)
    first = entries_of(paid, ASKED, ISSUED, None, "2026-11", off)
    assert [sides(one) for one in first] == [
        {"2120": D("15.00"), "1100": D("-15.00")},
        {"1100": D("60.00"), "1190": D("-60.00")},
        {"1010": D("85.00"), "1100": D("-85.00")},
    ]
    assert entries_of(paid, ASKED, ISSUED, None, "2026-11", (*off, *first)) == first
    assert entries_of(paid, ASKED, ISSUED, None, "2026-11", (*off, first[0])) == first  # it was told before


def test_what_is_paid_after_a_write_off_is_recovered_up_to_what_was_written_off() -> None:
    """60.00 of 100.00 was written off, 40.00 is due: 100.00 paid brings 60.00 back to the allowance."""
    off = after(BILLED, event("write_off", invoice=INVOICE, amount="60.00"))
    paid = posted(told("invoice.paid", amount_paid=10000), off)
    assert paid == {
        "recovery/in_1": {"1100": D("60.00"), "1190": D("-60.00")},
        "payment/in_1": {"1010": D("100.00"), "1100": D("-100.00")},
    }
    again = entries_of(told("invoice.paid", amount_paid=10000), ASKED, ISSUED, None, "2026-11", off)
    twice = entries_of(told("invoice.paid", amount_paid=10000), ASKED, ISSUED, None, "2026-11", (*off, *again))
    assert again == twice
    assert [entry.rule for entry in again] == [Rule.H3, Rule.A2]
    assert posted(told("invoice.paid", amount_paid=4000), off) == {
        "payment/in_1": {"1010": D("40.00"), "1100": D("-40.00")}
    }
