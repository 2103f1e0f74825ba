"""The Stripe adapter against the double: called twice, interrupted, refused, and never two invoices."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import stripe

from adapters.stripe import InvoiceRefused, StripeInvoices, StripeKeyRefused
from devstack.up import Stack
from models.credit_note import AtPlatform
from models.invoice import Invoice, InvoiceLine
from models.refusal import RetryLater

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stripe-adapter")]


@pytest.fixture
def platform(stack: Stack) -> Iterator[StripeInvoices]:
    yield StripeInvoices(stack.endpoints.stripe_key, stack.endpoints.stripe_url)
    httpx.delete(f"{stack.endpoints.stripe_url}/_faults")


def an_invoice(reference: str, *amounts: str, statement: str = "f" * 64) -> Invoice:
    lines = tuple(
        InvoiceLine(position=n, description=f"line {n}", amount=Decimal(amount), rated_lines=(f"l-{n}",))
        for n, amount in enumerate(amounts, 1)
    )
    return Invoice(
        reference=reference,
        customer="acme",
        contract="acme-2026",
        period="2026-10",
        currency="USD",
        statement=statement,
        net_days=30,
        purchase_order="PO-1",
        lines=lines,
        total=sum((line.amount for line in lines), Decimal(0)),
    )


def customer(platform: StripeInvoices, name: str) -> str:
    return platform.ensure_customer(name, name.title(), f"{name}@example.com")


def break_next(stack: Stack, **fault: Any) -> None:
    httpx.post(f"{stack.endpoints.stripe_url}/_faults", json=fault).raise_for_status()


def invoices_of(stack: Stack, customer_id: str) -> list[Any]:
    client = stripe.StripeClient(stack.endpoints.stripe_key, base_addresses={"api": stack.endpoints.stripe_url})
    return list(client.v1.invoices.list({"customer": customer_id, "limit": 100}).auto_paging_iter())


def test_every_step_twice_gives_one_customer_and_one_invoice(stack: Stack, platform: StripeInvoices) -> None:
    # sim #7078: a missing Stripe id forgave the overage; here the customer is made and billed
    who = customer(platform, "twice")
    assert customer(platform, "twice") == who
    invoice = an_invoice("2026-10@1/twice/USD", "10.00", "-3.50")
    draft = platform.draft(who, invoice)
    assert platform.draft(who, invoice) == draft
    assert platform.read(draft) == ("draft", (1000, -350), 650)
    issued = platform.finalize(draft, invoice)
    assert platform.finalize(draft, invoice) == issued
    assert (issued.total, issued.status, issued.lines) == (Decimal("6.50"), "open", 2)
    assert platform.draft(who, invoice) == draft  # what was issued is found again, not made anew
    assert len(invoices_of(stack, who)) == 1
    assert platform.pdf(draft).startswith(b"%PDF")


def test_a_timeout_after_the_draft_was_made_leaves_one_invoice(stack: Stack, platform: StripeInvoices) -> None:
    who = customer(platform, "timeout")
    invoice = an_invoice("2026-10@1/timeout/USD", "10.00")
    break_next(stack, fault="connection_drop", method="POST", path="/v1/invoices")
    with pytest.raises(stripe.APIConnectionError):
        platform.draft(who, invoice)
    platform.draft(who, invoice)
    assert len(invoices_of(stack, who)) == 1


def test_an_error_500_after_the_lines_were_added_leaves_them_once(stack: Stack, platform: StripeInvoices) -> None:
    who = customer(platform, "lines")
    invoice = an_invoice("2026-10@1/lines/USD", *["1.00"] * 130)
    break_next(stack, fault="error_500_after_commit", method="POST", path="/v1/invoices/*/add_lines")
    with pytest.raises(stripe.APIError):
        platform.draft(who, invoice)
    draft = platform.draft(who, invoice)
    assert platform.read(draft) == ("draft", (100,) * 130, 13_000)


def test_a_remembered_creation_is_looked_at_as_it_is_now(
    platform: StripeInvoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = customer(platform, "recalled")
    invoice = an_invoice("2026-10@1/recalled/USD", "10.00", "2.00")
    draft = platform.draft(who, invoice)
    monkeypatch.setattr(platform, "_find", lambda *_: None)  # a list that does not know it yet
    monkeypatch.setattr(platform._invoices, "add_lines", None)  # the answer of then has no lines, the draft has all
    assert platform.draft(who, invoice) == draft
    assert platform.read(draft) == ("draft", (1000, 200), 1200)


def test_a_draft_that_was_taken_back_is_made_anew(stack: Stack, platform: StripeInvoices) -> None:
    who = customer(platform, "taken")
    invoice = an_invoice("2026-10@1/taken/USD", "10.00")
    first = platform.draft(who, invoice)
    platform.void(first)
    platform.void(first)  # gone already
    second = platform.draft(who, invoice)
    assert second != first
    assert len(invoices_of(stack, who)) == 1


def test_the_draft_of_a_reworked_statement_replaces_the_old_one(stack: Stack, platform: StripeInvoices) -> None:
    who = customer(platform, "rework")
    platform.draft(who, an_invoice("2026-10@1/rework/USD", "10.00"))
    new = platform.draft(who, an_invoice("2026-10@1/rework/USD", "9.00", statement="e" * 64))
    assert [one.id for one in invoices_of(stack, who)] == [new]


def test_an_issued_invoice_of_another_statement_is_never_doubled(platform: StripeInvoices) -> None:
    who = customer(platform, "doubled")
    invoice = an_invoice("2026-10@1/doubled/USD", "10.00")
    platform.finalize(platform.draft(who, invoice), invoice)
    with pytest.raises(InvoiceRefused, match="another statement"):
        platform.draft(who, an_invoice("2026-10@1/doubled/USD", "9.00", statement="e" * 64))


def test_a_rate_limit_says_how_long_to_wait(stack: Stack, platform: StripeInvoices) -> None:
    break_next(stack, fault="rate_limit_429", retry_after=7)
    with pytest.raises(RetryLater) as later:
        customer(platform, "busy")
    assert later.value.after_seconds == 7


def test_a_wrong_key_and_a_bad_request_are_final(stack: Stack, platform: StripeInvoices) -> None:
    with pytest.raises(StripeKeyRefused):
        StripeInvoices("sk_test_wrong", stack.endpoints.stripe_url).account()
    with pytest.raises(InvoiceRefused):
        platform.draft("cus_nobody", an_invoice("2026-10@1/nobody/USD", "10.00"))


def test_zero_is_issued_with_all_its_lines(platform: StripeInvoices) -> None:
    who = customer(platform, "zero")
    invoice = an_invoice("2026-10@1/zero/USD", "10.00", "-10.00")
    issued = platform.finalize(platform.draft(who, invoice), invoice)
    assert (issued.total, issued.lines) == (Decimal("0.00"), 2)


def test_a_failure_remembered_under_its_key_does_not_stick(stack: Stack, platform: StripeInvoices) -> None:
    who = customer(platform, "remembered")
    invoice = an_invoice("2026-10@1/remembered/USD", "10.00")
    break_next(stack, fault="error_500_before_commit", method="POST", path="/v1/invoices")
    with pytest.raises(stripe.APIError):
        platform.draft(who, invoice)
    draft = platform.draft(who, invoice)
    assert platform.read(draft) == ("draft", (1000,), 1000)
    assert len(invoices_of(stack, who)) == 1


def test_many_states_are_read_in_pages_and_a_stranger_to_the_window_by_itself(
    platform: StripeInvoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    alone = platform.state

    def one_state(stripe_id: str) -> AtPlatform:
        asked.append(stripe_id)
        return alone(stripe_id)

    monkeypatch.setattr(platform, "state", one_state)
    ids = []
    for name, amount in (("pages-a", "10.00"), ("pages-b", "20.00"), ("pages-c", "0.00")):
        invoice = an_invoice(f"2026-10@1/{name}/USD", amount)
        draft = platform.draft(customer(platform, name), invoice)
        ids.append(platform.finalize(draft, invoice).stripe_id)
    found = platform.states(ids, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    assert [(found[one].status, found[one].remaining) for one in ids] == [
        ("open", Decimal("10.00")),
        ("open", Decimal("20.00")),
        ("paid", Decimal(0)),
    ]
    assert asked == []
    other = platform.states(ids[:2], datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 2, tzinfo=UTC))
    assert other == {one: found[one] for one in ids[:2]}
    assert sorted(asked) == sorted(ids[:2])
