"""Signatures are those of the specification's own example; an event says what the customer's pages say."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from billing.webhooks import SecretUnusable, body_of, headers_of, signature, signing
from models.notice import CHOICES, FOR_FINANCE, OWED, Notice, NoticeKind
from models.webhook import TYPES, Answer, Sealed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def a_notice() -> Notice:
    """Return the notice of an invoice."""
    return Notice(
        id="invoice_ready/2026-10@1/acme/USD",
        kind=NoticeKind.INVOICE_READY,
        customer="acme",
        period="2026-10",
        subject="Invoice 1",
        sentences=("Due: 12.10 USD.",),
        path="/invoices/2026-10@1/acme/USD",
        facts={"total": "12.1", "currency": "USD"},
        written_at=AT,
    )


def test_the_published_example_has_the_published_signature() -> None:
    made = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", '{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_is_the_notice_with_its_numbers_as_text_and_the_same_bytes_every_time() -> None:
    body = body_of(a_notice(), "https://portal.example/")
    assert body == body_of(a_notice(), "https://portal.example")
    assert json.loads(body) == {
        "id": "invoice_ready/2026-10@1/acme/USD",
        "type": "invoice.ready",
        "timestamp": "2026-11-02T12:00:00Z",
        "data": {
            "customer": "acme",
            "period": "2026-10",
            "subject": "Invoice 1",
            "sentences": ["Due: 12.10 USD."],
            "link": "https://portal.example/invoices/2026-10@1/acme/USD",
            "total": "12.1",
            "currency": "USD",
        },
    }


def test_a_delivery_names_itself_and_has_a_signature_for_each_secret_without_a_stop_in_its_id() -> None:
    headers = headers_of("pool_used/acme/call.minutes/75", [SECRET, "whsec_AAAA"], AT, "{}")
    assert headers["webhook-id"] == "pool_used/acme/call%2Eminutes/75"
    assert headers["webhook-timestamp"] == "1793620800"
    first, second = headers["webhook-signature"].split(" ")
    assert first == signature(SECRET, headers["webhook-id"], "1793620800", "{}") != second


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(SecretUnusable):
        signature("whsec_not base64", "m", "1", "{}")


def test_a_replaced_secret_signs_for_a_day_more() -> None:
    old = Sealed(sealed="old", made_at=AT - timedelta(days=30))
    older = Sealed(sealed="older", made_at=AT - timedelta(days=60))
    new = Sealed(sealed="new", made_at=AT)
    for later, expected in ((0, ["new", "old"]), (23, ["new", "old"]), (24, ["new"])):
        found = signing([older, old, new], AT + timedelta(hours=later))
        assert [one.sealed for one in found] == expected
    assert signing([old], AT + timedelta(days=900)) == (old,)


def test_every_notice_of_a_customer_is_an_event_and_none_of_finance_is() -> None:
    assert set(TYPES) == OWED | set(CHOICES)
    assert not set(TYPES) & FOR_FINANCE


@pytest.mark.parametrize(("status", "accepted"), [(200, True), (299, True), (199, False), (301, False), (None, False)])
def test_only_a_2xx_is_taken(status: int | None, accepted: bool) -> None:
    assert Answer(status=status, milliseconds=1, detail="").accepted is accepted
