"""Serve the customers' pages: python -m web.portal --port 8082. As tieout_portal they see one customer at a time."""

from email.utils import parseaddr
from typing import Annotated

import typer
import uvicorn

from adapters.mail import no_mail
from adapters.postgres.web_sessions import PostgresWebSessions
from runtime import settings, wiring
from runtime.clock import SystemClock
from runtime.portal import Portal
from runtime.rooms import refuse_strangers
from web.face import PATIENCE_SECONDS, Face
from web.portal.app import TITLE, portal_of

STOP_WITHIN_SECONDS = 3
"""Streams are open for as long as somebody looks; a stop does not wait for them."""


def main(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8082,
) -> None:
    """Serve until SIGINT or SIGTERM."""
    refuse_strangers()
    config = settings.load()
    books = wiring.database(config, "portal", PATIENCE_SECONDS)
    sessions, clock = PostgresWebSessions(books), SystemClock()
    url = (config.portal_url or f"http://{host}:{port}").rstrip("/")
    face = Face("portal", f"{config.entity} {TITLE}", url, sessions, clock, config.embedded)
    mailer = wiring.mailer_of(config)
    send = mailer.sign_in_link if mailer else no_mail
    ask = parseaddr(config.mail_from)[1] if mailer else None
    app = portal_of(face, Portal(books, wiring.store_of(config)), send, config.entity, ask)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
