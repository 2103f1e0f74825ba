"""What the stages leave in the database: evidence, closes, decisions, invoices; each write safe to repeat."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from adapters.postgres.books import Books as BooksView
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk, seed_people
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from cli.findings import deferred_into
from models.approval import ApprovalCode, Person, Verdict
from models.books import Conflict, FourEyes, NotAuthenticated
from models.close import DecisionKind, Role, Stage, State
from models.invoice import IssuedInvoice
from models.period import Period
from models.reconciliation import Cause, Exposure, Finding, Reconciliation, Severity
from models.snapshot import Artifact, Snapshot, SourceCounts
from tests.adapters.postgres.rows import ANN, AT, a_decision
from tests.postgres_fixture import Books
from tests.statement_builders import a_statement, an_invoice, usage

pytestmark = pytest.mark.stack

BOB = Person(id="bob", name="Bob", roles=(Role.APPROVER,))
ARTIFACT = Artifact(uri="s3://evidence/x", content_fingerprint="c" * 64, sha256="d" * 64, rows=1, bytes=10)
OCTOBER = Period(starts_at=datetime(2026, 10, 1, tzinfo=UTC), ends_at=datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture
def books(fresh_database: Books) -> Books:
    seed_people(
        fresh_database.owner_url,
        [("ann", "Ann", ANN.roles, "token-of-ann"), ("bob", "Bob", BOB.roles, "token-of-bob")],
    )
    return fresh_database


def evidence(books: Books) -> PostgresEvidence:
    """Return the evidence as the worker has it."""
    return PostgresEvidence(books.as_role("worker"))


def closes(books: Books) -> PostgresCloses:
    """Return the closes as the worker has them."""
    return PostgresCloses(books.as_role("worker"))


def desk(books: Books) -> PostgresDesk:
    """Return the desk, which connects as the console."""
    return PostgresDesk(books.as_role("console"))


def a_snapshot(month: str = "2026-10", sealed_at: datetime = AT) -> Snapshot:
    """Return a sealed snapshot of a source."""
    return Snapshot(
        source="clickhouse",
        period=month,
        window=OCTOBER,
        grain="event",
        watermark=AT,
        sealed_at=sealed_at,
        counts=SourceCounts(read=1, kept=1, duplicates=0, outside_period=0, seen_before=0),
        rows=ARTIFACT,
        buckets=ARTIFACT,
        duplicates=ARTIFACT,
        customers=("acme",),
    )


def a_finding(finding_id: str, severity: Severity = Severity.HOLDS) -> Finding:
    """Return a finding on acme's October."""
    return Finding(
        id=finding_id,
        customer="acme",
        period="2026-10",
        cause=Cause.MISSING,
        severity=severity,
        source="posthog",
        against="clickhouse",
        meter="call.minutes",
        starts_at=OCTOBER.starts_at,
        ends_at=OCTOBER.ends_at,
        quantity=Decimal("1.23456789"),
        against_quantity=Decimal(2),
        evidence="one event",
        suggestion="take clickhouse",
    )


def a_reconciliation(*findings: Finding) -> Reconciliation:
    """Return a reconciliation of acme's October."""
    return Reconciliation(
        customer="acme",
        period="2026-10",
        snapshots=("c" * 64,),
        totals=(),
        findings=findings,
        authority={"call.minutes": "clickhouse"},
        usage=ARTIFACT,
    )


def issued(reference: str, total: str = "10.00", **more: str) -> IssuedInvoice:
    """Return an invoice as Stripe holds it."""
    content: dict[str, object] = {
        "reference": reference,
        "stripe_id": "in_1",
        "number": "T-1",
        "status": "open",
        "currency": "USD",
        "total": Decimal(total),
        "lines": 1,
        "issued_at": AT,
        "due_on": date(2026, 12, 2),
        **more,
    }
    return IssuedInvoice.model_validate(content)


