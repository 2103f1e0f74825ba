"""Serve finance's pages and API: python -m web.console --port 8083. As tieout_console they read and write decisions."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer
import uvicorn
from temporalio.client import Client

from adapters.postgres.api_writes import PostgresApiWrites
from adapters.postgres.desk import PostgresDesk, by_token
from adapters.postgres.sessions import Database
from adapters.postgres.web_sessions import PostgresWebSessions, SessionDesk
from api.finance.app import finance_of
from api.finance.callers import Door
from api.limiting import Limits
from runtime import settings, temporal, wiring
from runtime.clock import SystemClock
from runtime.console import Console, Links
from runtime.rooms import refuse_strangers
from web.console.app import TITLE, console_of
from web.face import PATIENCE_SECONDS, Face
from web.neighbour import Beside
from web.signing_in import Provider

STOP_WITHIN_SECONDS = 3
"""Streams are open for as long as somebody looks; a stop does not wait for them."""


def main(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8083,
) -> None:
    """Serve until SIGINT or SIGTERM."""
    refuse_strangers()
    config = settings.load()
    books = wiring.database(config, "console", PATIENCE_SECONDS)
    url = (config.console_url or f"http://{host}:{port}").rstrip("/")
    face = Face("console", f"{config.entity} {TITLE}", url, PostgresWebSessions(books), SystemClock(), config.embedded)
    identity = wiring.identity_of(config)
    provider = Provider(identity.issuer, identity.client, identity.secret)
    app = console_of(face, console_over(books, config, SessionDesk), provider, identity.word)
    app.state.portal_url = config.portal_url
    asked = wiring.database(config, "console", PATIENCE_SECONDS)  # programs leave the pages' connections alone
    door = Door(
        console_over(asked, config, by_token),
        PostgresApiWrites(asked),
        SystemClock(),
        Limits(config.api_reads_per_minute, config.api_writes_per_minute),
    )
    uvicorn.run(
        Beside(app, finance_of(door)), host=host, port=port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
    )  # fmt: skip


def console_over(
    books: Database, config: settings.Settings, desk: Callable[[Database, datetime], PostgresDesk]
) -> Console:
    """Return a console for whom a desk knows by their tokens."""
    return Console(
        books,
        connected(config),
        zone=config.entity_zone,
        entity=wiring.entity_of(config),
        links=Links(config.temporal_ui_url, config.temporal_namespace),
        desk=desk,
    )


def connected(config: settings.Settings) -> Callable[[], Awaitable[Client]]:
    """Return what gives one connection to the workflows, made when it is first asked for."""
    held: list[Client] = []

    async def connect() -> Client:
        if not held:
            held.append(await temporal.connect(config, "console"))
        return held[0]

    return connect


if __name__ == "__main__":
    typer.run(main)
