"""Live parts: sent again when they change, and to nobody whose session has ended."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.web.conftest import World
from web.live import event, live


class Watched:
    """A request that goes away after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    async def is_disconnected(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def sent(texts: list[str], looks: int, stamps: list[str] | None = None, since: str | None = None) -> list[str]:
    """Return what a stream sends of the texts read one after the other."""
    stamp = (lambda: stamps.pop(0)) if stamps else None
    answer = live(Watched(looks), lambda: texts.pop(0), every=0.0, stamp=stamp, since=since)  # type: ignore[arg-type]
    body: AsyncIterator[str] = answer.body_iterator  # type: ignore[assignment]

    async def all_of_it() -> list[str]:
        return [part async for part in body]

    return asyncio.run(all_of_it())


def test_a_part_is_sent_when_it_changes_and_not_before() -> None:
    assert sent(["a", "a", "b", "b"], 4) == ["retry: 3000\n\n", "data: a\n\n", "data: b\n\n"]


def test_a_text_is_made_only_when_its_stamp_moved_and_not_for_what_the_page_shows() -> None:
    texts = ["two", "three"]
    assert sent(texts, 4, ["1", "2", "2", "3"], since="1") == ["retry: 3000\n\n", "data: two\n\n", "data: three\n\n"]
    assert texts == []


def test_a_text_of_lines_is_one_event() -> None:
    assert event("<p>\r\n1</p>\n") == "data: <p>\ndata: 1</p>\ndata: \n\n"


@pytest.mark.stack
def test_a_stream_is_refused_without_a_session_rather_than_sent_to_sign_in(world: World) -> None:
    answer = world.browser().get("/live/overview", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 401
    assert answer.content == b""