def test_the_first_seal_of_a_source_and_month_stands(books: Books) -> None:
    first, second = a_snapshot(), a_snapshot(sealed_at=AT + timedelta(hours=1))
    book = evidence(books)
    assert book.keep_snapshot(first, 1) == book.keep_snapshot(second, 1) == first
    assert book.keep_snapshot(second, 2) == second
    assert (book.snapshot("clickhouse", "2026-10", 1), book.snapshot("sheet", "2026-10", 1)) == (first, None)
    assert book.snapshots_before("clickhouse", "2026-11") == (second, first)
    assert book.snapshots_before("clickhouse", "2026-10") == ()


def test_the_reconciliation_in_use_is_the_last_one_taken(books: Books) -> None:
    book, first, second = evidence(books), a_reconciliation(a_finding("f1")), a_reconciliation()
    assert book.latest_reconciliation("2026-10", 1, "acme") is None
    for reconciliation in (first, first, second, first):
        fingerprint = book.keep_reconciliation(reconciliation, 1, AT)
        assert fingerprint == reconciliation.fingerprint()
        assert book.latest_reconciliation("2026-10", 1, "acme") == book.reconciliation(fingerprint) == reconciliation
    with books.connect("auditor") as connection:
        assert connection.execute("SELECT count(*) FROM tieout.reconciliation_uses").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM tieout.findings").fetchone() == (1,)
    with pytest.raises(KeyError):
        book.reconciliation("0" * 64)


def test_statements_are_kept_once_and_used_by_each_close(books: Books) -> None:
    book, statement = evidence(books), a_statement(usage("u1", "10.00"))
    assert book.keep_statement(statement, 1, AT) == book.keep_statement(statement, 2, AT) == statement.fingerprint()
    assert book.latest_statement("2026-10", 1, "acme") == book.latest_statement("2026-10", 2, "acme") == statement
    assert book.statement(statement.fingerprint()) == statement
    assert book.latest_statement("2026-09", 1, "acme") is None
    with pytest.raises(KeyError):
        book.statement("0" * 64)


def test_a_body_is_what_its_fingerprint_says(books: Books) -> None:
    evidence(books).keep_statement(a_statement(usage("u1", "10.00")), 1, AT)
    columns = "customer, contract, contract_version, period, currency, lines, subtotal, tax, total, recorded_at"
    forged = f"INSERT INTO tieout.statements (fingerprint, body, {columns}) SELECT %s, body, {columns}"
    forged += " FROM tieout.statements"
    with books.connect("worker") as connection, pytest.raises(psycopg.errors.CheckViolation, match="statements_check"):
        connection.execute(forged, ("0" * 64,))


def test_issued_statements_are_those_of_earlier_months_with_an_invoice(books: Books) -> None:
    book, invoices = evidence(books), PostgresInvoices(books.as_role("worker"))
    for month, is_issued in (("2026-08", True), ("2026-09", False), ("2026-10", True)):
        statement = a_statement(usage("u1", "10.00", month=month), month=month)
        book.keep_statement(statement, 1, AT)
        invoice = invoices.reserve(an_invoice(statement), AT)
        if is_issued:
            invoices.issued(issued(invoice.reference, stripe_id=f"in_{month}"), AT)
    assert [one.period for one in book.issued_statements("acme-2026", "2026-11")] == ["2026-08", "2026-10"]
    assert [one.period for one in book.issued_statements("acme-2026", "2026-10")] == ["2026-08"]
    assert book.issued_statements("other", "2026-11") == ()


def test_a_close_remembers_everyone_who_started_it(books: Books) -> None:
    book = closes(books)
    for person, by_hand in (("schedule", False), ("ann", True), ("ann", True), ("bob", True)):
        book.open_close("2026-10", 1, person, by_hand, AT)
    assert book.starters("2026-10", 1) == {"ann", "bob"}
    assert book.starters("2026-10", 2) == frozenset()


def test_a_late_repeat_does_not_move_a_close_back(books: Books) -> None:
    book = closes(books)
    book.project("2026-10", 1, "acme", Stage.RATE, State.RUNNING, AT, statement="s1")
    book.project("2026-10", 1, "acme", Stage.INVOICE, State.DONE, AT + timedelta(hours=2), "issued", invoice="i1")
    book.project("2026-10", 1, "acme", Stage.RATE, State.RUNNING, AT + timedelta(hours=1), statement="s0")
    standing = book.standing("2026-10", 1, "acme")
    assert standing is not None
    assert (standing.stage, standing.state, standing.detail) == (Stage.INVOICE, State.DONE, "issued")
    assert standing.references == {"statement": "s1", "invoice": "i1"}
    assert book.standing("2026-10", 1, "other") is None
    book.project("2026-10", 1, "beta", Stage.APPROVE, State.WAITING, AT)
    assert book.waiting("2026-10", 1) == ("beta",)


