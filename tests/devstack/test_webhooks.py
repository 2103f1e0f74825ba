"""The customer's system of the stack: only who trusts its authority speaks to it, and it keeps what it is told."""

from datetime import UTC, datetime

import pytest

from adapters.webhook_client import WebhookClient
from billing.webhooks import headers_of
from devstack.up import Stack
from devstack.webhooks import is_signed

pytestmark = pytest.mark.stack

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_it_keeps_what_it_is_told_over_a_kill_and_is_told_by_who_trusts_it(stack: Stack) -> None:
    service, before = stack.webhooks, len(stack.webhooks.events)
    client = WebhookClient(loopback=True, authority=str(service.authority))
    headers = headers_of("invoice_ready/1", [SECRET], datetime.now(UTC), "{}")
    assert client.post(service.url, headers, "{}").status == 200
    service.kill()
    assert client.post(service.url, headers, "{}").detail == "it can't be reached"
    service.start()
    assert client.post(service.url, headers, '{"more": 1}').status == 200
    first, second = service.events[before:]
    assert is_signed(first, SECRET)
    assert not is_signed(second, SECRET)  # another body than was signed
    assert not is_signed(first, "whsec_QUJD")
    stranger = WebhookClient(loopback=True)
    assert stranger.post(service.url, headers, "{}").detail == "its certificate is not good for its name"
    assert len(service.events) == before + 2
