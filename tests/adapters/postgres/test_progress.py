"""Progress: what is sealed, what statements come to beside the month before, and what happened, newest first."""

from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.postgres.books import Books as BooksView
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk, seed_people
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.progress import PostgresProgress
from models.close import EVERYONE, DecisionKind, Role, Stage, State
from models.progress import RatedTotal
from tests.adapters.postgres.rows import AT, a_decision
from tests.postgres_fixture import Books
from tests.runtime.test_report_facts import issue
from tests.statement_builders import a_statement, usage

pytestmark = pytest.mark.stack
MONTH = "2026-10"


def test_what_statements_come_to_stands_beside_the_same_customers_month_before(fresh_database: Books) -> None:
    worker = fresh_database.as_role("worker")
    closes, evidence = PostgresCloses(worker), PostgresEvidence(worker)
    issue(worker, a_statement(usage("s", "9.00", month="2026-09"), month="2026-09"))
    for customer, amount in (("acme", "7.00"), ("bolt", "2.50")):
        statement = a_statement(usage("o", amount), customer=customer, contract=f"{customer}-2026")
        name = evidence.keep_statement(statement, 1, AT)
        closes.project(MONTH, 1, customer, Stage.APPROVE, State.WAITING, AT, statement=name)
    progress = PostgresProgress(fresh_database.as_role("console"))
    told = RatedTotal(currency="USD", statements=2, total=Decimal("9.50"), prior_total=Decimal("9.00"))
    assert progress.totals(MONTH, 1) == (told,)
    assert progress.totals(MONTH, 2) == ()


def test_what_happened_is_told_newest_first_with_who_and_why(fresh_database: Books) -> None:
    seed_people(fresh_database.owner_url, [("ann", "Ann", (Role.CONTROLLER,), "word")])
    worker, role = fresh_database.as_role("worker"), fresh_database.as_role("console")
    closes = PostgresCloses(worker)
    closes.open_close(MONTH, 1, "pia", True, AT)
    closes.open_close("2026-09", 1, "schedule", False, AT)
    closes.open_close(MONTH, 1001, "pia", True, AT)
    closes.project(MONTH, 1, "acme", Stage.RATE, State.NEEDS_ATTENTION, AT + timedelta(minutes=2), "no rate")
    for name, kind, customer, revision, minute in (
        ("d-1", DecisionKind.RETRY, "acme", 1, 1),
        ("d-2", DecisionKind.PAUSE, EVERYONE, 1, 3),
        ("d-3", DecisionKind.RETRY, "acme", 2, 4),
    ):
        at = AT + timedelta(minutes=minute)
        PostgresDesk(role).write(
            a_decision(name, kind, customer=customer, revision=revision, recorded_at=at, reason=name)
        )
    progress = PostgresProgress(role)
    standings = BooksView(role).standings(MONTH)
    found = progress.happened(MONTH, 1, progress.sealed(MONTH, 1), standings)
    assert [(one.who, one.what, one.customer, one.why, one.taken) for one in found] == [
        ("ann", "pause", None, "d-2", None),
        (None, "needs attention at rate", "acme", "no rate", None),
        ("ann", "retry", "acme", "d-1", None),
        ("pia", "started the close", None, "", None),
    ]
    assert len(progress.happened(MONTH, 1, (), standings, most=2)) == 2
    assert progress.happened("2026-09", 1, (), ())[0].what == "the scheduler started the close"
    assert progress.periods() == (MONTH, "2026-09")
