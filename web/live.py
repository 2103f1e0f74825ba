"""Live: a part of a page, sent again whenever it changes, for as long as somebody looks (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator, Callable

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from web.sessions import SignInFirst

EVERY_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 15.0


def live(
    request: Request,
    read: Callable[[], str],
    every: float = EVERY_SECONDS,
    stamp: Callable[[], str] | None = None,
    since: str | None = None,
) -> StreamingResponse:
    """Return the stream of a fragment. `read` makes its text, and raises once it may not be seen any more.

    A page shows it in an element with `data-live="THIS PATH"`; without JavaScript it stands as it was made. Where
    `stamp` is given, a short question that raises likewise, the text is made only when its answer is another one than
    before; `since` is the answer the page was made with, so that nothing is sent of what it shows already.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(request, read, every, stamp, since), media_type="text/event-stream", headers=headers
    )


async def _events(
    request: Request,
    read: Callable[[], str],
    every: float,
    stamp: Callable[[], str] | None,
    since: str | None,
) -> AsyncIterator[str]:
    last: str | None = None
    quiet = 0.0
    yield "retry: 3000\n\n"
    while not await request.is_disconnected():
        try:
            now = await run_in_threadpool(stamp) if stamp else None
            text = last if stamp and now == since else await run_in_threadpool(read)
        except SignInFirst:
            return  # who was signed out sees nothing more
        except (OperationalError, PoolTimeout):
            return  # the books do not answer: the page says that it is not live, and asks again by itself
        since = now
        if text is not None and text != last:
            last, quiet = text, 0.0
            yield event(text)
        elif quiet >= KEEP_ALIVE_SECONDS:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(every)
        quiet += every


def event(text: str) -> str:
    """Return a text as one event: a data line for each of its lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f"data: {line}\n" for line in lines) + "\n"
