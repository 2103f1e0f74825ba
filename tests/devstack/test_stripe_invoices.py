"""An invoice's life at the Stripe double, through the genuine StripeClient."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import httpx
import pytest
import stripe

from devstack.up import Stack
from tests.devstack.builders import a_customer, a_draft, an_open_invoice

pytestmark = pytest.mark.stack


def test_from_draft_to_paid_each_step_is_what_stripe_shows(platform: stripe.StripeClient) -> None:
    customer = a_customer(platform, invoice_prefix=f"T{time.time_ns() % 10**9}")
    draft = a_draft(
        platform,
        customer.id,
        metadata={"close": "2026-10"},
        description="October",
        footer="Thank you",
        custom_fields=[{"name": "PO", "value": "PO-7781"}],
    )
    assert (draft.status, draft.number, draft.total, draft.due_date) == ("draft", None, 0, draft.created + 30 * 86_400)

    with_lines = platform.v1.invoices.add_lines(
        draft.id,
        {
            "lines": [
                {
                    "amount": 2_500,
                    "description": "minutes",
                    "period": {"start": 1, "end": 2},
                    "metadata": {"line": "l1"},
                },
                {"amount": -500, "description": "credit"},
                # 0.58 cents x 333 = 193.14 cents
                {
                    "description": "tokens",
                    "quantity_decimal": Decimal(333),
                    "price_data": {
                        "currency": "usd",
                        "product_data": {"name": "tokens"},
                        "unit_amount_decimal": Decimal("0.58"),
                    },
                },
            ]
        },
    )
    assert [line.amount for line in with_lines.lines.data] == [2_500, -500, 193]
    assert with_lines.total == 2_193
    assert with_lines.lines.data[2].pricing is not None
    assert with_lines.lines.data[2].pricing.unit_amount_decimal == Decimal("0.58")

    opened = platform.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})
    assert (opened.status, opened.number) == ("open", f"{customer.invoice_prefix}-0001")
    assert (opened.amount_due, opened.amount_remaining) == (2_193, 2_193)
    assert platform.v1.invoices.send_invoice(draft.id).status == "open"

    paid = platform.v1.invoices.pay(draft.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 2_193, 0)
    assert an_open_invoice(platform, customer=customer.id).number == f"{customer.invoice_prefix}-0002"


def test_lines_are_read_back_in_the_order_given_a_hundred_a_page(platform: stripe.StripeClient) -> None:
    draft = a_draft(platform)
    platform.v1.invoices.add_lines(draft.id, {"lines": [{"amount": n, "description": str(n)} for n in range(1, 251)]})
    page = platform.v1.invoices.line_items.list(draft.id, {"limit": 100})
    assert (len(page.data), page.has_more) == (100, True)
    everything = list(page.auto_paging_iter())
    assert [line.amount for line in everything] == list(range(1, 251))
    assert platform.v1.invoices.retrieve(draft.id).total == 250 * 251 // 2
    with pytest.raises(stripe.InvalidRequestError, match="at most 250"):
        platform.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 1}]})


def test_pending_items_come_newest_first_and_only_when_asked_for(platform: stripe.StripeClient) -> None:
    customer = a_customer(platform).id
    for amount in (1, 2):
        platform.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd"})
    assert a_draft(platform, customer).total == 0
    included = a_draft(platform, customer, pending_invoice_items_behavior="include")
    assert [line.amount for line in included.lines.data] == [2, 1]
    added = platform.v1.invoice_items.create(
        {"customer": customer, "invoice": included.id, "amount": 3, "currency": "usd"}
    )
    assert added.invoice == included.id
    assert [line.amount for line in platform.v1.invoices.retrieve(included.id).lines.data] == [2, 1, 3]


@pytest.mark.parametrize(
    ("unit", "quantity", "amount"),
    [
        (Decimal("0.5"), 1, 1),  # half a cent goes away from zero
        (Decimal("-0.5"), 1, -1),
        (Decimal("0.000000000001"), 499_999_999_999, 0),  # 0.499999999999
        (Decimal("0.000000000001"), 500_000_000_000, 1),
    ],
)
def test_a_unit_price_times_a_quantity_is_rounded_once(
    platform: stripe.StripeClient, unit: Decimal, quantity: int, amount: int
) -> None:
    customer = a_customer(platform).id
    plain: Any = format(unit, "f")  # str(Decimal), which the SDK would send, gives 1E-12
    item = platform.v1.invoice_items.create(
        {"customer": customer, "currency": "usd", "unit_amount_decimal": plain, "quantity": quantity}
    )
    assert (item.amount, item.pricing and item.pricing.unit_amount_decimal) == (amount, unit)


def test_a_decimal_sent_with_an_exponent_is_refused_since_nobody_knows_what_stripe_makes_of_it(
    platform: stripe.StripeClient,
) -> None:
    params: Any = {"customer": a_customer(platform).id, "currency": "usd", "unit_amount_decimal": Decimal("0.0000001")}
    with pytest.raises(stripe.InvalidRequestError, match="Invalid decimal: 1E-7"):
        platform.v1.invoice_items.create(params)


def test_a_total_below_zero_becomes_credit_that_the_next_invoice_uses_up(platform: stripe.StripeClient) -> None:
    customer = a_customer(platform).id
    below = an_open_invoice(platform, -300, customer)
    assert (below.status, below.total, below.amount_due, below.ending_balance) == ("paid", -300, 0, -300)
    assert platform.v1.customers.retrieve(customer).balance == -300
    after = an_open_invoice(platform, 1_000, customer)  # 1000 - 300
    assert (after.status, after.total, after.starting_balance, after.amount_due) == ("open", 1_000, -300, 700)
    assert platform.v1.customers.retrieve(customer).balance == 0
    platform.v1.invoices.void_invoice(after.id)
    assert platform.v1.customers.retrieve(customer).balance == -300


def test_what_was_sent_is_not_edited(platform: stripe.StripeClient) -> None:
    invoice = an_open_invoice(platform)
    calls: list[Any] = [
        lambda: platform.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1}]}),
        lambda: platform.v1.invoices.finalize_invoice(invoice.id),
        lambda: platform.v1.invoices.delete(invoice.id),
        lambda: platform.v1.invoices.update(invoice.id, {"days_until_due": 1}),
        lambda: platform.v1.invoices.line_items.update(invoice.id, invoice.lines.data[0].id, {"amount": 1}),
    ]
    for call in calls:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call()
        assert refused.value.code == "invoice_not_editable"
    assert platform.v1.invoices.update(invoice.id, {"metadata": {"seen": "yes"}}).metadata["seen"] == "yes"  # type: ignore[index]


def test_status_goes_forward_only(platform: stripe.StripeClient) -> None:
    draft = a_draft(platform)
    with pytest.raises(stripe.InvalidRequestError) as voiding:
        platform.v1.invoices.void_invoice(draft.id)
    assert voiding.value.code == "status_transition_invalid"
    with pytest.raises(stripe.InvalidRequestError) as finalizing:
        platform.v1.invoices.finalize_invoice(draft.id)
    assert finalizing.value.code == "invoice_no_customer_line_items"
    assert platform.v1.invoices.delete(draft.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as reading:
        platform.v1.invoices.retrieve(draft.id)
    assert (reading.value.http_status, reading.value.code) == (404, "resource_missing")

    opened = an_open_invoice(platform)
    assert platform.v1.invoices.mark_uncollectible(opened.id).status == "uncollectible"
    assert platform.v1.invoices.void_invoice(opened.id).status == "void"
    with pytest.raises(stripe.InvalidRequestError):
        platform.v1.invoices.pay(opened.id, {"paid_out_of_band": True})


def test_invoices_are_listed_newest_first_by_customer_status_and_time(platform: stripe.StripeClient) -> None:
    customer = a_customer(platform).id
    drafts = [a_draft(platform, customer).id for _ in range(5)]
    opened = an_open_invoice(platform, customer=customer)
    everything = platform.v1.invoices.list({"customer": customer, "limit": 2}).auto_paging_iter()
    assert [one.id for one in everything] == [opened.id, *reversed(drafts)]
    assert [one.id for one in platform.v1.invoices.list({"customer": customer, "status": "open"}).data] == [opened.id]
    since: Any = {"customer": customer, "created": {"gte": opened.created + 1}}
    assert platform.v1.invoices.list(since).data == []
    back = platform.v1.invoices.list({"customer": customer, "ending_before": drafts[2], "limit": 2})
    assert ([one.id for one in back.data], back.has_more) == ([drafts[4], drafts[3]], True)


def test_customers_are_found_by_their_address_as_written(platform: stripe.StripeClient) -> None:
    address = f"{time.time_ns()}@acme.test"
    ours = a_customer(platform, email=address)
    a_customer(platform, email=f"not-{address}")
    assert [one.id for one in platform.v1.customers.list({"email": address}).data] == [ours.id]
    moved = platform.v1.customers.update(ours.id, {"email": f"new-{address}"})
    assert platform.v1.customers.list({"email": address}).data == []
    assert [one.id for one in platform.v1.customers.list({"email": f"new-{address}"}).data] == [moved.id]


def test_lines_can_be_changed_and_taken_off_a_draft(platform: stripe.StripeClient) -> None:
    draft = a_draft(platform)
    first, second = platform.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 1}, {"amount": 2}]}).lines.data
    assert platform.v1.invoices.line_items.update(draft.id, first.id, {"amount": 10}).amount == 10
    left = platform.v1.invoices.remove_lines(draft.id, {"lines": [{"id": second.id, "behavior": "delete"}]})
    assert (left.total, len(left.lines.data)) == (10, 1)


def test_a_credit_note_lowers_what_is_due_or_gives_back_what_was_paid(platform: stripe.StripeClient) -> None:
    opened = an_open_invoice(platform, 1_000)
    note = platform.v1.credit_notes.create({"invoice": opened.id, "amount": 400, "reason": "order_change"})
    assert (note.number, note.type, note.total) == (f"{opened.number}-CN-01", "pre_payment", 400)
    assert platform.v1.invoices.retrieve(opened.id).amount_remaining == 600
    with pytest.raises(stripe.InvalidRequestError, match="more than what is due"):
        platform.v1.credit_notes.create({"invoice": opened.id, "amount": 601})
    rest = platform.v1.credit_notes.create(
        {
            "invoice": opened.id,
            "lines": [{"type": "invoice_line_item", "invoice_line_item": opened.lines.data[0].id, "amount": 600}],
        }
    )
    assert [one.id for one in platform.v1.credit_notes.list({"invoice": opened.id}).data] == [rest.id, note.id]
    assert platform.v1.invoices.retrieve(opened.id).status == "paid"

    paid = platform.v1.invoices.pay(an_open_invoice(platform, 1_000).id, {"paid_out_of_band": True})
    assert isinstance(paid.customer, str)
    platform.v1.credit_notes.create({"invoice": paid.id, "amount": 250, "credit_amount": 250})
    assert platform.v1.customers.retrieve(paid.customer).balance == -250
    assert platform.v1.invoices.retrieve(paid.id).post_payment_credit_notes_amount == 250


def test_the_pdf_is_a_pdf_and_the_same_each_time(platform: stripe.StripeClient) -> None:
    invoice = an_open_invoice(platform)
    assert invoice.invoice_pdf is not None
    assert invoice.hosted_invoice_url is not None
    first, again = httpx.get(invoice.invoice_pdf), httpx.get(invoice.invoice_pdf)
    assert first.headers["content-type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-1.4")
    assert first.content == again.content
    assert invoice.number is not None
    assert invoice.number.encode() in first.content
    assert invoice.number in httpx.get(invoice.hosted_invoice_url).text


def test_requests_are_held_to_the_sdks_own_parameter_types(platform: stripe.StripeClient) -> None:
    customer = a_customer(platform).id
    refusals: list[tuple[dict[str, Any], str | None, str]] = [
        ({"customer": customer, "surprise": 1}, "parameter_unknown", "surprise"),
        ({"customer": customer, "days_until_due": "soon"}, "parameter_invalid_integer", "days_until_due"),
        ({"customer": customer, "collection_method": "by_pigeon"}, None, "collection_method"),
        ({"customer": customer, "custom_fields": [{"name": "PO"}]}, "parameter_missing", "custom_fields[0][value]"),
        ({"customer": customer, "discounts": [{"coupon": "c"}]}, "not_done_by_the_double", "discounts"),
        ({"customer": customer, "auto_advance": True}, "not_done_by_the_double", "auto_advance"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"currency": "usd"}, "parameter_missing", "customer"),
    ]
    for params, code, param in refusals:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            platform.v1.invoices.create(params)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.param) == (code, param)


def test_a_wrong_key_is_refused(stack: Stack) -> None:
    stranger = stripe.StripeClient("sk_test_wrong", base_addresses={"api": stack.endpoints.stripe_url})
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.customers.list()
