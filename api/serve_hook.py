"""Serve the Stripe hook: python -m api.serve_hook --port 8081. As tieout_hooks it may only keep events."""

import asyncio
from typing import Annotated

import typer
import uvicorn

from adapters.postgres.stripe_events import PostgresEvents
from api.hook import hook_of
from runtime import settings, temporal, wiring
from runtime.clock import SystemClock
from runtime.events import start_applying
from runtime.rooms import refuse_strangers


async def serve(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SettingMissing: TIEOUT_STRIPE_WEBHOOK_SECRET is not set.
    """
    config = settings.load()
    if config.stripe_webhook_secret is None:
        raise wiring.SettingMissing("a setting is missing", setting="TIEOUT_STRIPE_WEBHOOK_SECRET")
    client = await temporal.connect(config, identity="stripe-hook")
    app = hook_of(
        PostgresEvents(wiring.database(config, "hooks")),
        lambda event: start_applying(client, event),
        config.stripe_webhook_secret.get_secret_value(),
        SystemClock(),
    )
    await uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning")).serve()


def main(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8081,
) -> None:
    """Serve until SIGINT or SIGTERM."""
    refuse_strangers()
    asyncio.run(serve(host, port))


if __name__ == "__main__":
    typer.run(main)
