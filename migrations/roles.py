"""Database roles: who may log in, with which password. What each may touch is granted in the versions."""

import hashlib
import hmac
import os
from typing import cast

from psycopg import Connection, sql
from sqlalchemy import URL, make_url

PASSWORD_SETTING = "TIEOUT_DATABASE_PASSWORD"
SCHEMA = "tieout"
OWNER = "tieout_owner"
WORKER = "tieout_worker"
CONSOLE = "tieout_console"
PORTAL = "tieout_portal"
AUDITOR = "tieout_auditor"
RATES = "tieout_rates"
HOOKS = "tieout_hooks"
ROLES = (OWNER, WORKER, CONSOLE, PORTAL, AUDITOR, RATES, HOOKS)

DRIVER = "postgresql+psycopg"


class NoPassword(ValueError):
    """Neither TIEOUT_DATABASE_PASSWORD nor a password in the owner's URL gives the roles theirs."""


def role_url(owner_url: str | URL, role: str, password: str | None = None) -> URL:
    """Return the URL by which one role connects: the owner's host and database, the role's own name and password.

    `role` is one of `ROLES`, with or without its prefix (`worker` is `tieout_worker`). Every role's password is
    derived one way from `password`; None: from TIEOUT_DATABASE_PASSWORD, else from the password in the owner's URL.
    So a role's URL opens neither another role's door nor the owner's.

    Raises:
        NoPassword: there is nothing to derive from.
        ValueError: there is no such role.
    """
    name = role if role.startswith(f"{SCHEMA}_") else f"{SCHEMA}_{role}"
    if name not in ROLES:
        raise ValueError(f"expected one of {', '.join(ROLES)}, got {role!r}")
    owner = owner_connection_url(owner_url)
    return owner.set(username=name, password=role_password(name, _base_password(owner, password)))


def owner_connection_url(url: str | URL) -> URL:
    """Return a database URL with our driver named: `postgresql://` alone leaves the driver to SQLAlchemy's version."""
    return make_url(url).set(drivername=DRIVER)


def role_password(role: str, base: str) -> str:
    """Return the password of a role: HMAC-SHA-256 of its name under the base password, as 64 hex digits."""
    return hmac.new(base.encode(), role.encode(), hashlib.sha256).hexdigest()


def furnish(connection: Connection, owner_url: URL, password: str | None = None) -> None:
    """Make roles, schema and extension where they are missing, and set every role's password. Safe to repeat.

    The connecting user is the database's owner with CREATEROLE, or a superuser. None of our roles is a superuser,
    bypasses row security, or makes roles or databases; `tieout_owner` owns the schema and is for migrations alone.
    Passwords leave this process as SCRAM verifiers, so the server's log never holds one.
    """
    base = _base_password(owner_url, password)
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tieout%'")}
    for role in ROLES:
        verifier = connection.pgconn.encrypt_password(
            role_password(role, base).encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("{verb} ROLE {role} WITH LOGIN {attributes} PASSWORD {verifier}").format(
                verb=sql.SQL("ALTER" if role in known else "CREATE"),
                role=sql.Identifier(role),
                attributes=sql.SQL(
                    "" if role in known else "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
                ),
                verifier=sql.Literal(verifier.decode()),
            )
        )
    database = sql.Identifier(cast(str, owner_url.database))
    for statement in (
        sql.SQL("GRANT tieout_owner TO CURRENT_USER"),
        sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
        sql.SQL("GRANT CONNECT ON DATABASE {database} TO {roles}"),
        sql.SQL("CREATE SCHEMA IF NOT EXISTS tieout AUTHORIZATION tieout_owner"),
        sql.SQL("GRANT USAGE ON SCHEMA tieout TO {roles}"),
        sql.SQL("CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA tieout"),
    ):
        connection.execute(statement.format(database=database, roles=sql.SQL(", ").join(map(sql.Identifier, ROLES))))


def _base_password(owner: URL, given: str | None) -> str:
    password = given or os.environ.get(PASSWORD_SETTING) or owner.password
    if not password:
        raise NoPassword(f"set {PASSWORD_SETTING}, or name the owner's password in its URL")
    return str(password)
