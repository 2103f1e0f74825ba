"""The Stripe hook with the double as its caller: signed, repeated, out of order, forged; each fact is posted once."""

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
import uvicorn
from temporalio.testing import ActivityEnvironment

from activities.deeds import Outside
from activities.messages import ApplyEvent, EventApplied
from activities.payments import Payments, StillIssuing
from adapters.postgres.corrections import PostgresCorrections
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.stripe_events import PostgresEvents
from adapters.stripe import StripeInvoices
from api.hook import PATH, hook_of
from devstack import ports
from devstack.stripe.webhooks import signature
from devstack.up import Stack
from models.journal import Account, JournalEntry, Posting, Rule
from models.stripe_event import Fate, Payment
from runtime.clock import SystemClock
from tests.adapters.postgres.rows import an_entry
from tests.postgres_fixture import Books
from tests.statement_builders import a_statement, an_invoice, usage

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stripe-hook")]
SECRET = "whsec_of_the_tests"


class Hook:
    """The hook on a port, with a worker's hands beside it: what it is told to apply is applied at once."""

    def __init__(self, books: Books, stack: Stack) -> None:
        worker = books.as_role("worker")
        nothing = cast(Any, None)
        self.events, self.journal = PostgresEvents(worker), PostgresJournal(worker)
        self.invoices, self.stack = PostgresInvoices(worker), stack
        self.evidence = PostgresEvidence(worker)
        self.platform = StripeInvoices(stack.endpoints.stripe_key, stack.endpoints.stripe_url)
        everything = dict.fromkeys(Outside.__dataclass_fields__, nothing) | {
            "corrections": PostgresCorrections(worker),
            "events": self.events,
            "invoices": self.invoices,
            "journal": self.journal,
            "platform": self.platform,
            "clock": SystemClock(),
        }
        self.deed = Payments(Outside(**everything))
        self.applied: queue.Queue[str] = queue.Queue()
        port = ports.choose(None)
        self.url = f"http://127.0.0.1:{port}"
        self.secret = stack.endpoints.stripe_webhook_secret
        app = hook_of(PostgresEvents(books.as_role("hooks")), self._apply, self.secret, SystemClock())
        self.server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        _until(lambda: self.server.started)

    async def _apply(self, event: str) -> None:
        await asyncio.to_thread(self.apply, event)
        self.applied.put(event)

    def apply(self, event: str) -> EventApplied:
        """Run the deed."""
        return ActivityEnvironment().run(self.deed.apply_event, ApplyEvent(event=event))

    def issued(self, customer: str, amount: str) -> str:
        """Issue an invoice at the double and in the books; return the platform's id."""
        statement = a_statement(usage("u1", amount), customer=customer, contract=f"{customer}-2026")
        invoice = an_invoice(statement)
        self.evidence.keep_statement(statement, 1, datetime(2026, 11, 2, tzinfo=UTC))
        self.invoices.reserve(invoice, datetime(2026, 11, 2, tzinfo=UTC))
        who = self.platform.ensure_customer(customer, customer, f"{customer}@example.com")
        draft = self.platform.draft(who, invoice)
        self.invoices.issued(self.platform.finalize(draft, invoice), datetime(2026, 11, 2, tzinfo=UTC))
        return draft

    def stripe(self, path: str, **data: str) -> None:
        """Call the double."""
        url = f"{self.stack.endpoints.stripe_url}{path}"
        httpx.post(url, data=data, auth=(self.stack.endpoints.stripe_key, "")).raise_for_status()

    def send(self, event: dict[str, Any], secret: str | None = None, at: int | None = None) -> httpx.Response:
        """Send a signed event as Stripe does."""
        payload = json.dumps(event).encode()
        signed = signature(payload, secret or self.secret, at or int(time.time()))
        return httpx.post(f"{self.url}{PATH}", content=payload, headers={"Stripe-Signature": signed})

    def posted(self, customer: str) -> tuple[JournalEntry, ...]:
        return self.journal.entries(customer=customer)

    def fate(self, event: str) -> Fate | None:
        return next(view.fate for view in self.events.views() if view.event.id == event)


