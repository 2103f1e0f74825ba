"""Roles: what each may do, and what the database refuses it."""

import os
import subprocess
import sys

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import models.tables.api
import models.tables.booked_events
import models.tables.closes
import models.tables.controls
import models.tables.corrections
import models.tables.evidence
import models.tables.faces
import models.tables.invoices
import models.tables.journals
import models.tables.notices
import models.tables.rates
import models.tables.stripe_events
import models.tables.terms
import models.tables.watches
import models.tables.webhooks  # noqa: F401  all rows are declared
from adapters.postgres.books import Books as BooksView
from adapters.postgres.closes import PostgresCloses
from migrations.roles import ROLES, NoPassword, role_url
from migrations.upgrade import downgrade, upgrade
from models.close import Stage, State
from models.money import minor_digits
from tests.adapters.postgres.rows import AT
from tests.postgres_fixture import Books, plain

pytestmark = pytest.mark.stack

TABLES = sorted(SQLModel.metadata.tables)


def refused(database: Books, role: str | None, statement: str) -> str | None:
    """Return the code by which the database refuses a role's statement."""
    with database.connect(role) as connection:
        with pytest.raises(psycopg.Error) as refusal:
            connection.execute(statement)
        connection.rollback()
    return refusal.value.sqlstate


def test_no_role_of_ours_is_superuser_or_bypasses_row_security(database: Books) -> None:
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles"
            " WHERE rolname LIKE 'tieout\\_%' ORDER BY 1"
        ).fetchall()
        memberships = connection.execute(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member"
            " WHERE r.rolname LIKE 'tieout\\_%'"
        ).fetchone()
    assert [row[0] for row in rows] == sorted(ROLES)
    assert {row[1:] for row in rows} == {(False, False, False, False, True)}
    assert memberships == (0,)  # nobody can become another


def test_every_role_has_a_password_of_its_own(database: Books) -> None:
    for role in ROLES:
        with database.connect(role) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)
    assert len({role_url(database.owner_url, role).password for role in ROLES}) == len(ROLES)
    swapped = role_url(database.owner_url, "worker").set(username="tieout_owner")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(plain(swapped))


def test_a_role_needs_something_its_password_is_derived_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIEOUT_DATABASE_PASSWORD", raising=False)
    with pytest.raises(NoPassword):
        role_url("postgresql://me@127.0.0.1/tieout", "worker")
    with pytest.raises(ValueError, match="expected one of"):
        role_url("postgresql://me:x@127.0.0.1/tieout", "admin")
    monkeypatch.setenv("TIEOUT_DATABASE_PASSWORD", "base")
    assert role_url("postgresql://me@h/tieout", "worker") == role_url("postgresql://me:x@h/tieout", "worker", "base")


@pytest.mark.parametrize("role", ["worker", "console", "portal", "auditor"])
def test_no_role_makes_or_drops_anything(database: Books, role: str) -> None:
    for statement in (
        "CREATE TABLE tieout.mine (id int)",
        "DROP TABLE tieout.journal_entries",
        "ALTER TABLE tieout.journal_entries DISABLE TRIGGER ALL",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (id int)",
        "SET ROLE tieout_owner",
        "SET session_replication_role = replica",
    ):
        assert refused(database, role, statement) == "42501", statement


MAY_WRITE = {
    "console": (
        "tieout.decisions",
        "tieout.estimates",
        "tieout.rate_proposals",
        "tieout.api_keys",
        "tieout.portal_users",
        "tieout.views",
        "tieout.notice_choices",
        "tieout.api_writes",
        "tieout.webhook_deliveries",
    ),
    "portal": (
        "tieout.share_links",
        "tieout.exports",
        "tieout.standing_exports",
        "tieout.billing_contacts",
        "tieout.alerts",
        "tieout.views",
        "tieout.notice_choices",
        "tieout.customer_keys",
        "tieout.api_writes",
        "tieout.webhook_endpoints",
        "tieout.webhook_secrets",
        "tieout.webhook_deliveries",
    ),
}
"""What the console and the portal may write; changing and deleting is refused there too."""


@pytest.mark.parametrize("role", ["console", "portal", "auditor", "rates"])
def test_who_reads_does_not_write(database: Books, role: str) -> None:
    for table in TABLES:
        writes = () if table in MAY_WRITE.get(role, ()) else (f"INSERT INTO {table} DEFAULT VALUES",)
        for statement in (*writes, f"DELETE FROM {table}", f"TRUNCATE {table}"):
            assert refused(database, role, statement) == "42501", statement


