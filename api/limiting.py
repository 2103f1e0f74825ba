"""Limiting: how many questions a key may ask a minute, told in each answer.

Header fields as in draft-ietf-httpapi-ratelimit-headers (RateLimit-Policy, RateLimit) and RFC 9110 (Retry-After). Each
process counts its own.
"""

import math
import time
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problem
from api.problem import Problem

SECONDS = 60
MOST_BYTES = 256 * 1024
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Limits:
    """How many reads and writes a key may make a minute, and how many it made."""

    reads: int = 600
    writes: int = 60
    _counter: SlidingWindowCounterRateLimiter = field(
        default_factory=lambda: SlidingWindowCounterRateLimiter(MemoryStorage())
    )

    def spend(self, request: Request, who: str, *, changes: bool | None = None) -> None:
        """Count a question of somebody's, and note for the answer what is left; raises Problem 429.

        `changes` says whether it is a write, where its method does not.
        """
        wrote = request.method not in SAFE if changes is None else changes
        name, most = ("write", self.writes) if wrote else ("read", self.reads)
        item = RateLimitItemPerMinute(most, namespace=name)
        taken = self._counter.hit(item, who)
        stats = self._counter.get_window_stats(item, who)
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        request.state.limits = {
            "RateLimit-Policy": f'"{name}";q={most};w={SECONDS}',
            "RateLimit": f'"{name}";r={max(stats.remaining, 0)};t={wait}',
        }
        if not taken:
            said = f"this key may ask {most} times a minute to {name}"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many", said, {"Retry-After": str(wait)})


class Guarded:
    """Refuses bodies longer than any of ours, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**state.get("limits", {}), "X-Content-Type-Options": "nosniff"}.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = _refused(scope, self._most)
        if refused is not None:
            answer = problem.answer(refused.status, refused.kind, refused.detail, {})
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


def _refused(scope: Scope, most: int) -> Problem | None:
    headers = Request(scope).headers
    if headers.get("transfer-encoding") is not None:
        return Problem(HTTPStatus.LENGTH_REQUIRED, "no_length", "a body says its length")
    length = headers.get("content-length", "0")
    if not (length.isdecimal() and int(length) <= most):
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_long", f"a body has at most {most} bytes")
    return None
