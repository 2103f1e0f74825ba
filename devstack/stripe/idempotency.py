"""Idempotency keys, as Stripe keeps them: the first status and body of a key, a 500 too, and for a day only."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devstack.stripe.errors import StripeError
from devstack.stripe.store import Json, Store

LONGEST_KEY = 255


@dataclass(frozen=True)
class Answer:
    """A status and body."""

    status: int
    body: Json


def saved(store: Store, key: str, method: str, path: str, params: Mapping[str, Any]) -> Answer | None:
    """Return what was answered to this key the first time, or None.

    Raises:
        StripeError: the key is over 255 characters, or was first used with another path or other parameters.
    """
    if len(key) > LONGEST_KEY:
        raise StripeError(400, f"An idempotency key can have up to {LONGEST_KEY} characters.", saved=False)
    row = store.sql.execute("SELECT request, status, body FROM idempotency WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row["request"] != _digest(method, path, params):
        raise StripeError(
            400,
            "Keys for idempotent requests can only be used with the same parameters and endpoint they were first used "
            f"with. Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
            saved=False,
        )
    return Answer(row["status"], json.loads(row["body"]))


def save(store: Store, key: str, method: str, path: str, params: Mapping[str, Any], answer: Answer) -> None:
    """Remember an answer under its key."""
    store.sql.execute(
        "INSERT INTO idempotency (key, request, status, body, saved_at) VALUES (?, ?, ?, ?, ?)",
        (key, _digest(method, path, params), answer.status, json.dumps(answer.body), int(time.time())),
    )


def prune(store: Store, older_than_seconds: int) -> int:
    """Forget the keys of at least this age (0: all), and return how many; Stripe may do so after a day."""
    return store.sql.execute(
        "DELETE FROM idempotency WHERE saved_at <= ?", (int(time.time()) - older_than_seconds,)
    ).rowcount


def _digest(method: str, path: str, params: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([method, path, params], sort_keys=True).encode()).hexdigest()