def test_the_worker_writes_neither_decisions_nor_people_and_changes_nothing(database: Books) -> None:
    for statement in (
        "INSERT INTO tieout.decisions DEFAULT VALUES",
        "INSERT INTO tieout.people DEFAULT VALUES",
        "INSERT INTO tieout.webhook_endpoints DEFAULT VALUES",
        "INSERT INTO tieout.webhook_secrets DEFAULT VALUES",
        "UPDATE tieout.webhook_endpoints SET url = 'https://elsewhere.example/'",
        "INSERT INTO tieout.rate_proposals DEFAULT VALUES",
        "INSERT INTO tieout.api_keys DEFAULT VALUES",
        "SELECT key_sha256 FROM tieout.api_keys",
        "SELECT * FROM tieout.api_key_of('x')",
        "UPDATE tieout.people SET roles = '{controller}'",
        "SELECT token_sha256 FROM tieout.people",
        "SELECT * FROM tieout.person_of('x')",
        "UPDATE tieout.rate_versions SET amount = 0",
        *(f"TRUNCATE {table}" for table in TABLES),
        *(f"DELETE FROM {table}" for table in TABLES),
    ):
        assert refused(database, "worker", statement) == "42501", statement


def test_the_console_decides_and_sees_no_token(database: Books) -> None:
    assert refused(database, "console", "SELECT token_sha256 FROM tieout.people") == "42501"
    assert refused(database, "console", "SELECT key_sha256 FROM tieout.api_keys") == "42501"
    assert refused(database, "console", "SELECT key_sha256 FROM tieout.customer_keys") == "42501"
    assert refused(database, "console", "SELECT * FROM tieout.customer_of_key('x')") == "42501"
    assert refused(database, "console", "SELECT * FROM tieout.api_key_of('x')") == "42501"
    assert refused(database, "console", "UPDATE tieout.api_keys SET scopes = '{rates:quote}'") == "42501"
    assert refused(database, "console", "INSERT INTO tieout.rate_change_steps DEFAULT VALUES") == "42501"
    assert refused(database, "console", "INSERT INTO tieout.verdicts DEFAULT VALUES") == "42501"
    assert refused(database, "console", "UPDATE tieout.decisions SET person = 'eve'") == "42501"


NOT_ALL = {
    "tieout.people": "id, name, roles, active",
    "tieout.api_keys": "id, name, scopes, made_by, made_at, revoked_at",
    "tieout.sign_in_links": "id, customer, portal_user, person, made_at, expires_at, spent_at",
    "tieout.web_sessions": "id, face, customer, portal_user, person, made_at, expires_at, ended_at",
    "tieout.share_links": "id, customer, scope, made_by, made_at, expires_at, revoked_at",
    "tieout.customer_keys": "id, name, customer, scopes, made_by, made_at, revoked_at",
    "tieout.webhook_secrets": "endpoint, customer, made_by, made_at",
}
"""Tables with a column nobody reads: what a token or a key is looked up by."""


def test_the_rate_api_reads_the_catalog_and_nothing_else(database: Books) -> None:
    with database.connect("rates") as connection:
        connection.execute("SELECT * FROM tieout.rate_versions LIMIT 1")
        assert connection.execute("SELECT * FROM tieout.api_key_of('nobody')").fetchall() == []
    for table in TABLES:
        if table != "tieout.rate_versions":
            assert refused(database, "rates", f"SELECT * FROM {table}") == "42501", table


def test_the_auditor_reads_everything_but_tokens(database: Books) -> None:
    with database.connect("auditor") as connection:
        for table in TABLES:
            columns = NOT_ALL.get(table, "*")
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 1")
    assert refused(database, "auditor", "SELECT token_sha256 FROM tieout.people") == "42501"
    assert refused(database, "auditor", "SELECT key_sha256 FROM tieout.api_keys") == "42501"


def test_the_portal_sees_one_customer_and_no_journal(database: Books) -> None:
    closes = PostgresCloses(database.as_role("worker"))
    for customer in ("portal-one", "portal-two"):
        closes.project("2026-10", 1, customer, Stage.RATE, State.RUNNING, AT)
    portal = database.as_role("portal")
    assert [row.customer for row in BooksView(portal, "portal-one").standings("2026-10")] == ["portal-one"]
    assert BooksView(portal, "portal-one").standings("2026-10", customer="portal-two") == ()
    assert BooksView(portal).standings("2026-10") == ()  # no customer named: nothing
    for table in (
        "journal_entries",
        "journal_postings",
        "decisions",
        "verdicts",
        "people",
        "findings",
        "rate_versions",
        "sign_in_links",
        "web_sessions",
        "person_subjects",
        "estimates",
    ):
        assert refused(database, "portal", f"SELECT * FROM tieout.{table}") == "42501"


