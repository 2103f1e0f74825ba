"""Once: a write is done once for its caller and Idempotency-Key, however often it is sent.

As draft-ietf-httpapi-idempotency-key-header has it: the same key and request gets the first answer again, the same key
with another request 422, one whose first is still being answered 409. What failed on our side is not kept.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Header, Request, Response
from starlette.concurrency import run_in_threadpool

from activities.ports import Clock
from api.problem import Problem
from api.refused import IDEMPOTENCY_KEY, REFUSED, answer_to
from models.access import KeptWrite

HELD = timedelta(minutes=5)
"""How long a write is believed to be under way; whoever asks again after that does it, under the same ids."""

Key = Annotated[
    str,
    Header(
        alias=IDEMPOTENCY_KEY,
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="new for each write, such as a UUID; the same for the same write sent again",
    ),
]
"""The header every write has; in quotes, as the draft has it, or bare."""


class Writes(Protocol):
    """Where writes and their answers are kept (`adapters.postgres.api_writes.PostgresApiWrites`)."""

    def begin(
        self, caller: str, key: str, customer: str | None, request: str, at: datetime, until: datetime
    ) -> KeptWrite | None:
        """Return None where the write is begun by this; else the one that is there."""
        ...

    def answer(
        self, caller: str, key: str, customer: str | None, status: int, media_type: str, body: str, at: datetime
    ) -> None:
        """Keep the answer."""
        ...

    def give_up(self, caller: str, key: str, customer: str | None, at: datetime) -> None:
        """Hold the write no longer."""
        ...


@dataclass(frozen=True)
class Once:
    """One write: by whom, under which key, of which customer (None: finance's), and the hash of what is asked."""

    writes: Writes
    clock: Clock
    caller: str
    key: str
    customer: str | None
    request: str

    @property
    def id(self) -> UUID:
        """The id of what the write makes: the same however often it is sent, and no other caller's for any key."""
        return uuid5(NAMESPACE_URL, f"urn:tieout:write:{self.caller} {self.key}")  # neither has a space

    async def answered(self, act: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer of an act, or the one it had before; raises Problem 409, 422."""
        now = self.clock.now()
        mine = (self.caller, self.key, self.customer)
        kept = await run_in_threadpool(self.writes.begin, *mine, self.request, now, now + HELD)
        if kept is not None:
            return _again(kept, self.request)
        whole = False
        try:
            answer = await _done(act)
            whole = answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
            if whole:
                await run_in_threadpool(
                    self.writes.answer, *mine, answer.status_code, str(answer.media_type),
                    bytes(answer.body).decode(), self.clock.now(),
                )  # fmt: skip
            return answer
        finally:
            if not whole:
                await run_in_threadpool(self.writes.give_up, *mine, self.clock.now())


async def once_of(request: Request, writes: Writes, clock: Clock, caller: str, customer: str | None, key: str) -> Once:
    """Return the write that a request asks for: equal method, address and bytes are an equal request."""
    body = await request.body()
    said = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body
    bare = key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key
    return Once(writes, clock, caller, bare, customer, hashlib.sha256(said).hexdigest())


def _again(kept: KeptWrite, request: str) -> Response:
    if kept.request != request:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "key_reused", "this key was used for another write")
    if kept.status is None:
        said = "the first of this write is still being answered"
        raise Problem(HTTPStatus.CONFLICT, "under_way", said, {"Retry-After": "1"})
    return Response(kept.body, kept.status, {"Cache-Control": "no-store"}, kept.media_type)


async def _done(act: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await act()
    except REFUSED as refused:
        return answer_to(refused)
