"""Webhook endpoints, and the delivery of events to them: signed, retried, possibly twice or out of order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import sqlite3
import time

import httpx

from devstack.stripe.errors import invalid
from devstack.stripe.faults import Faults
from devstack.stripe.listing import newest
from devstack.stripe.shop import API_VERSION, Shop, merged_metadata, new_id
from devstack.stripe.store import Json

KIND = "webhook_endpoint"
LONGEST_WAIT_SECONDS = 3_600
GIVE_UP_AFTER = 20
HELD_AT_MOST_SECONDS = 5  # an event to be overtaken goes out all the same when none follows

log = logging.getLogger("stripe.webhooks")


def create(shop: Shop, params: Json) -> Json:
    """Return a new endpoint with its signing secret, which is shown this once. All endpoints here share one secret."""
    if not params["url"].startswith(("http://", "https://")):
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url", "url_invalid")
    endpoint = {
        "id": new_id("we"),
        "object": KIND,
        "api_version": API_VERSION,
        "application": None,
        "created": shop.now(),
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": merged_metadata({}, params.get("metadata")),
        "status": "enabled",
        "url": params["url"],
    }
    shop.store.add(endpoint)
    return endpoint | {"secret": shop.webhook_secret}


def delete(shop: Shop, _params: Json, webhook_endpoint: str) -> Json:
    """Delete an endpoint; what it was still owed is dropped."""
    shop.need(KIND, webhook_endpoint)
    shop.store.remove(webhook_endpoint)
    shop.store.sql.execute("DELETE FROM deliveries WHERE endpoint = ? AND delivered_at IS NULL", (webhook_endpoint,))
    return {"id": webhook_endpoint, "object": KIND, "deleted": True}


def retrieve(shop: Shop, _params: Json, webhook_endpoint: str) -> Json:
    """Return an endpoint, without its secret."""
    return shop.need(KIND, webhook_endpoint)


def listed(shop: Shop, params: Json) -> Json:
    """Return a page of endpoints, newest first."""
    return newest(shop.store, KIND, params, "/v1/webhook_endpoints")


def event(shop: Shop, _params: Json, event: str) -> Json:
    """Return an event."""
    return shop.need("event", event)


def events(shop: Shop, params: Json) -> Json:
    """Return a page of events, newest first; of one type, if asked."""
    return newest(shop.store, "event", params, "/v1/events", equal={"status": params.get("type")})


def signature(payload: bytes, secret: str, at: int) -> str:
    """Return the Stripe-Signature header of a payload: `t=…,v1=…`, HMAC-SHA256 over time stamp and payload."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Deliveries:
    """Send owed events in order, each until its endpoint answers 2xx, after 1, 2, 4 … seconds, at most an hour."""

    def __init__(self, shop: Shop, faults: Faults) -> None:
        self._shop = shop
        self._sql = shop.store.sql
        self._faults = faults
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look for owed events now."""
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            while True:
                self._news.clear()
                due = self._sql.execute(
                    "SELECT * FROM deliveries WHERE delivered_at IS NULL AND due_at <= ? ORDER BY seq", (time.time(),)
                ).fetchall()
                for row in due:
                    await self._deliver(client, row)
                try:
                    await asyncio.wait_for(self._news.wait(), self._seconds_to_next())
                except TimeoutError:
                    continue

    def _seconds_to_next(self) -> float | None:
        row = self._sql.execute("SELECT min(due_at) AS at FROM deliveries WHERE delivered_at IS NULL").fetchone()
        return None if row["at"] is None else max(0.0, row["at"] - time.time())

    async def _deliver(self, client: httpx.AsyncClient, row: sqlite3.Row) -> None:
        event, endpoint = self._shop.store.find("event", row["event"]), self._shop.store.find(KIND, row["endpoint"])
        if event is None or endpoint is None:
            self._sql.execute("DELETE FROM deliveries WHERE seq = ?", (row["seq"],))
            return
        fault = self._faults.take_webhook(event["type"]) if row["attempts"] == 0 and not row["held"] else None
        if fault is not None and fault.fault == "webhook_reorder":
            held_until = time.time() + HELD_AT_MOST_SECONDS
            self._sql.execute("UPDATE deliveries SET held = 1, due_at = ? WHERE seq = ?", (held_until, row["seq"]))
            return
        delivered = await _post(client, endpoint["url"], event, self._shop.webhook_secret)
        if delivered and fault is not None:
            await _post(client, endpoint["url"], event, self._shop.webhook_secret)
        if delivered or row["attempts"] + 1 >= GIVE_UP_AFTER:
            self._sql.execute("UPDATE deliveries SET delivered_at = ? WHERE seq = ?", (time.time(), row["seq"]))
            self._sql.execute(
                "UPDATE deliveries SET due_at = 0 WHERE held = 1 AND delivered_at IS NULL AND seq < ?", (row["seq"],)
            )
        else:
            due_at = time.time() + min(LONGEST_WAIT_SECONDS, 2 ** row["attempts"])
            self._sql.execute(
                "UPDATE deliveries SET attempts = attempts + 1, due_at = ? WHERE seq = ?", (due_at, row["seq"])
            )


async def _post(client: httpx.AsyncClient, url: str, event: Json, secret: str) -> bool:
    payload = json.dumps(event, indent=2).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0 (+devstack)"}
    headers["Stripe-Signature"] = signature(payload, secret, int(time.time()))
    try:
        answer = await client.post(url, content=payload, headers=headers)
    except httpx.HTTPError as error:
        log.warning("not delivered: %s to %s: %s", event["type"], url, error)
        return False
    return answer.is_success