def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def balances(entries: tuple[JournalEntry, ...]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for entry in entries:
        for posting in entry.postings:
            sums[posting.account.value] = sums.get(posting.account.value, Decimal(0)) + posting.amount
    return {account: amount for account, amount in sorted(sums.items()) if amount}


@pytest.fixture
def hook(fresh_database: Books, stack: Stack) -> Iterator[Hook]:
    hook = Hook(fresh_database, stack)
    yield hook
    hook.server.should_exit = True
    hook.thread.join(20)
    httpx.delete(f"{stack.endpoints.stripe_url}/_faults")


def an_event(type_: str, thing: dict[str, Any], event: str = "evt_1") -> dict[str, Any]:
    return {"id": event, "object": "event", "type": type_, "created": int(time.time()), "data": {"object": thing}}


def a_dispute(intent: str, status: str = "needs_response") -> dict[str, Any]:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 1000,
        "currency": "usd",
        "status": status,
        "payment_intent": intent,
    }


def test_an_invoice_paid_at_the_double_is_one_entry_in_spite_of_duplicates_and_another_order(
    hook: Hook, stack: Stack
) -> None:
    stripe_id = hook.issued("paying", "10.00")
    hook.stripe("/v1/webhook_endpoints", url=f"{hook.url}{PATH}", **{"enabled_events[0]": "invoice.paid"})
    for fault in ("webhook_duplicate", "webhook_reorder"):
        httpx.post(f"{stack.endpoints.stripe_url}/_faults", json={"fault": fault, "path": "invoice.*"})
    hook.stripe(f"/v1/invoices/{stripe_id}/pay", paid_out_of_band="true")
    other = hook.issued("other", "7.00")
    hook.stripe(f"/v1/invoices/{other}/pay", paid_out_of_band="true")
    seen = [hook.applied.get(timeout=20) for _ in range(3)]
    assert len(set(seen)) == 2  # one of them came twice
    assert balances(hook.posted("paying")) == {"1010": Decimal(10), "1100": Decimal(-10)}
    assert [entry.rule.value for entry in hook.posted("paying")] == ["A2"]
    assert len(hook.posted("other")) == 1


def test_a_wrong_and_an_old_signature_are_refused_and_nothing_is_kept(hook: Hook) -> None:
    event = an_event("invoice.paid", {"id": "in_1", "object": "invoice"})
    forged, old = hook.send(event, secret="whsec_another"), hook.send(event, at=int(time.time()) - 3600)
    assert [answer.status_code for answer in (forged, old)] == [400, 400]
    assert forged.json()["type"] == "urn:tieout:problem:NotSigned"
    assert "TIEOUT_STRIPE_WEBHOOK_SECRET" in forged.json()["remedy"]
    assert hook.events.views() == ()


def test_an_unknown_invoice_and_what_was_done_by_hand_are_parked_with_the_way_out(hook: Hook) -> None:
    stripe_id = hook.issued("hand", "10.00")
    for event, type_, thing in (
        ("evt_u", "invoice.paid", {"id": "in_nobody", "object": "invoice", "amount_paid": 5, "currency": "usd"}),
        ("evt_v", "invoice.voided", {"id": stripe_id, "object": "invoice"}),
        ("evt_c", "credit_note.created", {"id": "cn_1", "object": "credit_note", "invoice": stripe_id, "metadata": {}}),
        ("evt_f", "invoice.payment_failed", {"id": stripe_id, "object": "invoice"}),
        ("evt_e", "invoice.paid", {"id": stripe_id, "object": "invoice", "amount_paid": 5, "currency": "eur"}),
    ):
        assert hook.send(an_event(type_, thing, event)).status_code == 200
    fates = {view.event.id: view.fate for view in hook.events.views()}
    parked = dict.fromkeys(("evt_u", "evt_v", "evt_c", "evt_e"), Fate.PARKED)
    assert fates == parked | {"evt_f": Fate.KNOWN}  # not paid is still owed
    assert "tieout invoice void" in hook.events.taken("evt_v")[-1].detail
    assert hook.posted("hand") == ()


