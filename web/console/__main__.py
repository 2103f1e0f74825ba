"""Serve finance's pages: python -m web.console --port 8083. As tieout_console they read, and write decisions."""

from typing import Annotated

import typer
import uvicorn

from adapters.postgres.web_sessions import PostgresWebSessions
from runtime import settings, wiring
from runtime.clock import SystemClock
from runtime.console import Console
from runtime.rooms import refuse_strangers
from web.console.app import TITLE, console_of
from web.face import PATIENCE_SECONDS, Face
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
    app = console_of(face, Console(books), provider, identity.word)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
