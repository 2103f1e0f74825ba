"""A PostgreSQL for tests: one server a session, one migrated database as a template, a fresh copy for who needs it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

from adapters.postgres.sessions import Database
from devstack.postgres import Postgres
from devstack.state import State
from migrations.roles import ROLES, role_url
from migrations.upgrade import upgrade


@dataclass
class Books:
    """A migrated database, with each role's door to it."""

    owner_url: URL
    _open: dict[str, Database] = field(default_factory=dict)

    def as_role(self, role: str) -> Database:
        """Return the database as a role sees it (worker, console, portal, auditor, owner)."""
        if role not in self._open:
            self._open[role] = Database(role_url(self.owner_url, role), connections=4)
        return self._open[role]

    def connect(self, role: str | None = None) -> psycopg.Connection:
        """Return a bare connection as a role; None: as the superuser. Commit it yourself."""
        url = role_url(self.owner_url, role) if role else self.owner_url
        return psycopg.connect(plain(url))

    def dispose(self) -> None:
        """Close every door."""
        for database in self._open.values():
            database.dispose()


def plain(url: URL) -> str:
    """Return a URL as psycopg takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The superuser's URL of a server of this session; its database `tieout` is migrated and serves as the template."""
    folder = Path(tempfile.mkdtemp(prefix="tieout-books-"))
    folder.chmod(0o755)
    server = Postgres(State(folder))
    try:
        server.start()
        upgrade(server.url)
        yield make_url(server.url)
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _copies(postgres_server: URL) -> Callable[[], URL]:
    count = iter(range(1, 10_000))

    def copy() -> URL:
        name = f"books_{next(count)}"
        with psycopg.connect(plain(postgres_server.set(database="postgres")), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE tieout")
            # Rights on a database itself are not copied with it.
            connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
            connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(ROLES)}")
        return postgres_server.set(database=name)

    return copy


@pytest.fixture(scope="session")
def database(_copies: Callable[[], URL]) -> Iterator[Books]:
    """A migrated database that the tests of a session share: use customers of your own."""
    books = Books(_copies())
    yield books
    books.dispose()


@pytest.fixture
def fresh_database(_copies: Callable[[], URL]) -> Iterator[Books]:
    """A migrated database of this test alone (about 50 ms)."""
    books = Books(_copies())
    yield books
    books.dispose()
