"""Taking over a contract, on a real Postgres: two people, one position, one entry, visible in every report."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import psycopg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.deeds import Outside
from activities.messages import OpenedRef, TakeOver
from activities.opening import AlreadyBilled, Openings
from activities.post import DecisionRefused
from adapters.postgres.booked_events import PostgresBookedEvents
from adapters.postgres.books import Books as BooksView
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk, seed_people
from adapters.postgres.estimates import PostgresEstimates
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.watches import PostgresWatches
from billing import invoicing
from billing.rating.openings import OpeningRefused
from devstack.book.people import PEOPLE
from models.books import Conflict, FourEyes
from models.close import DecisionKind
from models.contract import Contract
from models.invoice import IssuedInvoice
from models.journal import Account
from models.opening import Opening
from models.statement import Statement
from runtime.clock import SystemClock
from runtime.desk import DecisionNotTaken, DeskDoor
from tests.adapters.postgres.rows import AT
from tests.billing.rating.builders import a_contract, rated, used
from tests.billing.test_openings import OPEN, YEARLY, an_opening
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack

TOKENS = {name: f"{name}-token" for name in ("pia", "aron", "cora", "rita")}


class World:
    """The books with acme's contract in them, and people at the desk."""

    contracts: tuple[Contract, ...] = (a_contract(commitments=[YEARLY]),)

    def __init__(self, database: Books) -> None:
        worker = database.as_role("worker")
        seed_people(
            database.owner_url, [(name, said, roles, TOKENS[name]) for name, said, roles in PEOPLE if name in TOKENS]
        )
        nothing = cast(Any, None)
        self.outside = Outside(
            terms=PostgresTerms(worker),
            evidence=PostgresEvidence(worker),
            watches=PostgresWatches(worker),
            closes=PostgresCloses(worker),
            invoices=PostgresInvoices(worker),
            journal=PostgresJournal(worker),
            estimates=PostgresEstimates(worker),
            notices=PostgresNotices(worker),
            booked=PostgresBookedEvents(worker),
            store=nothing,
            platform=nothing,
            sources={},
            policy=nothing,
            approval=nothing,
            histories=nothing,
            clock=SystemClock(),
            engine="test",
            rate_changes=nothing,
            corrections=nothing,
            events=nothing,
            controls=nothing,
            scratch=nothing,
        )
        console = database.as_role("console")
        self.desk = DeskDoor(PostgresDesk(console), PostgresCloses(console), nothing, SystemClock())
        self.books = BooksView(database.as_role("auditor"))
        for contract in self.contracts:
            self.outside.terms.add_contract(contract, "rita", "cora", AT)

    def signed(self, opening: Opening, first: str = "pia", second: str = "aron") -> TakeOver:
        """Return the message that two people's decisions at the desk come to."""
        proposal, none = self.desk.open_contract(opening, TOKENS[first], "taken over")
        assert none is None
        same, approval = self.desk.open_contract(opening, TOKENS[second], "checked against the trial balance")
        assert approval is not None
        assert same == proposal
        return TakeOver(contract=opening.contract, proposal=proposal.id, approval=approval.id)

    def take_over(self, task: TakeOver) -> OpenedRef:
        return ActivityEnvironment().run(Openings(self.outside).take_over, task)


@pytest.fixture
def world(fresh_database: Books) -> World:
    return World(fresh_database)


POSITION = an_opening(OPEN, balances={"deferred": "300.00", "unbilled": "40.00", "receivable": "500.00"})


def test_an_opening_is_kept_posted_once_and_stands_before_the_first_month(world: World) -> None:
    task = world.signed(POSITION)
    first = world.take_over(task)
    assert first == OpenedRef(
        contract="acme-2026", fingerprint=POSITION.fingerprint(), entry="opening/acme-2026", debits="540"
    )
    assert world.take_over(task) == first
    assert world.outside.terms.opening("acme-2026") == world.books.opening("acme-2026") == POSITION
    balances = {one.account: one.balance for one in world.books.trial_balance("2026-09")}
    assert balances == {
        Account.RECEIVABLE: Decimal("500.00"),
        Account.UNBILLED: Decimal("40.00"),
        Account.PREPAID: Decimal("-300.00"),
        Account.OPENING: Decimal("-240.00"),
    }
    (row,) = world.books.roll_forward("2026-10")
    assert (row.grant, row.opening, row.billed, row.closing) == ("year", Decimal(300), Decimal(0), Decimal(300))
    verdicts = world.outside.closes.verdicts("2026-10", 1, "acme")
    assert [(one.kind, one.person, one.taken) for one in verdicts] == [
        (DecisionKind.PROPOSE_OPENING, "pia", True),
        (DecisionKind.APPROVE_OPENING, "aron", True),
    ]
    assert "pia" in world.outside.terms.proposers(["acme-2026@2026-01-01"], [])  # and so prepares the first statement


