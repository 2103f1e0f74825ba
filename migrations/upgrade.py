"""Bring a database to the newest version: roles first, then the versions, as the schema's owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from migrations.roles import OWNER, furnish, owner_connection_url

_ONE_AT_A_TIME = 7_464_001  # an advisory lock: two starts of a stack may both bring the database up to date


def upgrade(owner_url: str | URL, password: str | None = None, revision: str = "head") -> None:
    """Make roles and schema where they are missing, and apply every version up to `revision`. Safe to repeat.

    `owner_url` connects as the database's owner with CREATEROLE, or as a superuser; `password` is what the roles'
    own are derived from (see `migrations.roles.role_url`).
    """
    url = owner_connection_url(owner_url)
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as door:
        door.execute("SELECT pg_advisory_lock(%s)", (_ONE_AT_A_TIME,))
        with door.transaction():
            furnish(door, url, password)
        with _as_owner(url) as config:
            command.upgrade(config, revision)


def downgrade(owner_url: str | URL, revision: str = "base") -> None:
    """Take versions back, in development alone: the books' rows go with their tables. Roles and schema stay."""
    with _as_owner(owner_connection_url(owner_url)) as config:
        command.downgrade(config, revision)


@contextmanager
def _as_owner(url: URL) -> Iterator[Config]:
    """Yield Alembic's settings with a connection in which everything made belongs to the schema's owner."""
    engine = create_engine(url, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {OWNER}"))
        config.attributes["connection"] = connection
        yield config
