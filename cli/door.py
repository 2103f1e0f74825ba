"""The terminal's way to the books and the workflows: opened once a command, closed at its end."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client

from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk
from runtime import settings, temporal, wiring
from runtime.clock import SystemClock
from runtime.desk import DeskDoor

Result = TypeVar("Result")


class Door:
    """What a command needs: settings, the read side, and (awaited) the client and the desk."""

    def __init__(self) -> None:
        self.config = settings.load()
        self.console = wiring.database(self.config, "console")
        self.books = Books(self.console)
        self.clock = SystemClock()

    async def client(self) -> Client:
        """Return a connected Temporal client that names who calls."""
        return await temporal.connect(self.config, identity=f"cli-{getpass.getuser()}")

    async def desk(self) -> DeskDoor:
        """Return the desk by which decisions are written and delivered."""
        return DeskDoor(PostgresDesk(self.console), PostgresCloses(self.console), await self.client(), self.clock)


def wait_for(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run asynchronous work to its end."""

    async def run() -> Result:
        return await work()

    return asyncio.run(run())
