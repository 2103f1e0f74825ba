"""Reports from the books: a locked month's are the same bytes, whatever is posted afterwards."""

from datetime import timedelta

import pytest

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk, seed_people
from adapters.postgres.journals import PostgresJournal
from billing.reports.registry import REPORTS
from models.close import DecisionKind, Role, Stage, State
from runtime import reports
from tests.adapters.postgres.rows import AT, a_decision, an_entry
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack


def test_14_every_report_of_a_locked_month_is_rebuilt_byte_for_byte(fresh_database: Books) -> None:
    book = PostgresJournal(fresh_database.as_role("worker"))
    book.post([an_entry("september", "20.00", month="2026-09"), an_entry("october", "30.00")], "system", AT)
    closes = PostgresCloses(fresh_database.as_role("worker"))
    closes.project("2026-10", 1, "acme", Stage.PUBLISH, State.DONE, AT, total="30.00")
    closes.project("2026-10", 1, "bolt", Stage.APPROVE, State.WAITING, AT, "for abby")
    book.lock("2026-10", "cora", "reviewed", AT + timedelta(hours=1))

    def all_of(month: str) -> dict[str, str]:
        facts = reports.facts_of(fresh_database.as_role("auditor"), month)
        return {name: reports.csv_text(reports.report_of(name, facts)) for name in REPORTS}

    at_lock = all_of("2026-10")
    assert "30.00" in at_lock["revenue"]
    assert "50.00" in at_lock["revenue"]  # the year to date
    later = AT + timedelta(days=20)
    book.post(
        [an_entry("november", "40.00", month="2026-11"), an_entry("late", "1.00", month="2026-09")], "system", later
    )
    closes.project("2026-10", 1, "bolt", Stage.PUBLISH, State.DONE, later, total="12.00")
    assert all_of("2026-10") == at_lock
    assert "open at the lock" in at_lock["close-status"]
    assert "40.00" in all_of("2026-11")["revenue"]


def test_reports_at_hand_are_those_made_anew_after_anything_was_written(fresh_database: Books) -> None:
    book = PostgresJournal(fresh_database.as_role("worker"))
    closes = PostgresCloses(fresh_database.as_role("worker"))
    role = fresh_database.as_role("console")
    at_hand = reports.ReportsAtHand(role)

    def anew(name: str) -> str:
        return reports.csv_text(reports.report_of(name, reports.facts_of(role, "2026-10")))

    writes = (
        lambda: book.post([an_entry("october", "30.00")], "system", AT),
        lambda: closes.project("2026-10", 1, "acme", Stage.APPROVE, State.WAITING, AT, "for abby"),
        lambda: book.post([an_entry("more", "5.00")], "system", AT),
        lambda: book.lock("2026-10", "cora", "reviewed", AT + timedelta(hours=1)),
    )
    seen = set()
    for write in writes:
        write()
        for name in ("revenue", "close-status"):
            told = at_hand.report(name, "2026-10")
            assert reports.csv_text(told) == anew(name)
            assert at_hand.report(name, "2026-10") is told  # nothing was written since
        seen.add(reports.csv_text(at_hand.report("revenue", "2026-10")) + anew("close-status"))
    assert len(seen) == len(writes)


def test_reports_at_hand_know_what_a_person_decided_and_what_was_committed_late(fresh_database: Books) -> None:
    seed_people(fresh_database.owner_url, [("ann", "Ann", (Role.CONTROLLER,), "word")])
    closes, role = PostgresCloses(fresh_database.as_role("worker")), fresh_database.as_role("console")
    at_hand = reports.ReportsAtHand(role)

    def told() -> bool:
        """Return whether every report at hand is the one made anew."""
        facts = reports.facts_of(role, "2026-10")
        return all(at_hand.report(name, "2026-10") == reports.report_of(name, facts) for name in REPORTS)

    for customer in ("acme", "bolt"):
        closes.project("2026-10", 1, customer, Stage.PUBLISH, State.DONE, AT, total="30.00")
    assert told()
    PostgresDesk(role).write(a_decision("by-hand", DecisionKind.RESOLVE))  # nobody judged it yet
    assert told()
    with fresh_database.connect("worker") as slow:
        slow.execute(
            "UPDATE tieout.customer_closes SET state = 'waiting', moved_at = %s WHERE customer = 'acme'",
            (AT + timedelta(minutes=1),),
        )
        closes.project("2026-10", 1, "bolt", Stage.PUBLISH, State.DONE, AT + timedelta(minutes=2), "later")
        assert told()
        slow.commit()
    assert told()


def test_reports_asked_for_longest_ago_are_dropped_first(
    fresh_database: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    PostgresJournal(fresh_database.as_role("worker")).post([an_entry("october", "30.00")], "system", AT)
    at_hand = reports.ReportsAtHand(fresh_database.as_role("console"))
    first = at_hand.report("tie-out", "2026-10")
    monkeypatch.setattr(reports, "MOST_CELLS", len(first.rows) * len(first.columns))
    second = at_hand.report("revenue", "2026-10")  # more than there is place for
    assert at_hand.report("revenue", "2026-10") is second
    again = at_hand.report("tie-out", "2026-10")
    assert again == first
    assert again is not first
