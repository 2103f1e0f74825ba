"""The database decides whose rows a page sees: a forgotten condition shows nothing, and takes nothing of another's."""

import psycopg
import pytest

from tests.web.conftest import World
from tests.web.test_webhooks import delivered_to

pytestmark = pytest.mark.stack

WITHOUT_CUSTOMER = {"correction_steps"}
"""Tables the portal reaches only through one that has a customer."""


def readable(connection: psycopg.Connection) -> list[str]:
    """Return the tables the portal may read, of which none is left out of these tests."""
    return [
        name
        for (name,) in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'tieout'::regnamespace AND relkind = 'r'"
            " AND has_any_column_privilege('tieout_portal', oid, 'SELECT') ORDER BY 1"
        ).fetchall()
    ]


def act(world: World) -> None:
    """Have both customers make one of everything."""
    for customer in ("acme", "bolt"):
        browser = world.signed_in(f"{customer}-admin")
        token = browser.get("/exports").text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
        for path, data in (
            ("/exports", {"month": "2026-10", "kind": "lines", "format": "csv"}),
            ("/exports/every-month", {"kind": "focus", "format": "csv", "wanted": "true"}),
            ("/alerts", {"threshold": "100"}),
            ("/settings/contacts", {"email": f"cfo@{customer}.example"}),
            ("/settings/zone", {"zone": "Asia/Tokyo"}),
            ("/settings/notices", {"kind": "pool_used", "wanted": "false"}),
            ("/keys", {"name": "books", "writes": "true"}),
            ("/settings/webhooks", {"url": f"https://{customer}.example/", "types": "invoice.ready"}),
            ("/shares", {"reference": f"2026-10@1/{customer}/USD", "days": "7"}),
        ):
            assert browser.post(path, data={"csrf": token, **data}).status_code in (200, 303), path


def test_no_customer_named_shows_no_row_of_any_table(filled: World) -> None:
    act(filled)
    for customer in ("acme", "bolt"):
        delivered_to(filled, customer)
    with filled.books.connect("portal") as connection:
        for table in readable(connection):
            with filled.books.connect() as owner:
                there = owner.execute(f"SELECT count(*) FROM tieout.{table}").fetchone()
            assert connection.execute(f"SELECT count(*) FROM tieout.{table}").fetchone() == (0,), table
            # An empty table would prove nothing.
            if table not in WITHOUT_CUSTOMER | {
                "api_writes",
                "corrections",
                "customer_closes",
                "draft_statements",
                "openings",
            }:
                assert there is not None
                assert there[0] > 0, table


def test_a_customer_sees_their_own_rows_and_a_name_holds_for_one_transaction(filled: World) -> None:
    act(filled)
    with filled.books.connect("portal") as connection:
        connection.autocommit = True
        for table in readable(connection):
            if table in WITHOUT_CUSTOMER:
                continue
            with connection.transaction():
                connection.execute("SELECT set_config('tieout.customer', 'acme', true)")
                own = connection.execute(f"SELECT DISTINCT customer FROM tieout.{table}").fetchall()
                assert own in ([], [("acme",)]), table
            assert connection.execute(f"SELECT count(*) FROM tieout.{table}").fetchone() == (0,), table


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tieout.views (face, customer, who, what, recorded_at) VALUES ('portal', 'bolt', 'x', 'x', now())",
        "INSERT INTO tieout.alerts (id, customer, kind, subject, threshold, made_by, made_at)"
        " VALUES ('a', 'bolt', 'total', '', 1, 'x', now())",
        "INSERT INTO tieout.standing_exports (customer, kind, format, wanted, chosen_by, recorded_at)"
        " VALUES ('bolt', 'lines', 'csv', true, 'x', now())",
        "INSERT INTO tieout.billing_contacts (id, customer, email, made_by, made_at)"
        " VALUES ('c', 'bolt', 'a@b', 'x', now())",
        "UPDATE tieout.billing_contacts SET email = 'a@b'",
        "UPDATE tieout.portal_users SET role = 'admin'",
        "UPDATE tieout.portal_users SET zone = 'UTC', email = 'a@b'",
        "UPDATE tieout.statements SET total = 0",
        "SELECT session_sha256 FROM tieout.web_sessions",
        "SELECT link_sha256 FROM tieout.share_links",
        "SELECT key_sha256 FROM tieout.customer_keys",
        "UPDATE tieout.customer_keys SET scopes = '{read,write}'",
        "INSERT INTO tieout.customer_keys (id, name, key_sha256, customer, scopes, made_by, made_at)"
        " VALUES ('k', 'k', repeat('a', 64), 'bolt', '{read}', 'bolt-admin', now())",
        "INSERT INTO tieout.api_writes (caller, key, customer, request_sha256, began_at, held_until)"
        " VALUES ('c', 'k', 'bolt', repeat('a', 64), now(), now())",
        "SELECT sealed FROM tieout.webhook_secrets",
        "INSERT INTO tieout.webhook_endpoints (id, customer, url, types, made_by, made_at)"
        " VALUES ('e', 'bolt', 'https://x.example/', '{invoice.ready}', 'bolt-admin', now())",
        "INSERT INTO tieout.webhook_deliveries (endpoint, customer, notice, number, asked_by, asked_at)"
        " VALUES ('e', 'bolt', 'n', 2, 'x', now())",
        "INSERT INTO tieout.webhook_attempts (endpoint, customer, notice, number, milliseconds, detail, tried_at)"
        " VALUES ('e', 'acme', 'n', 1, 1, '', now())",
        "UPDATE tieout.webhook_endpoints SET url = 'https://x.example/'",
        "SELECT * FROM tieout.person_of_session('x', now())",
        "SELECT tieout.open_person_session('i', 's', 'x', 't', now(), now())",
        "SELECT tieout.view_as('s', 'bolt', 'x', 't', now(), now())",
        "SELECT tieout.make_link('bolt-admin', 'x', 't', now(), now())",
    ],
)
def test_the_portal_writes_nothing_of_anothers_and_reads_no_hash(world: World, statement: str) -> None:
    with world.books.connect("portal") as connection, connection.transaction(force_rollback=True):
        connection.execute("SELECT set_config('tieout.customer', 'acme', true)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_anothers_alert_and_link_can_be_neither_ended_nor_revoked(filled: World) -> None:
    act(filled)
    with filled.books.connect("portal") as connection:
        connection.execute("SELECT set_config('tieout.customer', 'acme', true)")
        for table, column in (("alerts", "ended_at"), ("share_links", "revoked_at"), ("customer_keys", "revoked_at"),
                              ("billing_contacts", "ended_at")):  # fmt: skip
            changed = connection.execute(f"UPDATE tieout.{table} SET {column} = now() WHERE customer = 'bolt'")
            assert changed.rowcount == 0
        assert connection.execute("UPDATE tieout.portal_users SET zone = NULL WHERE customer = 'bolt'").rowcount == 0
        connection.commit()
    with filled.books.connect() as owner:
        left = owner.execute("SELECT count(*) FROM tieout.share_links WHERE revoked_at IS NULL").fetchone()
    assert left == (2,)


def test_the_worker_and_the_console_see_every_customer(filled: World) -> None:
    act(filled)
    for role in ("worker", "console", "auditor"):
        with filled.books.connect(role) as connection:
            for table in ("statements", "reconciliations", "exports", "alerts", "views", "portal_users"):
                found = connection.execute(f"SELECT DISTINCT customer FROM tieout.{table} ORDER BY 1").fetchall()
                assert found == [("acme",), ("bolt",)], (role, table)
