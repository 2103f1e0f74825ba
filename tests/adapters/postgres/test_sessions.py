"""Sessions: a thread's readings share a snapshot where it was said, until something is written or one fails."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.sessions import Database
from migrations.roles import role_url
from models.close import Stage, State
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack

AT = datetime(2026, 11, 1, tzinfo=UTC)


def wait_of(book: PostgresCloses, customer: str) -> None:
    """Have a customer's close wait for approval."""
    book.project("2026-10", 1, customer, Stage.APPROVE, State.WAITING, AT)


def snapshot_of(database: Database) -> tuple[str, int]:
    """Return which snapshot a reading is in, and on which connection."""
    with database.reading() as session:
        asked = text("SELECT pg_current_snapshot()::text, pg_backend_pid()")
        name, connection = session.connection().execute(asked).one()
        return str(name), int(connection)


def test_what_a_thread_reads_at_one_instant_is_as_it_was_then(fresh_database: Books) -> None:
    mine, other = fresh_database.as_role("worker"), Database(role_url(fresh_database.owner_url, "worker"))
    book, theirs = PostgresCloses(mine), PostgresCloses(other)
    with mine.at_one_instant():
        assert book.waiting("2026-10", 1) == ()
        began = snapshot_of(mine)
        wait_of(theirs, "acme")
        assert book.waiting("2026-10", 1) == ()
        assert snapshot_of(mine) == began
    assert book.waiting("2026-10", 1) == ("acme",)
    other.dispose()


def test_a_thread_that_wrote_reads_what_it_wrote(fresh_database: Books) -> None:
    database = fresh_database.as_role("worker")
    book = PostgresCloses(database)
    with database.at_one_instant():
        assert book.waiting("2026-10", 1) == ()
        wait_of(book, "acme")
        assert book.waiting("2026-10", 1) == ("acme",)


def test_a_reader_in_the_midst_of_a_snapshot_finishes_it_though_something_is_written(fresh_database: Books) -> None:
    database = fresh_database.as_role("worker")
    book = PostgresCloses(database)
    with database.at_one_instant(), database.reading() as session:
        assert book.waiting("2026-10", 1) == ()
        wait_of(book, "acme")
        count = text("SELECT count(*) FROM tieout.customer_closes")
        assert session.connection().execute(count).scalar_one() == 0
        assert book.waiting("2026-10", 1) == ("acme",)
    assert database.engine.pool.status().endswith("Current Checked out connections: 0")


def test_after_a_reading_that_failed_the_next_one_is_answered(fresh_database: Books) -> None:
    database = fresh_database.as_role("worker")
    with database.at_one_instant():
        with pytest.raises(DBAPIError), database.reading() as session:
            session.connection().execute(text("SELECT 1 / 0"))
        assert PostgresCloses(database).waiting("2026-10", 1) == ()


def test_another_thread_and_a_customers_reading_share_nothing(fresh_database: Books) -> None:
    database = fresh_database.as_role("worker")
    seen: list[tuple[str, int]] = []
    with database.at_one_instant():
        mine = snapshot_of(database)
        other = threading.Thread(target=lambda: seen.append(snapshot_of(database)))
        other.start()
        other.join()
        with database.reading("acme") as session:
            asked = text("SELECT pg_backend_pid(), current_setting('tieout.customer', true)")
            connection, customer = session.connection().execute(asked).one()
    assert seen[0][1] != mine[1]
    assert connection != mine[1]
    assert customer == "acme"
