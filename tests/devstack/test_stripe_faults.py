"""What goes wrong on the way to Stripe, and what its idempotency keys make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from devstack.up import Stack
from tests.devstack.builders import (
    a_customer,
    a_draft,
    a_key,
    a_platform,
    an_open_invoice,
    break_next,
    requests_of,
    state_of,
)

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def nothing_left_broken(stack: Stack) -> Iterator[None]:
    yield
    httpx.delete(f"{stack.endpoints.stripe_url}/_faults").raise_for_status()
    httpx.post(f"{stack.endpoints.stripe_url}/_rate_limit", json={"per_second": None}).raise_for_status()


def test_the_same_key_gives_the_first_answer_and_makes_one_customer(
    stack: Stack, platform: stripe.StripeClient
) -> None:
    key, before = a_key(), state_of(stack)["customers"]
    first = platform.v1.customers.create({"name": "Acme"}, {"idempotency_key": key})
    again = platform.v1.customers.create({"name": "Acme"}, {"idempotency_key": key})
    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert state_of(stack)["customers"] == before + 1


def test_the_same_key_with_other_parameters_is_an_error(platform: stripe.StripeClient) -> None:
    key = a_key()
    platform.v1.customers.create({"name": "Acme"}, {"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError):
        platform.v1.customers.create({"name": "Other"}, {"idempotency_key": key})


def test_a_request_that_failed_validation_is_not_remembered(platform: stripe.StripeClient) -> None:
    key = a_key()
    surprising: Any = {"surprise": "x"}
    with pytest.raises(stripe.InvalidRequestError):
        platform.v1.customers.create(surprising, {"idempotency_key": key})
    assert platform.v1.customers.create({"name": "Acme"}, {"idempotency_key": key}).name == "Acme"


def test_a_refusal_by_the_deed_is_remembered(platform: stripe.StripeClient) -> None:
    invoice, key = an_open_invoice(platform), a_key()
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            platform.v1.invoices.finalize_invoice(invoice.id, {}, {"idempotency_key": key})
    assert refused.value.headers is not None
    assert refused.value.headers["Idempotent-Replayed"] == "true"


def test_a_key_of_256_characters_is_refused(platform: stripe.StripeClient) -> None:
    assert platform.v1.customers.create({}, {"idempotency_key": "k" * 255}).id
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        platform.v1.customers.create({}, {"idempotency_key": "k" * 256})


def test_a_forgotten_key_makes_a_second_one(stack: Stack, platform: stripe.StripeClient) -> None:
    key = a_key()
    first = platform.v1.customers.create({}, {"idempotency_key": key})
    assert httpx.delete(f"{stack.endpoints.stripe_url}/_idempotency").json()["pruned"] > 0
    assert platform.v1.customers.create({}, {"idempotency_key": key}).id != first.id


@pytest.mark.parametrize(("fault", "made"), [("error_500_before_commit", 0), ("error_500_after_commit", 1)])
def test_a_500_is_remembered_whether_it_was_done_or_not(
    stack: Stack, platform: stripe.StripeClient, fault: str, made: int
) -> None:
    key, before = a_key(), state_of(stack)["invoices"]
    customer = a_customer(platform).id
    break_next(stack, fault, method="POST", path="/v1/invoices")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            platform.v1.invoices.create({"customer": customer}, {"idempotency_key": key})
        assert failed.value.http_status == 500
    assert state_of(stack)["invoices"] == before + made
    assert len(platform.v1.invoices.list({"customer": customer}).data) == made


def test_after_a_time_out_the_invoice_is_there_and_the_key_finds_it(stack: Stack) -> None:
    hasty = stripe.StripeClient(
        stack.endpoints.stripe_key,
        base_addresses={"api": stack.endpoints.stripe_url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=0.5),
    )
    customer, key = a_customer(hasty).id, a_key()
    break_next(stack, "timeout_after_commit", path="/v1/invoices")
    with pytest.raises(stripe.APIConnectionError):
        hasty.v1.invoices.create({"customer": customer}, {"idempotency_key": key})
    [made] = hasty.v1.invoices.list({"customer": customer}).data
    assert hasty.v1.invoices.create({"customer": customer}, {"idempotency_key": key}).id == made.id


@pytest.mark.parametrize(("fault", "made"), [("connection_drop", 1), ("connection_drop_before_commit", 0)])
def test_a_broken_connection_leaves_it_done_or_not(
    stack: Stack, platform: stripe.StripeClient, fault: str, made: int
) -> None:
    customer = a_customer(platform).id
    break_next(stack, fault, path="/v1/invoices")
    with pytest.raises(stripe.APIConnectionError):
        platform.v1.invoices.create({"customer": customer})
    assert len(platform.v1.invoices.list({"customer": customer}).data) == made


def test_the_clients_own_retry_gets_through_a_broken_connection_once_only(stack: Stack) -> None:
    patient = a_platform(stack, retries=2)
    customer = a_customer(patient).id
    break_next(stack, "connection_drop", method="POST", path="/v1/invoices")
    made = patient.v1.invoices.create({"customer": customer})
    assert [one.id for one in patient.v1.invoices.list({"customer": customer}).data] == [made.id]


def test_a_429_says_when_to_come_back_and_is_not_remembered(stack: Stack, platform: stripe.StripeClient) -> None:
    key = a_key()
    break_next(stack, "rate_limit_429", path="/v1/customers", retry_after=7)
    with pytest.raises(stripe.RateLimitError) as limited:
        platform.v1.customers.create({}, {"idempotency_key": key})
    assert limited.value.headers is not None
    assert limited.value.headers["Retry-After"] == "7"
    assert platform.v1.customers.create({}, {"idempotency_key": key}).id


def test_the_live_limit_is_a_switch(stack: Stack, platform: stripe.StripeClient) -> None:
    httpx.post(f"{stack.endpoints.stripe_url}/_rate_limit", json={"per_second": 3}).raise_for_status()
    with pytest.raises(stripe.RateLimitError):
        [platform.v1.customers.list({"limit": 1}) for _ in range(100)]


def test_a_wrong_total_is_read_back_once_and_the_books_stay_right(stack: Stack, platform: stripe.StripeClient) -> None:
    draft = a_draft(platform)
    platform.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 100}, {"amount": 200}]})
    break_next(stack, "wrong_total", method="GET", path="/v1/invoices/*")
    wrong = platform.v1.invoices.retrieve(draft.id)
    assert (wrong.total, [line.amount for line in wrong.lines.data]) == (301, [101, 200])
    assert platform.v1.invoices.retrieve(draft.id).total == 300


def test_a_fault_waits_for_its_call_and_skips_as_told(stack: Stack, platform: stripe.StripeClient) -> None:
    break_next(stack, "error_500_before_commit", method="POST", path="/v1/invoices/*/finalize", skip=1)
    assert an_open_invoice(platform).status == "open"
    with pytest.raises(stripe.APIError):
        an_open_invoice(platform)
    assert an_open_invoice(platform).status == "open"


def test_an_unknown_fault_is_refused(stack: Stack) -> None:
    assert httpx.post(f"{stack.endpoints.stripe_url}/_faults", json={"fault": "gremlins"}).status_code == 422


def test_a_kill_loses_nothing_that_was_answered(stack: Stack, platform: stripe.StripeClient) -> None:
    key = a_key()
    invoice = an_open_invoice(platform, 1_234)
    customer = platform.v1.customers.create({}, {"idempotency_key": key})
    before = state_of(stack)
    stack.stripe.kill()
    stack.stripe.start()
    assert state_of(stack) == before
    assert platform.v1.invoices.retrieve(invoice.id).total == 1_234
    assert platform.v1.customers.create({}, {"idempotency_key": key}).id == customer.id


def test_invoices_are_counted_by_metadata_and_every_call_is_in_the_log(
    stack: Stack, platform: stripe.StripeClient
) -> None:
    close, key = a_key(), a_key()
    customer = a_customer(platform).id
    for _ in range(2):
        a_draft(platform, customer, metadata={"close": close})
    platform.v1.customers.create({}, {"idempotency_key": key})
    platform.v1.customers.create({}, {"idempotency_key": key})
    assert state_of(stack, metadata="close")["invoices_by_metadata"][close] == 2
    logged = [
        (one["method"], one["status"], one["replayed"]) for one in requests_of(stack) if one["idempotency_key"] == key
    ]
    assert logged == [("POST", 200, False), ("POST", 200, True)]
