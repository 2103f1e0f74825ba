"""What the handlers of the double share: the store, the clock, new ids, and the events everything leaves behind."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stripe._api_version import _ApiVersion

from devstack.stripe.errors import invalid, missing
from devstack.stripe.store import Json, Store

API_VERSION = _ApiVersion.CURRENT
ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Shop:
    """One Stripe account."""

    store: Store
    base_url: str
    webhook_secret: str

    def now(self) -> int:
        """Return the Unix time in seconds, as Stripe stamps its objects."""
        return int(time.time())

    def need(self, kind: str, identifier: str, param: str = "id", status: int = 404) -> Json:
        """Return an object.

        Raises:
            StripeError: it is not there (404; 400 when a parameter names it).
        """
        found = self.store.find(kind, identifier)
        if found is None:
            raise missing(kind, identifier, param, status)
        return found

    def emit(self, name: str, thing: Mapping[str, Any]) -> None:
        """Record an event with the object as it is now, and owe it to every webhook endpoint that wants it."""
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": {"object": dict(thing)},
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": None},
            "type": name,
        }
        wanting = [
            endpoint["id"]
            for endpoint in self.store.all("webhook_endpoint")
            if endpoint["status"] == "enabled" and {"*", name} & set(endpoint["enabled_events"])
        ]
        event["pending_webhooks"] = len(wanting)
        self.store.add(event, status=name)
        for endpoint in wanting:
            self.store.sql.execute(
                "INSERT INTO deliveries (event, endpoint, due_at) VALUES (?, ?, ?)",
                (event["id"], endpoint, time.time()),
            )


def new_id(prefix: str) -> str:
    """Return a new id such as in_Ab3…, 24 letters and digits after the prefix."""
    return f"{prefix}_" + "".join(secrets.choice(ALPHABET) for _ in range(24))


def merged_metadata(old: Mapping[str, str], change: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return metadata after a change: an empty value unsets its key, an empty string unsets all.

    Raises:
        StripeError: more than 50 keys, a key over 40 or a value over 500 characters.
    """
    if change is None:
        return dict(old)
    if isinstance(change, str):
        return {}
    metadata = {name: value for name, value in {**old, **change}.items() if value != ""}
    if len(metadata) > 50:
        raise invalid("You can set at most 50 keys of metadata", "metadata")
    for name, value in metadata.items():
        if len(name) > 40:
            raise invalid(f"Metadata keys can have up to 40 characters: {name}", "metadata")
        if len(value) > 500:
            raise invalid(f"Metadata values can have up to 500 characters: {name}", f"metadata[{name}]")
    return metadata


def checked_currency(currency: str) -> str:
    """Return a currency code as Stripe keeps it.

    Raises:
        StripeError: it is not three lowercase letters.
    """
    if len(currency) != 3 or not currency.isascii() or not currency.islower():
        raise invalid(f"Invalid currency: {currency}. Give a lowercase ISO code", "currency")
    return currency