def test_a_month_has_one_root(books: Books) -> None:
    book = closes(books)
    book.open_close("2026-10", 1, "schedule", False, AT)
    assert book.keep_root("2026-10", 1, "a" * 64, AT) == book.keep_root("2026-10", 1, "a" * 64, AT) == "a" * 64
    with pytest.raises(Conflict):
        book.keep_root("2026-10", 1, "b" * 64, AT)


def test_the_desk_knows_people_by_their_token_alone(books: Books) -> None:
    assert desk(books).person("token-of-bob") == BOB
    with pytest.raises(NotAuthenticated):
        desk(books).person("bob")
    seed_people(books.owner_url, [("bob", "Bob", BOB.roles, "another-token")])
    with pytest.raises(NotAuthenticated):
        desk(books).person("token-of-bob")
    with books.connect() as connection:
        connection.execute("UPDATE tieout.people SET active = false WHERE id = 'bob'")
    with pytest.raises(NotAuthenticated):
        desk(books).person("another-token")


def test_a_decision_is_written_once(books: Books) -> None:
    decision = a_decision("d1")
    later = decision.model_copy(update={"recorded_at": AT + timedelta(minutes=1)})
    assert desk(books).write(decision) == desk(books).write(later) == decision
    with pytest.raises(Conflict):
        desk(books).write(a_decision("d1", DecisionKind.REJECT))
    assert closes(books).decision("d1") == decision
    assert closes(books).decision("d2") is None
    assert closes(books).decisions("2026-10", 1, "acme") == (decision,)


def test_decisions_are_of_known_people_and_stay(books: Books) -> None:
    stranger = Person(id="eve", name="Eve", roles=(Role.CONTROLLER,))
    with pytest.raises(Exception, match="decisions_person_fkey"):
        desk(books).write(a_decision("d1", person=stranger))
    desk(books).write(a_decision("d2"))
    for statement in ("UPDATE tieout.decisions SET reason = 'x'", "DELETE FROM tieout.decisions"):
        with books.connect("owner") as connection, pytest.raises(psycopg.Error) as refusal:
            connection.execute(statement)
        assert refusal.value.sqlstate == "TIE01"


def a_verdict(decision_id: str, person: str | None = "ann", kind: DecisionKind = DecisionKind.APPROVE) -> Verdict:
    """Return a taken verdict."""
    return Verdict(
        decision=decision_id,
        kind=kind,
        taken=True,
        code=ApprovalCode.TAKEN,
        message="taken",
        person=person,
        subject="s" * 64,
    )


def test_the_first_verdict_on_a_decision_stands(books: Books) -> None:
    book = closes(books)
    desk(books).write(a_decision("d1"))
    first = book.keep_verdict(a_verdict("d1"), "2026-10", 1, "acme", AT)
    refused = first.model_copy(update={"taken": False, "code": ApprovalCode.CHANGED})
    assert book.keep_verdict(refused, "2026-10", 1, "acme", AT) == first
    assert book.verdicts("2026-10", 1, "acme") == (first,)