def test_row_security_holds_for_the_owner_too(database: Books) -> None:
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'tieout'::regnamespace AND relkind = 'r'"
            " AND has_any_column_privilege('tieout_portal', oid, 'SELECT') ORDER BY 1"
        ).fetchall()
    assert [row[0] for row in rows] == [
        "alerts",
        "api_writes",
        "billing_contacts",
        "contracts",
        "correction_steps",
        "corrections",
        "customer_closes",
        "customer_keys",
        "draft_statements",
        "exports",
        "invoices",
        "issued_invoices",
        "notice_choices",
        "notices",
        "openings",
        "portal_users",
        "reconciliation_uses",
        "reconciliations",
        "share_links",
        "standing_exports",
        "statement_uses",
        "statements",
        "views",
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_endpoints",
        "webhook_outcomes",
        "webhook_secrets",
    ]
    assert all(row[1:] == (True, True) for row in rows)


def test_migrating_again_changes_nothing_and_down_and_up_again_works(fresh_database: Books) -> None:
    upgrade(fresh_database.owner_url)
    downgrade(fresh_database.owner_url)
    with fresh_database.connect() as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'tieout'::regnamespace AND relkind = 'r'"
        ).fetchall()
    assert left == [("versions_applied",)]
    upgrade(fresh_database.owner_url)
    with fresh_database.connect("worker") as connection:
        assert connection.execute("SELECT count(*) FROM tieout.journal_entries").fetchone() == (0,)


def test_an_owner_who_is_no_superuser_can_migrate(postgres_server: object) -> None:
    url = postgres_server
    with psycopg.connect(plain(url.set(database="postgres")), autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute("CREATE ROLE somebody LOGIN CREATEROLE PASSWORD 'theirs'")
        connection.execute("CREATE DATABASE theirs OWNER somebody")
        for role in ROLES:  # made by the session's superuser; whoever is to alter them administers them
            connection.execute(f"GRANT {role} TO somebody WITH ADMIN OPTION")
    theirs = url.set(username="somebody", password="theirs", database="theirs")  # type: ignore[attr-defined]
    upgrade(theirs, url.password)  # type: ignore[attr-defined]
    with psycopg.connect(plain(role_url(theirs, "auditor", url.password))) as connection:  # type: ignore[attr-defined]
        assert connection.execute("SELECT count(*) FROM tieout.statements").fetchone() == (0,)


def test_the_command_migrates_the_database_of_the_environment(fresh_database: Books) -> None:
    def run(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.defpath, "PYTHONPATH": os.getcwd(), **settings}
        return subprocess.run(
            [sys.executable, "-m", "migrations"], env=environment, capture_output=True, text=True, check=False
        )

    assert run(TIEOUT_DATABASE_URL=plain(fresh_database.owner_url)).returncode == 0
    assert run().returncode == 2


def test_rows_have_the_columns_of_the_migrations(database: Books) -> None:
    engine = create_engine(database.owner_url, connect_args={"options": "-c search_path=public"})
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_schemas": True,
                    "include_name": lambda name, kind, _: kind != "schema" or name == "tieout",
                    "version_table": "versions_applied",
                    "version_table_schema": "tieout",
                },
            )
            differences = compare_metadata(context, SQLModel.metadata)
    finally:
        engine.dispose()
    # Constraints, keys, indexes and defaults are the migrations'; rows name tables, columns and whether they are null.
    told = {"add_table", "remove_table", "add_column", "remove_column", "modify_nullable"}
    flat = [each for found in differences for each in (found if isinstance(found, list) else [found])]
    assert [found for found in flat if found[0] in told] == []


def test_the_database_knows_the_minor_digits_of_every_currency(database: Books) -> None:
    from babel.core import Locale

    with database.connect("auditor") as connection:
        for currency in Locale("en").currencies:
            row = connection.execute("SELECT tieout.minor_digits(%s)", (currency,)).fetchone()
            assert row == (minor_digits(currency),), currency
