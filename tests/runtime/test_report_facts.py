"""Facts at hand: a write costs what it wrote, what is kept of a statement is what it tells, and the chain goes on."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pytest

from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.facts import PostgresFacts
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.journals import NOTHING_BEFORE, PostgresJournal
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from billing import recognition
from billing.reports.facts import Fact
from models.entity import DEFAULT
from models.facts import Booked, LineFacts, ScheduleFacts, StatementFacts, inputs_of
from models.invoice import IssuedInvoice
from models.journal import Link
from models.statement import Statement
from runtime import report_facts
from runtime.report_facts import ChainBroken, FactsAtHand
from tests.adapters.postgres.rows import AT, a_contract, an_entry
from tests.postgres_fixture import Books
from tests.statement_builders import a_statement, an_invoice, fee, usage

pytestmark = pytest.mark.stack
ALL = frozenset(Fact)


def issue(worker: Database, statement: Statement) -> str:
    """Keep a statement and its issued invoice; return its fingerprint."""
    invoice = an_invoice(statement)
    fingerprint = PostgresEvidence(worker).keep_statement(statement, 1, AT)
    PostgresInvoices(worker).reserve(invoice, AT)
    PostgresInvoices(worker).issued(
        IssuedInvoice(
            reference=invoice.reference, stripe_id=f"in_{invoice.reference}", number=invoice.reference, status="open",
            currency="USD", total=invoice.total, lines=1, issued_at=AT, due_on=date(2026, 12, 1),
        ),
        AT,
    )  # fmt: skip
    return fingerprint


@pytest.fixture
def year(fresh_database: Books) -> tuple[Books, list[Statement]]:
    """Two issued months of a contract with a fee of two months, billed with the first."""
    worker = fresh_database.as_role("worker")
    PostgresTerms(worker).add_contract(a_contract(), "pia", "cora", AT)
    statements = [
        a_statement(
            usage("s", "9.00", month="2026-09"), fee("f", "60.00", "2026-09-01", "2026-12-01"), month="2026-09"
        ),
        a_statement(usage("o", "7.00", model="nova-3")),
    ]
    for one in statements:
        issue(worker, one)
    return fresh_database, statements


class Counted(PostgresFacts):
    """Facts that say what was read of the journal, of statements and whole."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.read: list[str] = []

    def booked(self, after: int) -> Iterator[tuple[str, Link, Booked]]:
        for each in super().booked(after):
            self.read.append(each[1].key)
            yield each

    def statements(self, fingerprints: Sequence[str]) -> dict[str, StatementFacts]:
        self.read += fingerprints
        return super().statements(fingerprints)

    def bodies(self, fingerprints: Sequence[str]) -> Iterator[tuple[str, Statement]]:
        self.read += [f"whole {one}" for one in fingerprints]
        return super().bodies(fingerprints)


def test_a_write_costs_what_it_wrote(year: tuple[Books, list[Statement]]) -> None:
    books, statements = year
    worker, role = books.as_role("worker"), books.as_role("console")
    journal = PostgresJournal(worker)
    journal.post([an_entry("one"), an_entry("two")], "system", AT)
    at_hand = FactsAtHand(role)
    at_hand._facts = counted = Counted(role)
    at_hand.facts("2026-10", 1, ALL)
    names = [one.fingerprint() for one in statements]
    # The schedule was kept by nobody: it is made of whole statements, once.
    assert sorted(counted.read) == sorted([*names, "one", "two", *(f"whole {one}" for one in names)])
    counted.read.clear()
    journal.post([an_entry("three")], "system", AT)
    assert [one.key for one in at_hand.facts("2026-10", 1, ALL).entries] == ["one", "two", "three"]
    assert counted.read == ["three"]
    counted.read.clear()
    november = issue(worker, a_statement(usage("n", "1.00", month="2026-11"), month="2026-11"))
    assert len(at_hand.facts("2026-11", 1, ALL).statements) == 3
    assert counted.read == [november, *(f"whole {one}" for one in (*names, november))]
    counted.read.clear()
    at_hand.facts("2026-11", 1, {Fact.STANDINGS, Fact.FINDINGS})
    assert counted.read == []


def test_what_is_kept_of_a_statement_and_its_schedule_is_what_they_tell(year: tuple[Books, list[Statement]]) -> None:
    books, statements = year
    role = books.as_role("console")
    names = [one.fingerprint() for one in statements]
    kept = PostgresFacts(role)
    assert kept.statements(names) == {
        one.fingerprint(): StatementFacts.of(one, one.fingerprint()) for one in statements
    }
    assert kept.lines(names) == {one.fingerprint(): LineFacts.of(one) for one in statements}
    assert kept.unlike() == (2, None)
    made = FactsAtHand(role).facts("2026-10", 1, ALL).schedules
    schedule = recognition.schedule_for(statements[1], statements[:1], [a_contract()])
    assert made == [ScheduleFacts.of(schedule)]
    PostgresEvidence(books.as_role("worker")).keep_schedule(
        inputs_of(names, [a_contract()], None, DEFAULT, ()), schedule, AT
    )
    at_hand = FactsAtHand(role)
    at_hand._facts = counted = Counted(role)
    assert at_hand.facts("2026-10", 1, ALL).schedules == made
    assert not [one for one in counted.read if one.startswith("whole")]


def test_facts_that_no_statement_tells_are_named(year: tuple[Books, list[Statement]]) -> None:
    books, [september, _] = year
    other = a_statement(usage("x", "3.00", model="another"))
    with books.connect() as owner:  # as somebody who may do everything
        owner.execute("ALTER TABLE tieout.statement_facts DISABLE TRIGGER ALL")
        owner.execute(
            "UPDATE tieout.statement_facts SET lines = %s WHERE statement = %s",
            (LineFacts.of(other).canonical(), september.fingerprint()),
        )
        owner.commit()
    assert PostgresFacts(books.as_role("auditor")).unlike() == (2, september.fingerprint())


def test_an_entry_that_does_not_follow_the_last_one_is_refused(fresh_database: Books) -> None:
    role = fresh_database.as_role("console")
    PostgresJournal(fresh_database.as_role("worker")).post([an_entry("one"), an_entry("two")], "system", AT)
    at_hand = FactsAtHand(role)
    (_, first, entry), _ = PostgresFacts(role).booked(0)

    class Broken(PostgresFacts):
        def booked(self, after: int) -> Iterator[tuple[str, Link, Booked]]:
            yield NOTHING_BEFORE, first, entry
            yield "e" * 64, first.model_copy(update={"position": 2}), entry

    at_hand._facts = Broken(role)
    with pytest.raises(ChainBroken, match="does not follow"):
        at_hand.facts("2026-10", 1, {Fact.ENTRIES})


def test_what_is_more_than_is_kept_is_read_whenever_it_is_asked_for(
    year: tuple[Books, list[Statement]], monkeypatch: pytest.MonkeyPatch
) -> None:
    books, _ = year
    PostgresJournal(books.as_role("worker")).post([an_entry("one")], "system", AT + timedelta(hours=1))
    at_hand = FactsAtHand(books.as_role("console"))
    for bound in ("MOST_POSTINGS", "MOST_INVOICES", "MOST_LINES"):
        monkeypatch.setattr(report_facts, bound, 1)
    first = at_hand.facts("2026-10", 1, ALL)
    assert at_hand.facts("2026-10", 1, ALL) == first
    assert (len(first.entries), len(first.invoices), len(first.statements), len(first.lines)) == (1, 2, 2, 2)