def test_19_the_database_wants_two_people(books: Books) -> None:
    book = closes(books)
    with pytest.raises(FourEyes, match="no decision"):
        book.keep_verdict(a_verdict("ghost"), "2026-10", 1, "acme", AT)
    desk(books).write(a_decision("d1", person=BOB))
    with pytest.raises(FourEyes, match="no decision"):
        book.keep_verdict(a_verdict("d1", "ann"), "2026-10", 1, "acme", AT)  # bob's decision, in ann's name
    desk(books).write(a_decision("d2"))
    book.open_close("2026-10", 1, "ann", True, AT)
    with pytest.raises(FourEyes, match="started this close"):
        book.keep_verdict(a_verdict("d2"), "2026-10", 1, "acme", AT)
    book.keep_verdict(a_verdict("d1", "bob"), "2026-10", 1, "acme", AT)
    book.keep_verdict(a_verdict("policy-1", "system"), "2026-10", 1, "acme", AT)  # automatic, named so
    desk(books).write(a_decision("d3", person=BOB))
    with pytest.raises(FourEyes, match="approved this already"):
        book.keep_verdict(a_verdict("d3", "bob"), "2026-10", 1, "acme", AT)
    desk(books).write(a_decision("d4", DecisionKind.REVERSE))
    book.keep_verdict(a_verdict("d4", kind=DecisionKind.REVERSE), "2026-10", 1, "acme", AT)
    assert book.keep_verdict(a_verdict("d3", "bob"), "2026-10", 1, "acme", AT).taken  # the first one is void


def test_a_taken_resolution_answers_its_finding(books: Books) -> None:
    book, view = evidence(books), BooksView(books.as_role("auditor"))
    book.keep_reconciliation(
        a_reconciliation(a_finding("f1"), a_finding("f2"), a_finding("f3", Severity.RECORDED)), 1, AT
    )
    assert [row.finding.id for row in view.exceptions("2026-10")] == ["f1", "f2"]
    resolve = a_decision(
        "d1", DecisionKind.RESOLVE, subject="f1", payload={"answer": "correct", "quantity": "2.5", "source": "sheet"}
    )
    desk(books).write(resolve)
    assert book.resolutions("2026-10", 1, "acme") == ()
    verdict = a_verdict("d1", kind=DecisionKind.RESOLVE).model_copy(update={"subject": "f1"})
    closes(books).keep_verdict(verdict, "2026-10", 1, "acme", AT)
    [resolution] = book.resolutions("2026-10", 1, "acme")
    assert (resolution.finding, resolution.quantity, resolution.person) == ("f1", Decimal("2.5"), "ann")
    assert [row.finding.id for row in view.exceptions("2026-10", customer="acme")] == ["f2"]


def test_a_finding_has_an_age_an_owner_money_and_a_resolution_that_may_be_reversed(books: Books) -> None:
    book, view, later = evidence(books), BooksView(books.as_role("console")), AT + timedelta(days=3)
    book.keep_reconciliation(a_reconciliation(a_finding("f1")), 1001, AT)  # a dry run saw it first
    both = a_reconciliation(a_finding("f1"), a_finding("f2"))
    money, alone = Exposure(finding="f1", amount=Decimal("-12.50"), currency="USD"), Exposure(finding="f2", why="alone")
    book.keep_reconciliation(both, 1, later, [Exposure(finding="f1", why="NoRate: not yet"), alone])
    for _ in range(2):
        book.keep_reconciliation(both, 1, later, [money, alone])
    with books.connect() as plain:
        assert plain.execute("SELECT count(*) FROM tieout.exposures").fetchone() == (3,)
    for name, kind, payload in (
        ("a1", DecisionKind.ASSIGN, {"owner": "bob"}),
        ("a2", DecisionKind.ASSIGN, {"owner": "ann"}),
        ("r1", DecisionKind.RESOLVE, {"answer": "defer"}),
    ):
        desk(books).write(a_decision(name, kind, subject="f1", payload=payload))
        verdict = a_verdict(name, kind=kind).model_copy(update={"subject": "f1"})
        closes(books).keep_verdict(verdict, "2026-10", 1, "acme", later)
    assert [one.finding.id for one in view.exceptions("2026-10")] == ["f2"]
    first, second = view.exceptions("2026-10", answered_too=True)
    assert (first.owner, first.at_risk, first.holds) == ("ann", money, False)
    assert first.resolution is not None
    assert (first.resolution.answer.value, first.resolution.decision) == ("defer", "r1")
    assert [one.finding.id for one in deferred_into(view, "2026-11")] == ["f1"]
    assert (first.age(later), second.age(later)) == (timedelta(days=3), timedelta(0))
    desk(books).write(a_decision("v1", DecisionKind.REVERSE, subject="f1", payload={"resolution": "r1"}))
    verdict = a_verdict("v1", kind=DecisionKind.REVERSE).model_copy(update={"subject": "f1"})
    closes(books).keep_verdict(verdict, "2026-10", 1, "acme", later)
    assert book.resolutions("2026-10", 1, "acme") == ()
    assert [one.finding.id for one in view.exceptions("2026-10")] == ["f1", "f2"]
    assert deferred_into(view, "2026-11") == ()
    assert [one.id for one in view.people()] == ["ann", "bob"]