def test_where_its_month_is_locked_it_is_posted_to_the_first_open_one_and_still_opens(world: World) -> None:
    world.outside.journal.lock("2026-09", "cora", "reviewed", AT)
    task = world.signed(POSITION)
    world.take_over(task)
    world.outside.journal.lock("2026-10", "cora", "reviewed", AT)
    world.take_over(task)
    assert {line.period for line in world.books.journal(customer="acme")} == {"2026-10"}
    (row,) = world.books.roll_forward("2026-10")
    assert (row.opening, row.closing) == (Decimal(300), Decimal(300))


def test_one_person_alone_takes_nothing_over(world: World) -> None:
    proposal, _ = world.desk.open_contract(POSITION, TOKENS["pia"], "")
    again, approval = world.desk.open_contract(POSITION, TOKENS["pia"], "")
    assert (again, approval) == (proposal, None)  # pia may approve statements, but not what she proposed
    forged = world.desk.write(
        DecisionKind.APPROVE_OPENING, TOKENS["pia"], "2026-10", 1, "acme", POSITION.fingerprint(), "", {}
    )
    with pytest.raises(DecisionRefused, match="pia prepared this opening"):
        world.take_over(TakeOver(contract="acme-2026", proposal=proposal.id, approval=forged.id))
    with pytest.raises(DecisionRefused, match="no decision row"):
        world.take_over(TakeOver(contract="acme-2026", proposal=proposal.id, approval="nobody"))
    with pytest.raises(FourEyes):
        world.outside.terms.add_opening(POSITION, "pia", "pia", AT)
    assert world.outside.terms.opening("acme-2026") is None
    assert world.outside.journal.entries() == ()


def test_who_may_not_sign_is_told_so_at_the_desk(world: World) -> None:
    with pytest.raises(DecisionNotTaken, match="aron may not propose_opening: that is for controller, preparer"):
        world.desk.open_contract(POSITION, TOKENS["aron"], "")
    world.desk.open_contract(POSITION, TOKENS["pia"], "")
    with pytest.raises(DecisionNotTaken, match="rita may not approve_opening: that is for approver, controller"):
        world.desk.open_contract(POSITION, TOKENS["rita"], "")


def test_an_approval_is_of_what_was_seen(world: World) -> None:
    proposal, _ = world.desk.open_contract(POSITION, TOKENS["pia"], "")
    _, none = world.desk.open_contract(an_opening(OPEN), TOKENS["cora"], "")
    assert none is None  # another content: another proposal
    other = world.signed(an_opening(OPEN, as_of="2026-11-01"))
    with pytest.raises(DecisionRefused, match=r"what is signed changed|another customer, month"):
        world.take_over(TakeOver(contract="acme-2026", proposal=proposal.id, approval=other.approval))


def test_a_contract_is_taken_over_once_and_before_its_first_statement(world: World, fresh_database: Books) -> None:
    issue(world, rated(a_contract(commitments=[YEARLY]), used("10"), period="2026-10"))
    with pytest.raises(AlreadyBilled):
        world.take_over(world.signed(an_opening(OPEN, as_of="2026-11-01")))
    world.outside.terms.add_opening(POSITION, "pia", "aron", AT)
    with pytest.raises(Conflict, match="taken over once"):
        world.outside.terms.add_opening(an_opening(OPEN), "pia", "aron", AT + timedelta(days=1))
    for change in ("UPDATE tieout.openings SET customer = 'b'", "DELETE FROM tieout.openings"):
        with fresh_database.connect("owner") as connection, pytest.raises(psycopg.Error) as refusal:
            connection.execute(change)
        assert refusal.value.sqlstate == "TIE01"


def test_a_contract_that_was_amended_since_refuses_what_no_longer_fits(world: World) -> None:
    task = world.signed(POSITION)
    more = a_contract(commitments=[{**YEARLY, "amount": "1500.00"}], effective="2026-06-01")
    world.outside.terms.add_contract(more, "rita", "cora", AT)
    with pytest.raises(OpeningRefused, match="the contract grants 1500"):
        world.take_over(task)


def issue(world: World, statement: Statement) -> None:
    """Put an issued statement into the books."""
    outside = world.outside
    outside.evidence.keep_statement(statement, 1, AT)
    invoice = invoicing.invoice_for(statement, 1)
    outside.invoices.reserve(invoice, AT)
    outside.invoices.issued(
        IssuedInvoice(
            reference=invoice.reference,
            stripe_id=f"in_{statement.period}",
            number=f"T-{statement.period}",
            status="paid",
            currency=invoice.currency,
            total=invoice.total,
            lines=len(invoice.lines),
            issued_at=AT,
            due_on=AT.date(),
        ),
        AT,
    )
