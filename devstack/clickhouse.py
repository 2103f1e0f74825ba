"""ClickHouse as a service of the stack: the real engine (chdb) behind our HTTP front, in a process of its own.

It is the engine, not clickhouse-server: no users and grants, no system.query_log, no sessions. Production and
docker-compose.yml use clickhouse-server.
"""

from __future__ import annotations

import sys
from pathlib import Path

from devstack.children import Command, bare_environment
from devstack.services import Service, says_ok

ROOT = Path(__file__).resolve().parents[1]
USER = "tieout"
DATABASE = "default"


class ClickHouse(Service):
    """The ClickHouse engine over HTTP. One process per data path: everyone shares it through the front."""

    name = "clickhouse"

    @property
    def url(self) -> str:
        """Return the URL with user and password, for `clickhouse_connect.get_client(dsn=…)`."""
        return f"http://{USER}:{self._password()}@127.0.0.1:{self._port()}/{DATABASE}"

    def command(self) -> Command:
        """Return the front, which loads the engine."""
        folder = self._state.folder(self.name)
        return Command(
            argv=(sys.executable, "-m", "devstack.clickhouse_front"),
            cwd=ROOT,
            environment=bare_environment(
                folder,
                {
                    "PYTHONPATH": str(ROOT),
                    "FRONT_PORT": str(self._port()),
                    "FRONT_USER": USER,
                    "FRONT_PASSWORD": self._password(),
                    "FRONT_DATA": str(folder / "data"),
                },
            ),
        )

    def answers(self) -> bool:
        """Return whether it answers a ping."""
        return says_ok(self._port(), "/ping")

    def _password(self) -> str:
        return self._state.secret(self.name, "password")
