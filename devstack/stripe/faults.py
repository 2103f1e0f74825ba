"""Switches that make the double misbehave as the real one can: the next calls that match, and no others."""

from __future__ import annotations

import copy
import time
from collections import deque
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from devstack.stripe.store import Json

Kind = Literal[
    "timeout_after_commit",  # done and saved, but the answer never comes
    "error_500_before_commit",  # not done, answered 500; the key remembers the 500
    "error_500_after_commit",  # done, answered 500; the key remembers the 500
    "rate_limit_429",  # not done, not remembered
    "wrong_total",  # one line and the total are read back one minor unit too high
    "connection_drop",  # done and saved, then the connection breaks
    "connection_drop_before_commit",  # not done, and the connection breaks
    "webhook_duplicate",  # the next events are delivered twice
    "webhook_reorder",  # the next events are delivered after the event that follows them
]


class Fault(BaseModel):
    """What happens to the next `times` calls by `method` on a path like `path`, after the first `skip` of them."""

    model_config = ConfigDict(extra="forbid")

    fault: Kind
    times: int = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    method: str = "*"
    path: str = "*"
    seconds: float = Field(default=120, description="how long a time-out keeps the caller waiting")
    retry_after: int = Field(default=1, description="the Retry-After of a 429, in seconds")

    def matches(self, method: str, path: str) -> bool:
        """Return whether this fault is meant for such a call."""
        return self.method in ("*", method) and fnmatchcase(path, self.path)


class Faults:
    """The faults still to happen, in the order they were asked for. Kept in memory: a restart clears them."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """Return the faults still to happen."""
        return [fault.model_dump() for fault in self._waiting]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault of an API call, if one is due, and count it."""
        return self._take([fault for fault in self._waiting if not _of_webhooks(fault) and fault.matches(method, path)])

    def take_webhook(self, event_type: str) -> Fault | None:
        """Return the fault of an event's delivery, if one is due, and count it; its `path` means the event's type."""
        return self._take([fault for fault in self._waiting if _of_webhooks(fault) and fault.matches("*", event_type)])

    def _take(self, matching: list[Fault]) -> Fault | None:
        for fault in matching:
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times == 0:
                self._waiting.remove(fault)
            return fault
        return None


def _of_webhooks(fault: Fault) -> bool:
    return fault.fault.startswith("webhook_")


def with_wrong_total(answer: Json) -> Json:
    """Return an invoice, or a page of lines, with one line (and the invoice's sums) one minor unit too high."""
    wrong = copy.deepcopy(answer)
    lines = wrong["lines"]["data"] if wrong.get("object") == "invoice" else wrong.get("data", [])
    for name in ("amount", "subtotal"):
        if lines and name in lines[0]:
            lines[0][name] += 1
    for name in (
        "subtotal",
        "subtotal_excluding_tax",
        "total",
        "total_excluding_tax",
        "amount_due",
        "amount_remaining",
    ):
        if wrong.get("object") == "invoice":
            wrong[name] += 1
    return wrong


class RateLimit:
    """At most so many calls within a second, as in live mode; off until a limit is set."""

    def __init__(self) -> None:
        self.per_second: int | None = None
        self._calls: deque[float] = deque()

    def allows(self) -> bool:
        """Return whether one more call is allowed now, and count it when it is."""
        if self.per_second is None:
            return True
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        if len(self._calls) >= self.per_second:
            return False
        self._calls.append(now)
        return True
