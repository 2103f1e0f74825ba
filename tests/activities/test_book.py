"""Events in the books: two people, one entry, the same as offline; on a real Postgres."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.book import Book
from activities.messages import ApplyEvent, BookEvent, CustomerRef, EventBooked, PostRevenue, RateUsage
from activities.payments import Payments
from activities.post import DecisionRefused, Post
from activities.rate import ContractEnded, Rate
from adapters.postgres.booked_events import PostgresBookedEvents
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.stripe_events import PostgresEvents
from adapters.postgres.support import PostgresSupport
from billing.events import NegativeLiability
from billing.settlements import EventRefused
from billing.vouching.month import vouch
from cli.recognize import recognized
from models.books import Conflict, FourEyes
from models.close import CORRECTIONS_FROM, DecisionKind
from models.event import EVENT, Event
from models.journal import JournalEntry, Rule
from models.statement import Statement
from models.stripe_event import Payment, PlatformEvent
from runtime import exports
from runtime.desk import DecisionNotTaken
from tests.activities.test_taking_over import TOKENS, World, issue
from tests.adapters.postgres.rows import AT
from tests.billing.rating.builders import a_contract, through, used
from tests.billing.test_openings import YEARLY
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack

D = Decimal
CONTRACT = a_contract(
    term={"start": "2026-10-01", "end": "2027-10-01"},
    commitments=[YEARLY],
    fees=[{"id": "platform", "amount": "100.00", "every": "month"}],
)
USE = {"2026-10": [used("6000")], "2026-11": [used("3000", "2026-11-15T12:00:00Z")]}
"""At 0.05: 300.00 and 150.00 of the year's 1,200.00; fees of 100.00 a month, billed ahead."""

INVOICES = {month: f"{month}@1/acme/USD" for month in USE}


def event(kind: str, on: str, **more: object) -> Event:
    """Return an event that pia proposes and aron approves."""
    judged = {} if kind in ("payment", "expiry") else {"by": "pia", "approved_by": "aron"}
    reason = {} if kind in ("payment", "expiry", "termination") else {"reason": "see the file"}
    said = {"event": kind, "id": f"{kind}-1", "contract": "acme-2026", "on": on, **judged, **reason, **more}
    return EVENT.validate_python(said)


PAYMENT = event("payment", "2026-11-20", invoice=INVOICES["2026-10"], amount="1400.00", fee="44.20")
END = event("termination", "2026-11-30", rest="refunded", clause="12.3")
LATER = (
    event("allowance", "2026-11-30", expected_loss="40.00", evidence="aging: 100.00 × 40 %"),
    END,
    event("write_off", "2026-11-30", invoice=INVOICES["2026-11"], amount="100.00"),
    event("refund", "2026-12-05", of="liability", amount="850.00"),
    event("recovery", "2026-12-10", invoice=INVOICES["2026-11"], amount="30.00", fee="3.00"),
)


class Bare(World):
    """The books and the people, without a contract yet."""

    contracts = ()


@pytest.fixture
def world(fresh_database: Books) -> World:
    return Bare(fresh_database)


def issued(world: World, statements: Sequence[Statement]) -> None:
    """Issue and post statements as the close does."""
    for one in statements:
        issue(world, one)
        close = CustomerRef(month=one.period, revision=1, customer="acme")
        task = PostRevenue(close=close, statement=one.fingerprint(), invoice=f"{one.period}@1/acme/USD")
        ActivityEnvironment().run(Post(world.outside).post_entries, task)


def signed(world: World, one: Event, first: str = "pia", second: str = "aron") -> BookEvent:
    """Return the message that two people's decisions come to."""
    proposal, none = world.desk.book_event(one, "acme", TOKENS[first], "told by the bank")
    assert none is None
    same, approval = world.desk.book_event(one, "acme", TOKENS[second], "seen")
    assert approval is not None
    assert same == proposal
    return BookEvent(contract=one.contract, event=one.id, proposal=proposal.id, approval=approval.id)


def book(world: World, task: BookEvent) -> EventBooked:
    return ActivityEnvironment().run(Book(world.outside).book_event, task)


def told_by_stripe(world: World, database: Books) -> None:
    """Have the payment of October's invoice arrive as Stripe tells it."""
    body = {
        "id": "evt_1",
        "type": "invoice.paid",
        "data": {"object": {"object": "invoice", "id": "in_2026-10", "currency": "usd", "amount_paid": 140000}},
    }
    told = PlatformEvent(
        id="evt_1",
        type="invoice.paid",
        created=datetime(2026, 11, 20, 9, tzinfo=UTC),
        object_id="in_2026-10",
        body=json.dumps(body),
    )
    PostgresEvents(database.as_role("hooks")).keep(told, AT)
    paid = Payment(intent="pi_1", fee=D("44.20"), currency="USD")
    outside = replace(
        world.outside,
        events=PostgresEvents(database.as_role("worker")),
        platform=cast(Any, SimpleNamespace(payment=lambda _: paid)),
    )
    applied = ActivityEnvironment().run(Payments(outside).apply_event, ApplyEvent(event="evt_1"))
    assert applied.fate.value == "applied", applied


