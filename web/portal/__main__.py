"""Serve the customers' pages and API: python -m web.portal --port 8082. As tieout_portal each asks for one customer."""

from email.utils import parseaddr
from typing import Annotated

import typer
import uvicorn

from adapters.mail import no_mail
from adapters.postgres.api_writes import PostgresApiWrites
from adapters.postgres.customer_keys import PostgresCustomerKeys
from adapters.postgres.web_sessions import PostgresWebSessions
from api.customers.app import customers_of
from api.customers.callers import Door
from api.limiting import Limits
from runtime import settings, wiring
from runtime.clock import SystemClock
from runtime.portal import Portal
from runtime.rooms import refuse_strangers
from runtime.webhook_desk import desks
from web.face import PATIENCE_SECONDS, Face
from web.neighbour import Beside
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
    store = wiring.store_of(config)
    sealer, client = wiring.sealer_of(config), wiring.webhook_client_of(config)
    hooks = desks(books, sealer, client, clock)
    ask = parseaddr(config.mail_from)[1] if mailer else None
    app = portal_of(face, Portal(books, store), send, config.entity, hooks, ask)
    asked = wiring.database(config, "portal", PATIENCE_SECONDS)  # programs leave the pages' connections alone
    door = Door(
        Portal(asked, store),
        PostgresCustomerKeys(asked),
        PostgresApiWrites(asked),
        clock,
        config.entity,
        Limits(config.api_reads_per_minute, config.api_writes_per_minute),
        desks(asked, sealer, client, clock),
    )
    uvicorn.run(
        Beside(app, customers_of(door)), host=host, port=port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
