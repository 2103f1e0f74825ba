"""A locked period opens again for two people and a while; the database locks it again by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.postgres.books import Books as BooksView
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.controls import PostgresControls
from adapters.postgres.desk import PostgresDesk, seed_people
from adapters.postgres.journals import PostgresJournal
from models.approval import Decision, Person
from models.books import FourEyes
from models.close import EVERYONE, DecisionKind, Role
from models.control import Reopening
from models.journal import PeriodLocked
from tests.adapters.postgres.rows import an_entry
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack
MONTH = "2026-10"


@pytest.fixture
def books(fresh_database: Books) -> Books:
    seed_people(fresh_database.owner_url, [(one, one, (Role.CONTROLLER,), f"token of {one}") for one in ("ann", "bob")])
    desk = PostgresDesk(fresh_database.as_role("console"))
    for id_ in ("first", "second"):
        desk.write(
            Decision(
                id=id_,
                kind=DecisionKind.REOPEN,
                period=MONTH,
                revision=1,
                customer=EVERYONE,
                subject="s",
                person=Person(id="bob", name="bob", roles=(Role.CONTROLLER,)),
                recorded_at=datetime.now(UTC),
            )
        )
    PostgresJournal(fresh_database.as_role("worker")).lock(MONTH, "ann", "reviewed", datetime.now(UTC))
    return fresh_database


def a_reopening(seconds: float = 3600, asked_by: str = "ann") -> Reopening:
    now = datetime.now(UTC)
    return Reopening(
        month=MONTH,
        asked_by=asked_by,
        approved_by="bob",
        reason="a late invoice",
        at=now,
        expires_at=now + timedelta(seconds=seconds),
    )


def test_a_reopened_period_takes_entries_until_it_is_locked_again(books: Books) -> None:
    worker = books.as_role("worker")
    journal, controls = PostgresJournal(worker), PostgresControls(worker)
    with pytest.raises(PeriodLocked):
        journal.post([an_entry()], "system", datetime.now(UTC))
    PostgresCloses(worker).open_close(MONTH, 1, "ann", False, datetime.now(UTC))
    books_view = BooksView(books.as_role("auditor"))
    (before,) = books_view.closes(MONTH)
    assert before.locked_at is not None
    controls.reopen(a_reopening(), "first")
    controls.reopen(a_reopening(), "first")  # once for a decision
    assert books_view.closes(MONTH)[0].locked_at is None
    assert (journal.locked(MONTH), journal.open_month(MONTH)) == (False, MONTH)
    assert journal.post([an_entry()], "system", datetime.now(UTC)) == 1
    journal.lock(MONTH, "ann", "again", datetime.now(UTC))
    with pytest.raises(PeriodLocked):
        journal.post([an_entry("k2")], "system", datetime.now(UTC))
    (one,) = controls.reopenings(MONTH)
    assert one.ended_at is not None
    (after,) = books_view.closes(MONTH)
    assert after.locked_at == one.ended_at  # so that an outside checker takes what was posted in between


def test_its_time_over_it_is_locked_with_nobody_doing_anything(books: Books) -> None:
    worker = books.as_role("worker")
    journal = PostgresJournal(worker)
    reopening = a_reopening().model_copy(update={"at": datetime.now(UTC) - timedelta(hours=2)})
    over = reopening.model_copy(update={"expires_at": datetime.now(UTC) - timedelta(hours=1)})
    PostgresControls(worker).reopen(over, "first")
    assert journal.locked(MONTH)
    with pytest.raises(PeriodLocked):
        journal.post([an_entry()], "system", datetime.now(UTC))


def test_one_person_and_a_period_before_another_locked_one_are_refused(books: Books) -> None:
    worker = books.as_role("worker")
    with pytest.raises(FourEyes):
        PostgresControls(worker).reopen(a_reopening(asked_by="bob"), "first")
    PostgresJournal(worker).lock("2026-11", "ann", "reviewed", datetime.now(UTC))
    with pytest.raises(PeriodLocked, match="later period"):
        PostgresControls(worker).reopen(a_reopening(), "first")
