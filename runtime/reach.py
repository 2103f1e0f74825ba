"""Reach: the way from the pages to the workflows, and whether they answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from models.refusal import Refusal

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
CONNECT_WITHIN_SECONDS = 3.0
ANSWER_WITHIN = timedelta(seconds=1)
"""How long a page waits at most for the answer."""
ASK_EVERY_SECONDS = 3.0


class TemporalUnreachable(Refusal):
    """The workflows cannot be reached, so nothing can be decided."""

    remedy = "Nothing is lost, and what is shown is what the books have. Try again in a few seconds."


class Reach:
    """A connection to the workflows, made when it is first asked for. Of one event loop."""

    def __init__(
        self, connect: Callable[[], Awaitable[Client]] | None, tick: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._tick = tick
        self._answered = False
        self._asked_at = float("-inf")

    async def client(self) -> Client:
        """Return the way to the workflows, which answered just now: what is decided next is not left lying.

        Raises:
            TemporalUnreachable: they do not answer, or there is no way to them.
        """
        if self._connect is None:
            raise TemporalUnreachable("this console has no way to the workflows")
        try:
            found = await asyncio.wait_for(self._connect(), CONNECT_WITHIN_SECONDS)
            await found.service_client.check_health(timeout=ANSWER_WITHIN)
        except (TimeoutError, RuntimeError, OSError, RPCError) as error:
            raise TemporalUnreachable("the workflows do not answer") from error
        return found

    async def answers(self) -> bool:
        """Return whether the workflows answer, as of at most some seconds ago."""
        if self._tick() - self._asked_at >= ASK_EVERY_SECONDS:
            self._asked_at = self._tick()  # before the answer: nobody else asks meanwhile
            try:
                await asyncio.wait_for(self.client(), ANSWER_WITHIN.total_seconds())
                self._answered = True
            except (TemporalUnreachable, TimeoutError):
                self._answered = False
        return self._answered

    async def asked(self, question: Callable[[Client], Awaitable[Answer | None]]) -> Answer | None:
        """Return what the workflows say to a question that a page can do without; None where they say nothing."""
        if not await self.answers():
            return None
        try:
            return await asyncio.wait_for(question(await self.client()), ANSWER_WITHIN.total_seconds())
        except (TemporalUnreachable, TimeoutError, RPCError) as error:
            log.info("reach.no_answer", extra={"reason": str(error)})
            return None
