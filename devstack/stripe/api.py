"""Serve one API call the way Stripe does: key, limit, idempotency, parameters, deed, in one transaction."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.stripe import idempotency
from devstack.stripe.errors import StripeError, internal
from devstack.stripe.faults import Fault, Faults, RateLimit, with_wrong_total
from devstack.stripe.form import decoded
from devstack.stripe.idempotency import Answer
from devstack.stripe.operations import Operation, operation_for
from devstack.stripe.shop import API_VERSION, Shop

log = logging.getLogger("stripe.api")


@dataclass(frozen=True)
class Call:
    """A request as it came in."""

    method: str
    path: str
    text: str  # the form, or the query string
    key: str | None  # the secret key it authenticates with
    idempotency_key: str | None
    version: str | None


@dataclass(frozen=True)
class Served:
    """What to answer, and what is to go wrong on the way back."""

    answer: Answer
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


class Api:
    """The API of one account with one secret key."""

    def __init__(self, shop: Shop, key: str) -> None:
        self.shop = shop
        self.faults = Faults()
        self.rate_limit = RateLimit()
        self._key = key

    def serve(self, call: Call) -> Served:
        """Return the answer to a call.

        It is committed, with its idempotency key and its line in the log, before this returns.
        """
        fault: Fault | None = None
        replayed = False
        with self.shop.store.transaction():
            try:
                self._admit(call)
                found = operation_for(call.method, call.path)
                if found is None:
                    raise StripeError(404, f"Unrecognized request URL ({call.method}: {call.path}).")
                fault = self.faults.take(call.method, call.path)
                if fault is not None and fault.fault == "rate_limit_429":
                    raise too_many()
                answer, replayed = self._once(call, *found, fault)
            except StripeError as error:
                answer = Answer(error.status, error.body())
            self._note(call, answer, replayed, fault)
        headers = {"Request-Id": "req_" + secrets.token_hex(7), "Stripe-Version": API_VERSION}
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        if answer.status == 429:
            headers["Retry-After"] = str(fault.retry_after if fault is not None else 1)
        if fault is not None and fault.fault == "wrong_total" and answer.status == 200:
            answer = Answer(200, with_wrong_total(answer.body))
        return Served(answer, headers, fault)

    def _admit(self, call: Call) -> None:
        if call.key is None or not secrets.compare_digest(call.key.encode(), self._key.encode()):
            raise StripeError(401, "Invalid API Key provided.", saved=False)
        if call.version not in (None, API_VERSION):
            raise StripeError(
                400, f"This account is on API version {API_VERSION}; {call.version} is not served.", saved=False
            )
        if not self.rate_limit.allows():
            raise too_many()

    def _once(
        self, call: Call, operation: Operation, ids: Mapping[str, str], fault: Fault | None
    ) -> tuple[Answer, bool]:
        """Return the answer, and whether it is one saved earlier. Only POST has idempotency keys."""
        store = self.shop.store
        given = decoded(call.text)
        key = call.idempotency_key if call.method == "POST" else None
        if key is not None and (earlier := idempotency.saved(store, key, call.method, call.path, given)):
            return earlier, True
        if fault is not None and fault.fault == "connection_drop_before_commit":
            return Answer(0, {}), False
        try:
            with store.attempt():
                answer = Answer(200, self._do(operation, ids, given, fault))
        except StripeError as error:
            if not error.saved:
                raise
            answer = Answer(error.status, error.body())
        except Exception:
            # A fault of the double itself. Undone, logged with its trace, and not remembered.
            log.exception("%s %s", call.method, call.path)
            return Answer(500, internal().body()), False
        if fault is not None and fault.fault == "error_500_after_commit":
            answer = Answer(500, internal().body())
        if key is not None:
            idempotency.save(store, key, call.method, call.path, given, answer)
        return answer, False

    def _do(
        self, operation: Operation, ids: Mapping[str, str], given: Mapping[str, Any], fault: Fault | None
    ) -> dict[str, Any]:
        params = operation.check(given)
        if fault is not None and fault.fault == "error_500_before_commit":
            raise internal()
        return operation.handler(self.shop, params, **ids)

    def _note(self, call: Call, answer: Answer, replayed: bool, fault: Fault | None) -> None:
        self.shop.store.sql.execute(
            "INSERT INTO requests (at, method, path, status, idempotency_key, replayed, fault)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                time.time(),
                call.method,
                call.path,
                answer.status,
                call.idempotency_key,
                replayed,
                fault.fault if fault is not None else None,
            ),
        )


def too_many() -> StripeError:
    """Return Stripe's 429."""
    return StripeError(429, "Request rate limit exceeded.", code="rate_limit", saved=False)