def test_a_dispute_before_its_payment_waits_for_it_and_its_end_may_come_first(hook: Hook) -> None:
    stripe_id = hook.issued("disputed", "10.00")
    hook.platform.payment = lambda _: _paid_by("pi_1")  # type: ignore[method-assign,assignment]
    hook.send(an_event("charge.dispute.closed", a_dispute("pi_1", "won"), "evt_closed"))
    assert hook.fate("evt_closed") is Fate.PARKED
    paid = {"id": stripe_id, "object": "invoice", "amount_paid": 1000, "currency": "usd"}
    hook.send(an_event("invoice.paid", paid, "evt_paid"))
    hook.send(an_event("invoice.paid", paid, "evt_paid_again"))  # one fact, told by two events
    hook.send(an_event("charge.dispute.created", a_dispute("pi_1"), "evt_opened"))
    assert {hook.fate(one) for one in ("evt_closed", "evt_paid", "evt_paid_again", "evt_opened")} == {Fate.APPLIED}
    # 10.00 came in less 0.59 of fees; what the dispute took it gave back
    assert balances(hook.posted("disputed")) == {"1010": Decimal("9.41"), "1100": Decimal(-10), "6200": Decimal("0.59")}
    assert len(hook.posted("disputed")) == 3


def test_a_lost_dispute_is_a_credit_loss(hook: Hook) -> None:
    stripe_id = hook.issued("lost", "10.00")
    hook.platform.payment = lambda _: _paid_by("pi_2")  # type: ignore[method-assign,assignment]
    paid = {"id": stripe_id, "object": "invoice", "amount_paid": 1000, "currency": "usd"}
    hook.send(an_event("invoice.paid", paid, "evt_paid"))
    hook.send(an_event("charge.dispute.closed", a_dispute("pi_2", "lost"), "evt_lost"))
    assert balances(hook.posted("lost")) == {
        "1010": Decimal("-0.59"),
        "1100": Decimal(-10),
        "6100": Decimal(10),
        "6200": Decimal("0.59"),
    }


def _paid_by(intent: str) -> Any:
    return Payment(intent=intent, fee=Decimal("0.59"), currency="USD")


def test_a_customers_balance_taken_at_the_double_is_booked_once_our_books_hold_it(hook: Hook) -> None:
    """4.00 of credit stands at the platform; of an invoice of 10.00 it leaves 6.00 due."""
    who = hook.platform.ensure_customer("credited", "credited", "credited@example.com")
    hook.stripe(f"/v1/customers/{who}", balance="-400")
    stripe_id = hook.issued("credited", "10.00")
    url = f"{hook.stack.endpoints.stripe_url}/v1/invoices/{stripe_id}"
    held = httpx.get(url, auth=(hook.stack.endpoints.stripe_key, "")).json()
    hook.send(an_event("invoice.finalized", held, "evt_final"))
    assert hook.fate("evt_final") is Fate.PARKED  # the books know of no balance
    assert "2120 is -4.00 USD" in hook.events.taken("evt_final")[-1].detail
    given = an_entry("given", "4.00", "credited", "2026-09")
    sides = (
        Posting(account=Account.CREDIT_NOTES, amount=Decimal("4.00"), obligation="usage"),
        Posting(account=Account.CUSTOMER_BALANCE, amount=Decimal("-4.00")),
    )
    given = given.model_copy(update={"postings": sides, "rule": Rule.E4})
    hook.journal.post([given], "pia", datetime(2026, 11, 2, tzinfo=UTC))
    assert hook.apply("evt_final").fate is Fate.APPLIED
    paid = {**held, "amount_paid": 600}
    hook.send(an_event("invoice.paid", paid, "evt_paid"))
    assert hook.fate("evt_paid") is Fate.APPLIED
    assert balances(hook.posted("credited")) == {
        "1010": Decimal(6),
        "1100": Decimal(-10),
        "4920": Decimal(4),
    }
    assert [entry.rule.value for entry in hook.posted("credited")] == ["E4", "E4", "A2"]


def test_an_event_told_before_the_invoice_is_kept_as_issued_is_tried_again(hook: Hook) -> None:
    statement = a_statement(usage("u1", "10.00"), customer="early", contract="early-2026")
    invoice = an_invoice(statement)
    at = datetime(2026, 11, 2, tzinfo=UTC)
    hook.evidence.keep_statement(statement, 1, at)
    hook.invoices.reserve(invoice, at)
    told = {
        "id": "in_early",
        "object": "invoice",
        "currency": "usd",
        "metadata": {"tieout_reference": invoice.reference},
    }
    assert hook.send(an_event("invoice.finalized", told, "evt_early")).status_code == 500  # kept, and sent again
    with pytest.raises(StillIssuing):
        hook.apply("evt_early")
    assert hook.events.taken("evt_early") == ()