def substance(entries: Sequence[JournalEntry]) -> list[tuple[object, ...]]:
    """Return what entries book: rule, period, day and postings."""
    return sorted(
        (one.rule.value, one.period, str(one.posted_on), *sorted(posting.canonical() for posting in one.postings))
        for one in entries
    )


@pytest.fixture
def lived(world: World, fresh_database: Books) -> tuple[World, list[Statement]]:
    """Two months closed, the first one's invoice paid as Stripe tells it."""
    world.outside.terms.add_contract(CONTRACT, "rita", "cora", AT)
    statements = through(CONTRACT, USE)
    issued(world, statements)
    told_by_stripe(world, fresh_database)
    return world, statements


def test_the_close_posts_what_the_offline_command_posts_of_the_same_facts(
    lived: tuple[World, list[Statement]], fresh_database: Books, tmp_path: Path
) -> None:
    world, statements = lived
    for one in LATER:
        task = signed(world, one)
        assert book(world, task) == book(world, task)
    _, offline = recognized([CONTRACT], statements, "2026-12", happened=[PAYMENT, *LATER])
    online = world.outside.journal.entries(customer="acme")
    assert substance(online) == substance(offline)
    written = exports.write(PostgresJournal(fresh_database.as_role("auditor")), world.books, tmp_path)
    assert {one.accepted for one in exports.check(written)} <= {True, None}
    sums: dict[str, Decimal] = {}
    for entry in online:
        for posting in entry.postings:
            sums[posting.account.value] = sums.get(posting.account.value, D(0)) + posting.amount
    # Billed 1,200 + 200 and 100; 450.00 of use and 200.00 of fees are earned; 750.00 and 100.00 go back.
    assert {account: amount for account, amount in sums.items() if amount} == {
        "1010": D("532.80"),  # 1,400 − 44.20 − 850 + 30 − 3
        "1190": D("-30.00"),  # −40 + 40 − 30
        "4010": D("-200.00"),
        "4025": D("-450.00"),
        "6100": D("100.00"),  # 40 + 60
        "6200": D("47.20"),
    }


def test_a_close_that_would_draw_what_has_expired_is_refused_and_posts_nothing(
    lived: tuple[World, list[Statement]],
) -> None:
    """750.00 is left of the year and expires by an event; December's 20 minutes would draw 1.00 of nothing."""
    world, _ = lived
    book(world, signed(world, event("expiry", "2026-11-30", grant="year")))
    december = through(CONTRACT, {**USE, "2026-12": [used("20", "2026-12-15T12:00:00Z")]})[-1]
    before = world.outside.journal.head()
    with pytest.raises(NegativeLiability, match=r"2110 is -1\.00 USD") as refused:
        issued(world, [december])
    assert "2026-12" in str(refused.value)
    assert "pool" in refused.value.remedy
    assert world.outside.journal.head() == before


def test_a_month_after_a_termination_is_not_rated(lived: tuple[World, list[Statement]]) -> None:
    world, _ = lived
    book(world, signed(world, END))
    later = RateUsage(close=CustomerRef(month="2026-12", revision=1, customer="acme"), reconciliation="none")
    with pytest.raises(ContractEnded, match="was terminated"):
        ActivityEnvironment().run(Rate(world.outside).rate_usage, later)


def test_what_is_left_is_not_taken_before_its_month_is_closed(world: World) -> None:
    world.outside.terms.add_contract(CONTRACT, "rita", "cora", AT)
    issued(world, through(CONTRACT, USE)[:1])
    with pytest.raises(EventRefused, match="close it, then book this"):
        book(world, signed(world, END))


def test_an_event_of_a_locked_month_goes_to_the_first_open_one(lived: tuple[World, list[Statement]]) -> None:
    world, _ = lived
    world.outside.journal.lock("2026-11", "cora", "reviewed", AT)
    booked = book(world, signed(world, LATER[0]))
    assert (booked.month, booked.debits) == ("2026-12", "40")
    (entry,) = [one for one in world.outside.journal.entries(customer="acme") if one.key == booked.entry]
    assert (entry.rule, str(entry.posted_on)) == (Rule.H1, "2026-12-01")


