"""Webhooks of the double: signed as Stripe signs, retried, repeated and out of order when asked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import stripe

from devstack.up import Stack
from tests.devstack.builders import a_draft, an_open_invoice, break_next

pytestmark = pytest.mark.stack


@dataclass
class Inbox:
    """An endpoint that keeps what it receives.

    It answers 500 to the next `refusals` deliveries, and keeps none of them.
    """

    url: str = ""
    refusals: int = 0
    mail: queue.Queue[tuple[bytes, str]] = field(default_factory=queue.Queue)

    def next_event(self, secret: str) -> stripe.Event:
        payload, signature = self.mail.get(timeout=20)
        event: stripe.Event = stripe.Webhook.construct_event(payload, signature, secret)
        return event


@pytest.fixture
def inbox(stack: Stack, platform: stripe.StripeClient) -> Iterator[Inbox]:
    inbox = Inbox()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            if inbox.refusals > 0:
                inbox.refusals -= 1
                self.send_response(500)
            else:
                inbox.mail.put((payload, self.headers["Stripe-Signature"]))
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        inbox.url = f"http://127.0.0.1:{server.server_port}/hook"
        endpoint = platform.v1.webhook_endpoints.create(
            {"url": inbox.url, "enabled_events": ["invoice.created", "invoice.finalized"]}
        )
        assert endpoint.secret == stack.endpoints.stripe_webhook_secret
        yield inbox
        platform.v1.webhook_endpoints.delete(endpoint.id)
        httpx.delete(f"{stack.endpoints.stripe_url}/_faults").raise_for_status()
        server.shutdown()


def test_an_event_arrives_signed_and_only_those_asked_for(
    stack: Stack, platform: stripe.StripeClient, inbox: Inbox
) -> None:
    invoice = an_open_invoice(platform)
    secret = stack.endpoints.stripe_webhook_secret
    created, finalized = inbox.next_event(secret), inbox.next_event(secret)
    assert [created.type, finalized.type] == ["invoice.created", "invoice.finalized"]
    assert finalized.data.object["id"] == invoice.id
    assert finalized.data.object["status"] == "open"
    assert platform.v1.events.retrieve(finalized.id).type == "invoice.finalized"
    newest = platform.v1.events.list({"type": "invoice.finalized", "limit": 1}).data
    assert [one.id for one in newest] == [finalized.id]


def test_a_wrong_secret_does_not_verify(platform: stripe.StripeClient, inbox: Inbox) -> None:
    a_draft(platform)
    with pytest.raises(stripe.SignatureVerificationError):
        inbox.next_event("whsec_other")


def test_a_refused_delivery_is_tried_again(stack: Stack, platform: stripe.StripeClient, inbox: Inbox) -> None:
    inbox.refusals = 1
    draft = a_draft(platform)
    assert inbox.next_event(stack.endpoints.stripe_webhook_secret).data.object["id"] == draft.id


def test_an_event_comes_twice_when_told_to(stack: Stack, platform: stripe.StripeClient, inbox: Inbox) -> None:
    break_next(stack, "webhook_duplicate", path="invoice.created")
    a_draft(platform)
    secret = stack.endpoints.stripe_webhook_secret
    assert inbox.next_event(secret).id == inbox.next_event(secret).id


def test_an_event_is_overtaken_when_told_to(stack: Stack, platform: stripe.StripeClient, inbox: Inbox) -> None:
    break_next(stack, "webhook_reorder", path="invoice.created")
    an_open_invoice(platform)
    secret = stack.endpoints.stripe_webhook_secret
    assert [inbox.next_event(secret).type, inbox.next_event(secret).type] == ["invoice.finalized", "invoice.created"]


def test_an_event_owed_at_a_kill_is_delivered_after_the_restart(
    stack: Stack, platform: stripe.StripeClient, inbox: Inbox
) -> None:
    inbox.refusals = 1
    draft = a_draft(platform)
    stack.stripe.kill()
    stack.stripe.start()
    assert inbox.next_event(stack.endpoints.stripe_webhook_secret).data.object["id"] == draft.id
