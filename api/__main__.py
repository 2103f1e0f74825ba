"""Serve the rate API: python -m api --port 8080. It connects as tieout_rates (TIEOUT_DATABASE_RATES_URL)."""

from typing import Annotated

import typer
import uvicorn

from adapters.postgres.catalog import PostgresCatalog
from adapters.postgres.keys import PostgresKeys
from api.app import app_of
from api.limiting import Limits
from runtime import settings, wiring
from runtime.clock import SystemClock
from runtime.rooms import refuse_strangers


def main(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8080,
) -> None:
    """Serve until SIGINT or SIGTERM."""
    refuse_strangers()
    config = settings.load()
    books = wiring.database(config, "rates")
    limits = Limits(config.api_reads_per_minute, config.api_writes_per_minute)
    app = app_of(PostgresCatalog(books), PostgresKeys(books), SystemClock(), limits)
    uvicorn.run(app, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