def test_one_person_alone_books_nothing(lived: tuple[World, list[Statement]], fresh_database: Books) -> None:
    world, _ = lived
    one = LATER[0]
    proposal, _ = world.desk.book_event(one, "acme", TOKENS["pia"], "")
    assert world.desk.book_event(one, "acme", TOKENS["pia"], "") == (proposal, None)
    where = ("2026-11", CORRECTIONS_FROM, "acme", one.fingerprint(), "")
    forged = world.desk.write(DecisionKind.APPROVE_EVENT, TOKENS["pia"], *where, {})
    with pytest.raises(DecisionRefused, match="names other people"):
        book(world, BookEvent(contract=one.contract, event=one.id, proposal=proposal.id, approval=forged.id))
    expiry = event("expiry", "2026-11-30", grant="year")
    with pytest.raises(FourEyes):
        PostgresBookedEvents(fresh_database.as_role("worker")).book(expiry, proposal, proposal, AT)
    _, by_another = world.desk.book_event(one, "acme", TOKENS["cora"], "")
    assert by_another is not None
    with pytest.raises(DecisionRefused, match="names other people"):  # the file says aron
        book(world, BookEvent(contract=one.contract, event=one.id, proposal=proposal.id, approval=by_another.id))
    assert not [entry for entry in world.outside.journal.entries(customer="acme") if entry.rule is Rule.H1]


def test_the_right_role_and_a_reason_are_asked_for_at_the_desk(world: World) -> None:
    with pytest.raises(DecisionNotTaken, match="aron may not propose_event"):
        world.desk.book_event(LATER[0], "acme", TOKENS["aron"], "")
    with pytest.raises(DecisionNotTaken, match="needs a reason"):
        world.desk.book_event(PAYMENT, "acme", TOKENS["pia"], " ")
    world.desk.book_event(LATER[0], "acme", TOKENS["pia"], "")
    with pytest.raises(DecisionNotTaken, match="rita may not approve_event"):
        world.desk.book_event(LATER[0], "acme", TOKENS["rita"], "")


def test_an_event_is_booked_once_and_never_changed(lived: tuple[World, list[Statement]], fresh_database: Books) -> None:
    world, _ = lived
    book(world, signed(world, LATER[0]))
    other = event("allowance", "2026-11-30", expected_loss="41.00", evidence="aging")
    with pytest.raises(Conflict, match="booked once"):
        book(world, signed(world, other))
    assert PostgresBookedEvents(fresh_database.as_role("console")).events("acme") == (LATER[0],)
    for role, code in (("owner", "TIE01"), ("worker", "42501"), ("console", "42501"), (None, "TIE01")):
        for act in ("UPDATE tieout.booked_events SET kind = 'x'", "TRUNCATE tieout.booked_events"):
            with fresh_database.connect(role) as connection, pytest.raises(psycopg.Error) as refused:
                connection.execute(act)
            assert refused.value.sqlstate == code


def test_what_was_posted_reperforms_from_the_books_and_a_document_changed_there_is_named(
    lived: tuple[World, list[Statement]], fresh_database: Books
) -> None:
    world, _ = lived
    for one in LATER[:3]:
        book(world, signed(world, one))

    def named() -> dict[str, str]:
        every = PostgresSupport(fresh_database.as_role("auditor")).of_month("2026-11")
        return {check.name: check.recomputed for one in every for check in vouch(one) if not check.agrees}

    def changed(table: str, old: str, new: str, sealed: bool) -> dict[str, str]:
        """Change a text as only one who switches the triggers off can, with the fingerprint it then has; look."""
        body = f"replace(body, '{old}', '{new}')"
        anew = f", fingerprint = tieout.fingerprint_of({body})" if sealed else ""
        with fresh_database.connect() as connection:
            connection.execute(f"ALTER TABLE tieout.{table} DISABLE TRIGGER USER")
            done = connection.execute(f"UPDATE tieout.{table} SET body = {body}{anew} WHERE body <> {body}")
            assert done.rowcount == 1
            connection.commit()
        return named()

    assert named() == {}
    paid = changed("stripe_events", '"amount_paid": 140000', '"amount_paid": 139000', False)
    assert paid.pop("evt_1 invoice.paid: payload")
    assert paid == {
        "evt_1: payment/in_2026-10 line 1": "1010 1,345.80 USD",
        "evt_1: payment/in_2026-10 line 3": "1100 -1,390.00 USD",
    }
    loss = changed("booked_events", '"expected_loss":"40"', '"expected_loss":"41"', True)
    assert "what is signed changed" in loss["event allowance-1: two people"]
    assert loss["event allowance-1: event/acme-2026/allowance-1 line 1"] == "6100 41.00 USD"
    entry = changed("journal_entries", '"account":"1100","amount":"-100"', '"account":"1110","amount":"-100"', True)
    assert entry["event write_off-1: event/acme-2026/write_off-1 line 3"] == "1100 -100.00 USD"


def test_of_an_unknown_contract_or_an_estimate_nothing_is_booked(world: World) -> None:
    with pytest.raises(EventRefused, match="no such contract"):
        book(world, signed(world, LATER[0].model_copy(update={"contract": "other"})))
    expected = {"subject": "year", "expected_use": "900", "evidence": "history"}
    with pytest.raises(EventRefused, match="recorded, not booked"):
        book(world, signed(world, event("estimate", "2026-11-05", **expected)))
