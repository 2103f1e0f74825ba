"""The parts of the Stripe double that need no process: forms, parameters, amounts, signatures, papers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as some

from devstack.stripe import amounts, pdf
from devstack.stripe.errors import StripeError
from devstack.stripe.form import decoded
from devstack.stripe.operations import OPERATIONS, operation_for
from devstack.stripe.params import checker
from devstack.stripe.webhooks import signature


def test_brackets_become_dicts_and_lists() -> None:
    assert decoded("a=1&lines[0][amount]=2&lines[0][period][start]=3&lines[1][amount]=-4&tags[]=x&tags[]=y&empty=") == {
        "a": "1",
        "lines": [{"amount": "2", "period": {"start": "3"}}, {"amount": "-4"}],
        "tags": ["x", "y"],
        "empty": "",
    }


@pytest.mark.parametrize("text", ["a=1&a=2", "a=1&a[b]=2", "a[b=1", "[a]=1", "a[b]c=1"])
def test_a_form_that_contradicts_itself_is_refused(text: str) -> None:
    with pytest.raises(StripeError):
        decoded(text)


def test_every_operation_names_parameters_the_sdk_has() -> None:
    for operation in OPERATIONS:
        assert callable(operation.check), operation.path
    found = operation_for("GET", "/v1/invoices/in_1/lines")
    assert found is not None
    assert found[1] == {"invoice": "in_1"}
    assert operation_for("PATCH", "/v1/invoices") is None


def test_an_enum_of_the_sdk_is_closed_here_though_its_type_is_open() -> None:
    check = checker("InvoiceListParams", {"status"})
    assert check({"status": "open"}) == {"status": "open"}
    with pytest.raises(StripeError, match="Invalid status"):
        check({"status": "lost"})


@pytest.mark.parametrize("text", ["1e3", "1.0", " 1", "1_000", "0x1", "", "99999999999999999"])
def test_an_integer_is_digits(text: str) -> None:
    with pytest.raises(StripeError):
        checker("InvoiceListParams", {"limit"})({"limit": text})


def test_the_sdks_request_options_stay_at_home() -> None:
    with pytest.raises(StripeError) as refused:
        checker("InvoiceListParams", {"limit"})({"api_key": "sk_test_x"})
    assert refused.value.error["code"] == "parameter_unknown"


@given(some.decimals(-(10**6), 10**6, places=12), some.integers(0, 10**5))
def test_a_charge_is_within_half_a_minor_unit_of_the_product(unit: Decimal, quantity: int) -> None:
    charge = amounts.charge_of({"unit_amount_decimal": unit, "quantity": quantity})
    assert abs(charge.amount - unit * quantity) <= Decimal("0.5")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"amount": 1, "quantity": 2},
        {"amount": 1, "unit_amount_decimal": Decimal(1)},
        {"unit_amount_decimal": Decimal(1), "quantity": -1},
        {"unit_amount_decimal": Decimal(1), "quantity": 1, "quantity_decimal": Decimal(1)},
        {"amount": 10**12},
    ],
)
def test_a_charge_that_can_be_read_two_ways_or_none_is_refused(params: Mapping[str, Any]) -> None:
    with pytest.raises(StripeError):
        amounts.charge_of(params)


def test_a_signature_verifies_with_stripes_own_code_and_not_over_a_changed_payload() -> None:
    payload = b'{"object": "event"}'
    header = signature(payload, "whsec_x", int(time.time()))
    assert stripe.WebhookSignature.verify_header(payload.decode(), header, "whsec_x", 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(payload.decode() + " ", header, "whsec_x", 300)


@given(some.lists(some.text(max_size=40), max_size=130))
def test_a_pdf_points_at_each_of_its_objects(lines: list[str]) -> None:
    document = pdf.document(lines)
    table = document[int(document.rsplit(b"startxref\n", 1)[1].split()[0]) :]
    entries = [line for line in table.splitlines() if line.endswith(b" n ")]
    for number, entry in enumerate(entries, start=1):
        assert document[int(entry.split()[0]) :].startswith(b"%d 0 obj" % number)


def test_the_error_codes_are_stripes_own() -> None:
    error = stripe.Invoice.LastFinalizationError.__annotations__["code"]
    known = set(get_args(get_args(error)[0])) if not isinstance(error, str) else error
    for code in (
        "invoice_not_editable",
        "status_transition_invalid",
        "parameter_unknown",
        "invoice_no_customer_line_items",
    ):
        assert code in known