def test_an_invoice_is_reserved_and_issued_once(books: Books) -> None:
    statement, book = a_statement(usage("u1", "10.00")), PostgresInvoices(books.as_role("worker"))
    evidence(books).keep_statement(statement, 1, AT)
    invoice = an_invoice(statement)
    assert book.invoice(invoice.reference) is None
    assert book.reserve(invoice, AT) == book.reserve(invoice, AT) == invoice
    with pytest.raises(Conflict):
        book.reserve(invoice.model_copy(update={"net_days": 60}), AT)
    with pytest.raises(Conflict):
        book.issued(issued(invoice.reference, "9.99"), AT)
    with pytest.raises(Conflict):
        book.issued(issued("2026-10@1/ghost/USD"), AT)
    held = issued(invoice.reference)
    assert book.issued(held, AT) == held
    assert book.issued(held.model_copy(update={"status": "paid", "pdf_uri": "s3://x"}), AT) == held
    with pytest.raises(Conflict):
        book.issued(issued(invoice.reference, stripe_id="in_2"), AT)
    assert book.invoice(invoice.reference) == (invoice, held)
    view = BooksView(books.as_role("console"))
    assert [(row.invoice, row.issued) for row in view.invoices("2026-10", "acme")] == [(invoice, held)]
    found = view.invoice(invoice.reference)
    assert found is not None
    assert found.issued == held
    assert view.statement(statement.fingerprint()) == statement
    own = BooksView(books.as_role("portal"), "acme")
    assert own.invoices() == view.invoices()
    assert BooksView(books.as_role("portal"), "other").invoices() == ()


def test_one_invoice_for_a_customer_currency_period_and_revision(books: Books) -> None:
    statement, book = a_statement(usage("u1", "10.00")), PostgresInvoices(books.as_role("worker"))
    evidence(books).keep_statement(statement, 1, AT)
    with pytest.raises(ValueError, match="expected <period>"):
        book.reserve(an_invoice(statement).model_copy(update={"reference": "mine"}), AT)
    with pytest.raises(Exception, match="named_after_what_it_bills"):
        book.reserve(an_invoice(statement).model_copy(update={"reference": "2026-10@1/other/USD"}), AT)
    book.reserve(an_invoice(statement), AT)
    book.reserve(an_invoice(statement, revision=2), AT)
    assert len(BooksView(books.as_role("console")).invoices("2026-10")) == 2


def test_a_customers_id_at_stripe_is_the_first_one(books: Books) -> None:
    book = PostgresInvoices(books.as_role("worker"))
    assert book.stripe_customer("acme") is None
    assert book.keep_stripe_customer("acme", "cus_1", AT) == book.keep_stripe_customer("acme", "cus_2", AT) == "cus_1"
    assert book.stripe_customer("acme") == "cus_1"


def test_the_list_of_closes_counts_states_and_money(books: Books) -> None:
    statement, book = a_statement(usage("u1", "10.00")), closes(books)
    book.open_close("2026-10", 1, "schedule", False, AT)
    book.project("2026-10", 1, "acme", Stage.PUBLISH, State.DONE, AT)
    book.project("2026-10", 1, "beta", Stage.APPROVE, State.WAITING, AT)
    evidence(books).keep_statement(statement, 1, AT)
    invoices = PostgresInvoices(books.as_role("worker"))
    invoices.issued(issued(invoices.reserve(an_invoice(statement), AT).reference), AT)
    [summary] = BooksView(books.as_role("console")).closes("2026-10")
    assert summary.states == {"done": 1, "waiting": 1}
    assert summary.invoiced == {"USD": Decimal("10.00")}
    assert (summary.starters, summary.locked_at, summary.root) == (("schedule",), None, None)
