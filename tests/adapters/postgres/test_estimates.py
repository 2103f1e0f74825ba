"""Estimates as PostgreSQL keeps them: appended by two people, never changed, never of a locked month."""

from datetime import UTC, datetime

import psycopg
import pytest

from adapters.postgres.estimates import PostgresEstimates
from adapters.postgres.journals import PostgresJournal
from models.books import Conflict
from models.journal import PeriodLocked
from tests.adapters.postgres.rows import AT
from tests.billing.test_revenue_policies import estimate
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack


def test_an_estimate_is_appended_once_and_never_changed(fresh_database: Books) -> None:
    book = PostgresEstimates(fresh_database.as_role("console"))
    first, second = estimate("2026-10-05", "pool", "900"), estimate("2026-11-20", "pool", "1000")
    for one in (first, second, first):
        book.record(one, AT)
    assert book.estimates("acme-2026") == (first, second)
    assert book.estimates("other") == ()
    with pytest.raises(Conflict, match="never changed"):
        book.record(estimate("2026-10-05", "pool", "800"), AT)
    for role, code in (("owner", "TIE01"), ("worker", "42501"), ("console", "42501"), (None, "TIE01")):
        for act in (
            "UPDATE tieout.estimates SET subject = 'x'",
            "DELETE FROM tieout.estimates",
            "TRUNCATE tieout.estimates",
        ):
            with fresh_database.connect(role) as connection, pytest.raises(psycopg.Error) as refused:
                connection.execute(act)
            assert refused.value.sqlstate == code


def test_an_estimate_of_a_locked_month_is_refused(fresh_database: Books) -> None:
    PostgresJournal(fresh_database.as_role("worker")).lock(
        "2026-10", "cora", "reviewed", datetime(2026, 11, 3, tzinfo=UTC)
    )
    book = PostgresEstimates(fresh_database.as_role("worker"))
    with pytest.raises(PeriodLocked):
        book.record(estimate("2026-10-31", "pool", "900"), AT)
    book.record(estimate("2026-11-01", "pool", "900"), AT)  # caught up there


def test_one_person_on_both_sides_is_refused_by_the_database_too(database: Books) -> None:
    content = estimate("2026-10-05", "pool", "900").model_copy(update={"approved_by": "pia"})
    with pytest.raises(Exception, match="four_eyes"):
        PostgresEstimates(database.as_role("worker")).record(content, AT)
