"""The way to the workflows: asked before each decision, and for a page at most every few seconds."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from runtime.reach import ASK_EVERY_SECONDS, Reach, TemporalUnreachable


class Server:
    """Workflows that answer, or do not."""

    def __init__(self, up: bool = True) -> None:
        self.up = up
        self.asked = 0
        self.service_client = self

    async def check_health(self, timeout: timedelta) -> bool:
        self.asked += 1
        if not self.up:
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
        return True

    async def connect(self) -> Any:
        return self


def test_nothing_is_decided_on_workflows_that_stopped_answering() -> None:
    server = Server()
    reach = Reach(server.connect)
    asyncio.run(reach.client())
    server.up = False
    with pytest.raises(TemporalUnreachable, match="Nothing is lost"):
        asyncio.run(reach.client())


def test_without_a_way_nothing_is_decided() -> None:
    reach = Reach(None)
    with pytest.raises(TemporalUnreachable):
        asyncio.run(reach.client())
    assert not asyncio.run(reach.answers())


def test_pages_made_in_a_row_ask_once() -> None:
    server, at = Server(up=False), [100.0]
    reach = Reach(server.connect, lambda: at[0])
    assert [asyncio.run(reach.answers()) for _ in range(3)] == [False, False, False]
    assert server.asked == 1
    server.up = True
    at[0] += ASK_EVERY_SECONDS
    assert asyncio.run(reach.answers())
    assert server.asked == 2


def test_what_a_page_can_do_without_is_nothing_where_nobody_answers() -> None:
    async def question(client: Any) -> str | None:
        return "three tries"

    async def refused(client: Any) -> str | None:
        raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")

    async def slow(client: Any) -> str | None:
        await asyncio.Event().wait()
        return None

    server = Server()
    reach = Reach(server.connect)
    assert asyncio.run(reach.asked(question)) == "three tries"
    assert asyncio.run(reach.asked(refused)) is None
    assert asyncio.run(reach.asked(slow)) is None
    server.up = False  # it answered a moment ago, so that is not asked again
    assert asyncio.run(reach.asked(question)) is None
    assert asyncio.run(Reach(None).asked(question)) is None
