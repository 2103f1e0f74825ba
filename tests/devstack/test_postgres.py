"""PostgreSQL through psycopg: what the product relies on, and what a power cut leaves."""

from __future__ import annotations

import os
import shutil
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from devstack.postgres import Postgres
from devstack.postgres_places import open_to_others
from devstack.state import State
from devstack.up import Stack

pytestmark = pytest.mark.stack


def test_its_user_owns_the_database_and_the_clock_is_utc(stack: Stack) -> None:
    with psycopg.connect(stack.endpoints.database_url) as connection:
        row = connection.execute(
            "SELECT current_user, pg_get_userbyid(datdba), current_setting('timezone'), pg_encoding_to_char(encoding)"
            " FROM pg_database WHERE datname = 'tieout'"
        ).fetchone()
    assert row == ("tieout", "tieout", "UTC", "UTF8")


def test_a_wrong_password_is_refused(stack: Stack) -> None:
    url = stack.endpoints.database_url.replace("postgresql://tieout:", "postgresql://tieout:not-")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_numbers_keep_every_digit_and_ranges_may_not_overlap(stack: Stack) -> None:
    price = Decimal("0.000123456789012345678901")
    with psycopg.connect(stack.endpoints.database_url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        connection.execute(
            "CREATE TEMPORARY TABLE rates (card text, price numeric, held tstzrange,"
            " EXCLUDE USING gist (card WITH =, held WITH &&))"
        )
        connection.execute("INSERT INTO rates VALUES ('list', %s, '[2026-01-01,2026-02-01)')", (price,))
        assert connection.execute("SELECT price FROM rates").fetchone() == (price,)
        with pytest.raises(psycopg.errors.ExclusionViolation):
            connection.execute("INSERT INTO rates VALUES ('list', %s, '[2026-01-31,2026-03-01)')", (price,))


def test_a_kill_loses_no_committed_row_and_keeps_the_address(stack: Stack) -> None:
    url = stack.endpoints.database_url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    stack.postgres.kill()
    assert not stack.postgres.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    stack.postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (7,)
        connection.execute("DROP TABLE kept")


def test_below_a_folder_closed_to_others_it_runs_all_the_same_and_opens_nothing(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    postgres = Postgres(State(closed / "state"))
    postgres.start()
    try:
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        postgres.stop()
        elsewhere = State(closed / "state").recall("postgres").get("elsewhere")
        if elsewhere is not None:
            shutil.rmtree(str(elsewhere))
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (elsewhere is not None) == (os.geteuid() == 0)


def test_a_folder_is_open_only_when_all_above_it_are(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True, mode=0o755)
    closed.chmod(0o700)
    assert open_to_others(Path("/usr/bin"))
    assert not open_to_others(inner)
