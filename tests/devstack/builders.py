"""What the Stripe tests start from: each says only what matters to it."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import stripe

from devstack.up import Stack


def a_customer(platform: stripe.StripeClient, **more: Any) -> stripe.Customer:
    params: Any = {"name": "Acme", "email": "billing@acme.test", **more}
    return platform.v1.customers.create(params)


def a_draft(platform: stripe.StripeClient, customer: str | None = None, **more: Any) -> stripe.Invoice:
    params: Any = {
        "customer": customer or a_customer(platform).id,
        "currency": "usd",
        "auto_advance": False,
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "pending_invoice_items_behavior": "exclude",
        **more,
    }
    return platform.v1.invoices.create(params)


def an_open_invoice(platform: stripe.StripeClient, amount: int = 1_000, customer: str | None = None) -> stripe.Invoice:
    draft = a_draft(platform, customer)
    platform.v1.invoices.add_lines(draft.id, {"lines": [{"amount": amount, "description": "usage"}]})
    return platform.v1.invoices.finalize_invoice(draft.id)


def a_key() -> str:
    return uuid.uuid4().hex


def break_next(stack: Stack, fault: str, **more: Any) -> None:
    """Let a fault happen to the next call that matches."""
    httpx.post(f"{stack.endpoints.stripe_url}/_faults", json={"fault": fault, **more}).raise_for_status()


def state_of(stack: Stack, **query: str) -> dict[str, Any]:
    state: dict[str, Any] = httpx.get(f"{stack.endpoints.stripe_url}/_state", params=query).raise_for_status().json()
    return state


def requests_of(stack: Stack) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = (
        httpx.get(f"{stack.endpoints.stripe_url}/_requests").raise_for_status().json()["requests"]
    )
    return requests


def a_platform(stack: Stack, retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient(
        stack.endpoints.stripe_key,
        base_addresses={"api": stack.endpoints.stripe_url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=5),
    )
