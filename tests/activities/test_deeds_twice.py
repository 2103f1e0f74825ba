"""Each deed run twice is each deed run once: on a real Postgres and object store and the Stripe double."""

import asyncio
import hashlib
import inspect
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
import pyarrow as pa
import pytest
from cryptography.fernet import Fernet
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.approve import Approve
from activities.book import Book
from activities.change_rate import NoProposal, NotApproved, RateChangeDeeds
from activities.collect import Collect
from activities.control import Control
from activities.correct import CorrectDeeds, CorrectionNotApproved, NoCorrection, NotIssuedYet
from activities.deeds import Outside, WebhookTelling
from activities.exporting import Exporting
from activities.invoice import InvoiceDeeds
from activities.messages import (
    ApplyEvent,
    AskApproval,
    BookEvent,
    ChangeRate,
    CloseMonth,
    CompareSources,
    ConcludeChange,
    ConcludeCorrection,
    CorrectInvoice,
    CorrectionDeed,
    CorrectionRef,
    CustomerRef,
    DeliverWebhook,
    DraftRef,
    ExportsDue,
    FinalizeDraft,
    InCatalog,
    IssuedRef,
    JudgeCorrection,
    JudgeRateChange,
    LockMonth,
    Park,
    PostRevenue,
    PublishClose,
    PutIntoCatalog,
    RateUsage,
    RefreshMonth,
    Remind,
    ReopenMonth,
    SealEvidence,
    SealMonth,
    SealSource,
    SendNotice,
    Slices,
    StatementDeed,
    StatementRef,
    TakeOver,
    TiedOut,
    TieOutMonth,
    VerifyDecision,
    VerifyPause,
    WatchNight,
    WatchTonight,
    WebhooksDue,
)
from activities.notify import Notify
from activities.opening import Openings
from activities.payments import NoEvent, Payments
from activities.post import Post
from activities.publish import Publish
from activities.rate import Rate
from activities.recognize import Recognize
from activities.reconcile import Reconcile
from activities.refresh import Refresh
from activities.watch import WatchDeeds
from activities.webhooks import Webhooks
from activities.witness import heads_of
from adapters.files import read_policy
from adapters.mail import SmtpMailer
from adapters.object_store import EvidenceChanged, S3Store
from adapters.postgres.booked_events import PostgresBookedEvents
from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.controls import PostgresControls
from adapters.postgres.corrections import PostgresCorrections
from adapters.postgres.desk import PostgresDesk
from adapters.postgres.drafts import PostgresDrafts
from adapters.postgres.estimates import PostgresEstimates
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.exports import PostgresExports
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.portal import PostgresPortal
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.sessions import Database
from adapters.postgres.stripe_events import PostgresEvents
from adapters.postgres.support import PostgresSupport
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.watches import PostgresWatches
from adapters.postgres.web_sessions import seed_visitors
from adapters.postgres.webhooks import PostgresWebhooks
from adapters.sealer import Sealer
from adapters.stripe import StripeInvoices
from adapters.stripe_events import event_of
from billing import recognition
from billing.approval import ApprovalPolicy
from billing.controls import NotSigned
from billing.reports.facts import Fact
from billing.vouching.month import vouch
from devstack.book import seed
from devstack.book.calls import Usage, true_usage
from devstack.stripe.webhooks import signature
from devstack.up import Stack
from migrations.roles import role_url
from migrations.upgrade import upgrade
from models.approval import Decision
from models.close import CORRECTIONS_FROM, EVERYONE, DecisionKind, Stage, State
from models.columns import COLUMNS
from models.control import TieOutName
from models.correction import Cause, CorrectionRequest, CorrectionStep, LineCredit, Settlement
from models.event import EVENT
from models.evidence import EvidencePack
from models.journal import Account, Rule
from models.money import total
from models.opening import Opening
from models.period import Period
from models.rate_change import ChangeStep, RateProposal
from models.usage_policy import UsagePolicy
from models.value import canonical_json, instant_text
from models.visitor import PortalRole, PortalUser
from models.webhook import Answer, Endpoint, EventType
from runtime import control_evidence
from runtime.audit import Audit, vouched
from runtime.clock import SystemClock
from runtime.control_evidence import ControlName
from runtime.desk import DeskDoor
from runtime.engine import engine_id
from runtime.report_facts import FactsAtHand
from tests.devstack.conftest import an_open_folder
from workers.registry import queues

pytestmark = pytest.mark.stack

MONTH = "2026-10"
CUSTOMER = "cirrus"
TAKEN_OVER = "delta"
FACTS = 1_400
CLOSE = CustomerRef(month=MONTH, revision=1, customer=CUSTOMER)
ELSEWHERE = {
    "TIEOUT_TEMPORAL_ADDRESS": "127.0.0.1:1",
    "TIEOUT_CLICKHOUSE_URL": "http://127.0.0.1:1",
}
"""Not started: deeds never call Temporal, and the sources here are lists."""

WHEN = frozenset({"refreshed_at", "recorded_at", "written_at", "moved_at", "began_at"})
"""Columns that say when; a projection is written again with a later instant."""


SEALER = Sealer(Fernet.generate_key().decode())
POSTED: list[str] = []


class Accepting:
    """The `WebhookCaller` port where every endpoint takes everything."""

    def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Say yes."""
        POSTED.append(url)
        return Answer(status=204, milliseconds=3, detail="")


class ListedUsage:
    """The `UsageSource` port on a list of facts."""

    grain = "event"
    timezone = "UTC"

    def __init__(self, name: str, usage: list[Usage]) -> None:
        self.name = name
        self._usage = usage

    def watermark(self) -> datetime:
        """Return an instant after every customer's month."""
        return datetime(2026, 11, 2, tzinfo=UTC)

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield all facts in one batch."""
        rows = [
            {
                "id": one.id,
                "account": one.customer,
                "meter": one.meter,
                "quantity": one.quantity,
                "starts_at": one.at,
                "ends_at": None,
                "received_at": one.at,
                "dims": canonical_json(dict(one.dimensions)),
                "place": self.name,
            }
            for one in self._usage
        ]
        yield pa.RecordBatch.from_pylist(rows, schema=COLUMNS)


class OneHistory:
    """The `Histories` port: the history of a close that has ended does not change."""

    async def history(self, workflow_id: str, run_id: str) -> str:
        """Return the same text for everybody."""
        return '{"events": []}'


@dataclass
class Repeat:
    """What two runs of a deed in a row answered and left behind."""

    first: Any
    second: Any
    left: dict[str, list[str]]
    left_again: dict[str, list[str]]

    @property
    def changed(self) -> dict[str, list[str]]:
        """What the second run added, changed or removed, by place."""
        return {
            place: sorted(set(self.left_again.get(place, [])) ^ set(rows))
            for place, rows in self.left.items()
            if self.left_again.get(place, []) != rows
        }


@dataclass
class World:
    """The outside of a close, and a view of everything in it."""

    stack: Stack
    outside: Outside
    desk: PostgresDesk
    tokens: dict[str, str]
    books: Database
    repeats: dict[str, Repeat] = field(default_factory=dict)

    def twice(self, deed: Callable[..., Any], *task: Any) -> Any:
        """Run a deed, and run it again; keep both answers and what lay outside after each; return the first."""
        name = _name_of(deed)
        first, left = self._run(deed, *task), self.view()
        second, left_again = self._run(deed, *task), self.view()
        self.repeats[name] = Repeat(first, second, left, left_again)
        return first

    def decide(
        self,
        kind: DecisionKind,
        person: str,
        customer: str,
        subject: str,
        payload: dict[str, str] | None = None,
        revision: int = 1,
    ) -> str:
        """Write a decision at the desk and return its id."""
        decision = Decision(
            id=f"{kind.value}-{customer}" if payload is None else f"{kind.value}-{subject[:16]}",
            payload=payload or {},
            kind=kind,
            period=MONTH,
            revision=revision,
            customer=customer,
            subject=subject,
            person=self.desk.person(self.tokens[person]),
            reason="it is time",
            recorded_at=self.outside.clock.now(),
        )
        return self.desk.write(decision).id

    def view(self) -> dict[str, list[str]]:
        """Return every row of the books but for its instants, every object's key, and what Stripe holds."""
        seen: dict[str, list[str]] = {}
        with psycopg.connect(self.stack.endpoints.database_url) as db:
            tables = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'tieout' ORDER BY 1").fetchall()
            for (table,) in tables:
                rows = db.execute(f'SELECT to_jsonb(t) FROM tieout."{table}" t').fetchall()
                seen[table] = sorted(
                    json.dumps({key: value for key, value in row.items() if key not in WHEN}, sort_keys=True)
                    for (row,) in rows
                )
        seen["mail"] = [str(one) for one in self.stack.mail.messages]
        seen["object store"] = list(self.outside.store.uris(""))
        state = httpx.get(f"{self.stack.endpoints.stripe_url}/_state", params={"metadata": "tieout_reference"}).json()
        kinds = (
            "customers",
            "invoices",
            "credit_notes",
            "invoiceitems",
            "invoices_by_status",
            "invoices_by_metadata",
            "events",
        )
        seen["Stripe"] = [f"{kind}: {json.dumps(state[kind], sort_keys=True)}" for kind in kinds]
        return seen

    def _run(self, deed: Callable[..., Any], *task: Any) -> Any:
        done = ActivityEnvironment().run(deed, *task)
        return asyncio.run(done) if inspect.iscoroutine(done) else done


def _name_of(deed: Callable[..., Any]) -> str:
    name = activity._Definition.must_from_callable(deed).name
    assert name is not None
    return name


def _outside(stack: Stack, books: Database) -> Outside:
    facts = list(true_usage(MONTH, None, [CUSTOMER]))[:FACTS]
    policy = read_policy(seed.BOOK / "policy.yaml")
    sources = {name: ListedUsage(name, facts) for name in ("clickhouse", "posthog")}
    ends = stack.endpoints
    return Outside(
        terms=PostgresTerms(books),
        rate_changes=PostgresRateChanges(books),
        corrections=PostgresCorrections(books),
        events=PostgresEvents(books),
        controls=PostgresControls(books),
        evidence=PostgresEvidence(books),
        watches=PostgresWatches(books),
        closes=PostgresCloses(books),
        invoices=PostgresInvoices(books),
        journal=PostgresJournal(books),
        estimates=PostgresEstimates(books),
        notices=PostgresNotices(books),
        mailer=SmtpMailer(ends.smtp_url, "billing@tieout.example", "https://portal.example"),
        webhooks=WebhookTelling(PostgresWebhooks(books), SEALER, Accepting(), "https://portal.example"),
        booked=PostgresBookedEvents(books),
        drafts=PostgresDrafts(books),
        exports=PostgresExports(books),
        store=S3Store(
            ends.evidence_bucket, stack.state.root / "cache", ends.s3_url, ends.s3_access_key, ends.s3_secret_key, 0
        ),
        platform=StripeInvoices(ends.stripe_key, ends.stripe_url),
        sources=sources,
        policy=UsagePolicy(
            sources={name: policy.sources[name] for name in sources},
            authority=policy.authority,
            timezone=policy.timezone,
        ),
        approval=ApprovalPolicy(),
        histories=OneHistory(),
        clock=SystemClock(),
        engine=engine_id(),
        scratch=stack.state.root / "cache",
    )


def _close_twice(world: World) -> None:
    """Close the customer's month, each deed twice, in the order of the plans, with the period locked before posting."""
    outside, twice = world.outside, world.twice
    collect, approve, post, publish = Collect(outside), Approve(outside), Post(outside), Publish(outside)
    invoices = InvoiceDeeds(outside)
    twice(Openings(outside).take_over, _taking_over(world))
    twice(collect.open_close, CloseMonth(month=MONTH, started_by="schedule"))
    for source in outside.sources:
        twice(collect.source_state, SealSource(month=MONTH, revision=1, source=source))
        twice(collect.seal_source, SealSource(month=MONTH, revision=1, source=source))
    twice(collect.population, CloseMonth(month=MONTH))
    twice(collect.readiness, CLOSE)
    slices: Slices = twice(collect.take_slices, CLOSE)
    compare = CompareSources(close=CLOSE, snapshots=tuple(ref.fingerprint for ref in slices.snapshots))
    reconciled = twice(Reconcile(outside).compare_sources, compare)
    rate = RateUsage(close=CLOSE, reconciliation=reconciled.fingerprint)
    statement: StatementRef = twice(Rate(outside).rate_usage, rate)
    twice(Refresh(outside).refresh_month, RefreshMonth(month=MONTH))
    twice(approve.ask_approval, AskApproval(close=CLOSE, statement=statement.fingerprint))
    twice(approve.remind, Remind(close=CLOSE, statement=statement.fingerprint, count=1))
    parked = Park(close=CLOSE, stage=Stage.APPROVE, state=State.WAITING, detail="waits")
    twice(approve.note, parked)
    lock = LockMonth(month=MONTH, revision=1, decision=world.decide(DecisionKind.LOCK, "cora", EVERYONE, MONTH))
    twice(post.accrue_waiting, lock)
    twice(post.lock_period, lock)
    verify = VerifyDecision(
        close=CLOSE,
        decision=world.decide(DecisionKind.APPROVE, "aron", CUSTOMER, statement.fingerprint),
        stage=Stage.APPROVE,
        accepts=(DecisionKind.APPROVE,),
        statement=statement.fingerprint,
    )
    twice(approve.verify_decision, verify)
    paused = world.decide(DecisionKind.PAUSE, "pia", EVERYONE, MONTH)
    twice(approve.verify_pause, VerifyPause(month=MONTH, revision=1, decision=paused))
    deed = StatementDeed(close=CLOSE, statement=statement.fingerprint)
    draft: DraftRef = twice(invoices.draft_invoice, deed)
    final = FinalizeDraft(close=CLOSE, statement=statement.fingerprint, draft=draft)
    issued: IssuedRef = twice(invoices.finalize_invoice, final)
    twice(Recognize(outside).schedule_revenue, deed)
    twice(post.post_entries, PostRevenue(close=CLOSE, statement=statement.fingerprint, invoice=issued.reference))
    twice(publish.publish_close, PublishClose(close=CLOSE, statement=statement.fingerprint, invoice=issued.reference))
    twice(publish.await_closed, CLOSE)
    twice(publish.seal_evidence, SealEvidence(close=CLOSE, workflow_id="close/2026-10/cirrus", run_id="r"))
    twice(publish.seal_month, SealMonth(month=MONTH, revision=1))
    twice(Notify(outside).write)
    twice(Notify(outside).send, SendNotice(notice=f"invoice_ready/{issued.reference}"))
    _tell_an_endpoint_twice(world, issued.reference)
    _make_a_file_twice(world)
    _change_a_rate_twice(world, statement.fingerprint)
    watch = WatchDeeds(outside)
    twice(watch.months, WatchTonight(night=date(2026, 11, 1)))
    twice(watch.compare_night, WatchNight(month=MONTH, night=date(2026, 11, 1)))
    _correct_twice(world, issued.reference)
    _pay_twice(world, issued.stripe_id)
    _book_twice(world)
    _control_twice(world)


def _tell_an_endpoint_twice(world: World, reference: str) -> None:
    """Tell an endpoint of the invoice, and give up another."""
    hooks, twice, notice = Webhooks(world.outside), world.twice, f"invoice_ready/{reference}"
    admin = PortalUser(id="c-admin", customer=CUSTOMER, email="c@c.example", name="C", role=PortalRole.ADMIN)
    seed_visitors(world.stack.endpoints.database_url, [], [admin])
    told = world.outside.webhooks
    assert told is not None
    at = datetime(2026, 11, 1, tzinfo=UTC)
    portal = PostgresWebhooks(Database(role_url(world.stack.endpoints.database_url, "portal"), 1), CUSTOMER)
    for name in ("told", "given-up"):
        endpoint = Endpoint(
            id=name, customer=CUSTOMER, url=f"https://{name}.example/", types=(EventType.INVOICE_READY,),
            made_by="c-admin", made_at=at,
        )  # fmt: skip
        assert portal.add(endpoint, SEALER.seal("whsec_QUJD"))
    portal.database.dispose()
    due: WebhooksDue = twice(hooks.due)
    assert {one.endpoint for one in due.deliveries} == {"told", "given-up"}
    twice(hooks.deliver, DeliverWebhook(endpoint="told", notice=notice, number=1))
    twice(hooks.give_up, DeliverWebhook(endpoint="given-up", notice=notice, number=1))
    assert POSTED == ["https://told.example/"]


def _make_a_file_twice(world: World) -> None:
    """Make a file that the customer wants of every month."""
    portal = PostgresPortal(Database(role_url(world.stack.endpoints.database_url, "portal"), 1), CUSTOMER)
    portal.choose_export("usage", "parquet", True, "c-admin", datetime(2026, 1, 1, tzinfo=UTC))
    exporting = Exporting(world.outside)
    due: ExportsDue = world.twice(exporting.due)
    [task] = due.exports
    world.twice(exporting.make, task)
    [made] = portal.exports()
    assert (made.kind, made.rows_written > 0) == ("usage", True)
    portal.database.dispose()


def _control_twice(world: World) -> None:
    """Tie the month out, sign it, have its lock checked, and open it again: each twice."""
    control, twice = Control(world.outside), world.twice
    tied: TiedOut = twice(control.tie_out, TieOutMonth(month=MONTH))
    for name, fingerprint in tied.fingerprints.items():
        world.decide(DecisionKind.SIGN_TIE_OUT, "cora", EVERYONE, fingerprint, {"tie_out": name})
    lock = LockMonth(month=MONTH, revision=1, decision=f"{DecisionKind.LOCK.value}-{EVERYONE}", signed=True)
    twice(control.refuse_unsigned, lock)
    until = instant_text(world.outside.clock.now() + timedelta(hours=1))
    asked = world.decide(DecisionKind.ASK_REOPEN, "aron", EVERYONE, MONTH, {"expires_at": until})
    approved = world.decide(DecisionKind.REOPEN, "cora", EVERYONE, asked, {})
    twice(control.reopen, ReopenMonth(month=MONTH, asked=asked, approved=approved))


def _book_twice(world: World) -> None:
    """Allow for a loss of what the contract taken over still has due, by two people."""
    event = EVENT.validate_python(
        {
            "event": "allowance",
            "id": "slow",
            "contract": next(one.contract for one in seed.contracts() if one.customer == TAKEN_OVER),
            "on": "2026-11-20",
            "expected_loss": "5.00",
            "evidence": "aging of November, a quarter of what is over 90 days",
            "reason": "slow payer",
            "by": "pia",
            "approved_by": "cora",
        }
    )
    desk = DeskDoor(world.desk, PostgresCloses(world.desk.database), cast(Any, None), SystemClock())
    proposal, _ = desk.book_event(event, TAKEN_OVER, world.tokens["pia"], "")
    _, approved = desk.book_event(event, TAKEN_OVER, world.tokens["cora"], "")
    assert approved is not None
    task = BookEvent(contract=event.contract, event=event.id, proposal=proposal.id, approval=approved.id)
    world.twice(Book(world.outside).book_event, task)


def _pay_twice(world: World, stripe_id: str) -> None:
    """Pay what is left of the invoice, and take the event of it twice."""
    stack, client = world.stack.endpoints, httpx.Client(auth=(world.stack.endpoints.stripe_key, ""))
    client.post(f"{stack.stripe_url}/v1/invoices/{stripe_id}/pay", data={"paid_out_of_band": "true"}).raise_for_status()
    events = client.get(f"{stack.stripe_url}/v1/events", params={"type": "invoice.paid"}).json()["data"]
    payload = json.dumps(events[0]).encode()
    signed = signature(payload, stack.stripe_webhook_secret, int(time.time()))
    event = event_of(payload, signed, stack.stripe_webhook_secret)
    PostgresEvents(Database(role_url(stack.database_url, "hooks"))).keep(event, world.outside.clock.now())
    world.twice(Payments(world.outside).apply_event, ApplyEvent(event=event.id))


def _correct_twice(world: World, invoice: str) -> None:
    """Credit one line by hand, and bill the wrong rate's difference with the next invoice; a third one is rejected."""
    correct, twice = CorrectDeeds(world.outside), world.twice
    (wrong,) = PostgresRateChanges(world.desk.database).inbox()
    for request, kind in (
        (a_credit(world, invoice, "1.00"), DecisionKind.APPROVE_CORRECTION),
        (a_credit(world, invoice, "2.00"), DecisionKind.REJECT_CORRECTION),
        (
            CorrectionRequest(
                invoice=invoice,
                cause=Cause.WRONG_RATE,
                settlement=Settlement.NEXT_PERIOD,
                reason="the right price came late",
                rate_change=wrong.id,
            ),
            DecisionKind.APPROVE_CORRECTION,
        ),
    ):
        proposal = propose(world, request)
        ref: CorrectionRef = twice(correct.prepare, CorrectInvoice(correction=request.id, proposal=proposal))
        decision = world.decide(kind, "cora", CUSTOMER, ref.fingerprint, {"correction": request.id}, CORRECTIONS_FROM)
        accepts = (DecisionKind.APPROVE_CORRECTION, DecisionKind.REJECT_CORRECTION)
        twice(correct.judge, JudgeCorrection(correction=request.id, decision=decision, accepts=accepts))
        if kind is DecisionKind.REJECT_CORRECTION:
            rejected = ConcludeCorrection(correction=request.id, step=CorrectionStep.REJECTED, person="cora")
            twice(correct.conclude, rejected)
            continue
        twice(correct.settle, CorrectionDeed(correction=request.id, decision=decision))
        twice(correct.post, CorrectionDeed(correction=request.id, decision=decision))


def a_credit(world: World, invoice: str, amount: str) -> CorrectionRequest:
    """Return a goodwill credit on the customer's largest line."""
    found = world.outside.invoices.invoice(invoice)
    assert found is not None
    line = max(world.outside.evidence.statement(found[0].statement).lines, key=lambda one: one.amount)
    return CorrectionRequest(
        invoice=invoice,
        cause=Cause.GOODWILL,
        settlement=Settlement.CREDIT_NOTE,
        reason=f"an outage of {amount}",
        credits=(LineCredit(line=line.id, amount=Decimal(amount)),),
    )


def propose(world: World, request: CorrectionRequest) -> str:
    """Write a proposal at the desk and return its id."""
    payload = {"request": request.canonical()}
    return world.decide(
        DecisionKind.PROPOSE_CORRECTION, "pia", CUSTOMER, request.fingerprint(), payload, CORRECTIONS_FROM
    )


def _change_a_rate_twice(world: World, statement: str) -> None:
    """Correct a rate the locked month was billed with, to the double: proposed by one, approved by another."""
    outside, twice = world.outside, world.twice
    used = set(outside.evidence.statement(statement).rate_versions)
    wrong = next(one for one in outside.terms.rates() if one.id in used)
    right = wrong.model_copy(update={"amount": wrong.amount * 2})
    proposal = RateProposal(table="file", version=right, known=wrong)
    PostgresRateChanges(world.desk.database).propose([proposal], "rita", outside.clock.now())
    change = RateChangeDeeds(outside)
    twice(change.simulate, ChangeRate(proposal=proposal.id))
    decision = world.decide(DecisionKind.APPROVE_RATE, "cora", EVERYONE, proposal.id)
    twice(change.judge, JudgeRateChange(proposal=proposal.id, decision=decision))
    kept: InCatalog = twice(change.put_into_catalog, PutIntoCatalog(proposal=proposal.id, decision=decision))
    step = ChangeStep.NEEDS_CORRECTION if kept.locked else ChangeStep.IN_FORCE
    twice(change.conclude, ConcludeChange(proposal=proposal.id, step=step, detail=kept.detail))


def _taking_over(world: World) -> TakeOver:
    """Return the signed opening of another customer, who is not closed here."""
    (contract,) = [one for one in seed.contracts() if one.customer == TAKEN_OVER]
    seed.seed_terms(PostgresTerms(world.books), [contract], [])
    opening = Opening.model_validate(
        {
            "schema": "tieout/opening/v1",
            "contract": contract.contract,
            "customer": contract.customer,
            "currency": contract.currency,
            "as_of": f"{MONTH}-01",
            "evidence": [{"note": "the former ledger"}],
            "balances": {"deferred": "0", "unbilled": "10.00", "receivable": "20.00"},
        }
    )
    desk = DeskDoor(world.desk, PostgresCloses(world.desk.database), cast(Any, None), SystemClock())
    proposal, _ = desk.open_contract(opening, world.tokens["pia"], "taken over")
    _, approval = desk.open_contract(opening, world.tokens["cora"], "checked")
    assert approval is not None
    return TakeOver(contract=opening.contract, proposal=proposal.id, approval=approval.id)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A small customer's month, closed with every deed run twice in a row."""
    with an_open_folder() as folder, Stack(folder, ELSEWHERE) as stack:
        owner = stack.endpoints.database_url
        upgrade(owner)
        tokens = seed.seed_demo_people(owner, folder)
        worker, console = Database(role_url(owner, "worker")), Database(role_url(owner, "console"))
        try:
            outside = _outside(stack, worker)
            contracts = [one for one in seed.contracts() if one.customer == CUSTOMER]
            seed.seed_terms(PostgresTerms(worker), contracts, seed.rates())
            world = World(stack, outside, PostgresDesk(console), tokens, worker)
            _close_twice(world)
            yield world
        finally:
            worker.dispose()
            console.dispose()


DEEDS = (
    "opening.take_over",
    "collect.open_close",
    "collect.source_state",
    "collect.seal_source",
    "collect.population",
    "collect.readiness",
    "collect.take_slices",
    "reconcile.compare_sources",
    "watch.months",
    "watch.compare_night",
    "rate.rate_usage",
    "refresh.refresh_month",
    "approve.ask_approval",
    "approve.remind",
    "approve.note",
    "post.accrue_waiting",
    "post.lock_period",
    "approve.verify_decision",
    "approve.verify_pause",
    "invoice.draft_invoice",
    "invoice.finalize_invoice",
    "recognize.schedule_revenue",
    "post.post_entries",
    "publish.publish_close",
    "publish.await_closed",
    "publish.seal_evidence",
    "publish.seal_month",
    "notify.write",
    "notify.send",
    "exports.due",
    "exports.make",
    "webhooks.due",
    "webhooks.deliver",
    "webhooks.give_up",
    "rate_change.simulate",
    "rate_change.judge",
    "rate_change.put_into_catalog",
    "rate_change.conclude",
    "correct.prepare",
    "correct.judge",
    "correct.settle",
    "correct.post",
    "correct.conclude",
    "payments.apply_event",
    "book.book_event",
    "control.tie_out",
    "control.refuse_unsigned",
    "control.reopen",
)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_second_run_changes_nothing_outside(world: World, deed: str) -> None:
    assert world.repeats[deed].changed == {}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_second_run_answers_as_the_first(world: World, deed: str) -> None:
    assert world.repeats[deed].second == world.repeats[deed].first


def test_every_deed_of_the_registry_was_run(world: World) -> None:
    registered = {_name_of(deed) for queue in queues(world.outside).values() for deed in queue.activities}
    assert registered == set(world.repeats) == set(DEEDS)


def test_a_month_that_goes_on_from_a_signed_opening_is_drafted_and_one_that_goes_on_from_nothing_is_not(
    world: World,
) -> None:
    assert world.repeats["refresh.refresh_month"].first.left == (f"{CUSTOMER}: BeforeIsOpen",)
    draft = PostgresDrafts(world.books, TAKEN_OVER).newest(MONTH)
    assert draft is not None
    assert draft.statement.total > 0


def test_after_all_of_it_there_is_one_invoice_and_one_set_of_entries(world: World) -> None:
    held = httpx.get(f"{world.stack.endpoints.stripe_url}/_state", params={"metadata": "tieout_reference"}).json()
    assert held["invoices_by_metadata"] == {f"{MONTH}@1/{CUSTOMER}/USD": 1}
    entries = world.outside.journal.entries(customer=CUSTOMER)
    assert len({(entry.rule, entry.period, entry.accrued) for entry in entries}) == len(entries)
    assert {(entry.period, entry.accrued) for entry in entries} == {(MONTH, True), ("2026-11", False)}


def test_a_correction_names_its_line_is_settled_once_and_leaves_the_invoice_alone(world: World) -> None:
    outside, reference = world.outside, f"{MONTH}@1/{CUSTOMER}/USD"
    request = a_credit(world, reference, "1.00")
    view = PostgresCorrections(world.books).correction(request.id)
    assert view is not None
    steps = [CorrectionStep.APPROVED, CorrectionStep.SETTLED, CorrectionStep.POSTED]
    assert ([one.step for one in view.steps], view.correction.net) == (steps, Decimal("-1.00"))
    (line,) = view.correction.lines
    assert (line.originals, line.delta) == ((request.credits[0].line,), Decimal("-1.00"))
    found = outside.invoices.invoice(reference)
    assert found is not None
    assert found[1] is not None
    state = outside.platform.state(found[1].stripe_id)
    assert (state.status, state.paid) == ("paid", found[0].total + view.correction.total)
    (entry,) = [one for one in outside.journal.entries(customer=CUSTOMER) if one.key == f"correction/{request.id}"]
    assert {one.account.value: one.amount for one in entry.postings if one.account.value == "4920"} == {
        "4920": Decimal("1.00")
    }
    assert entry.period == "2026-11"  # October is locked


def test_a_paid_invoice_is_one_entry_of_what_was_left_of_it(world: World) -> None:
    (entry,) = [one for one in world.outside.journal.entries(customer=CUSTOMER) if one.rule is Rule.A2]
    reference = f"{MONTH}@1/{CUSTOMER}/USD"
    found = world.outside.invoices.invoice(reference)
    assert found is not None
    credited = [one.correction for one in world.outside.corrections.of_invoice(reference) if one.counts]
    left = found[0].total + sum(one.total for one in credited if one.request.settlement is Settlement.CREDIT_NOTE)
    assert {one.account: one.amount for one in entry.postings} == {Account.CLEARING: left, Account.RECEIVABLE: -left}
    with pytest.raises(NoEvent):
        ActivityEnvironment().run(Payments(world.outside).apply_event, ApplyEvent(event="evt_none"))


def test_the_month_ties_out_and_its_signatures_die_with_the_reopening(world: World) -> None:
    outside = world.outside
    newest = outside.controls.newest(MONTH)
    assert {name.value for name in newest} == {"stripe", "usage", "grants", "export"}
    assert [line for kept in newest.values() for line in kept.tie_out.untied] == []
    usage = newest[TieOutName.USAGE].tie_out
    assert usage.lines
    assert all(line.left == line.right > 0 for line in usage.lines)
    assert not outside.journal.locked(MONTH)
    (reopening,) = outside.controls.reopenings(MONTH)
    assert (reopening.asked_by, reopening.approved_by) == ("aron", "cora")
    lock = LockMonth(month=MONTH, revision=1, decision=f"{DecisionKind.LOCK.value}-{EVERYONE}", signed=True)
    with pytest.raises(NotSigned, match="stripe is not signed"):
        ActivityEnvironment().run(Control(outside).refuse_unsigned, lock)


def test_a_wrong_rate_is_made_good_by_what_was_simulated_and_leaves_the_inbox(world: World) -> None:
    (change,) = PostgresRateChanges(world.desk.database).inbox(everything=True)
    assert PostgresRateChanges(world.desk.database).inbox() == ()
    (view,) = [
        one
        for one in PostgresCorrections(world.books).of_customer(CUSTOMER)
        if one.correction.request.cause is Cause.WRONG_RATE
    ]
    assert change.simulation is not None
    (moved,) = change.simulation.moved
    # The simulation compares with what was issued; the credit of 1.00 given since is part of what stands now.
    assert view.correction.total == moved.delta + Decimal("1.00")


def test_what_was_not_issued_is_not_corrected_and_nothing_goes_on_without_its_rows(world: World) -> None:
    correct, run = CorrectDeeds(world.outside), ActivityEnvironment().run
    unissued = a_credit(world, f"{MONTH}@1/{CUSTOMER}/USD", "3.00").model_copy(update={"invoice": "2026-12@1/x/USD"})
    with pytest.raises(NotIssuedYet):
        run(correct.prepare, CorrectInvoice(correction=unissued.id, proposal=propose(world, unissued)))
    with pytest.raises(NoCorrection):
        run(correct.prepare, CorrectInvoice(correction="0123456789abcdef", proposal="forged"))
    known = a_credit(world, f"{MONTH}@1/{CUSTOMER}/USD", "2.00").id  # rejected
    for deed in (correct.settle, correct.post):
        with pytest.raises(CorrectionNotApproved):
            run(deed, CorrectionDeed(correction=known, decision=f"{DecisionKind.LOCK.value}-{EVERYONE}"))


def test_no_deed_of_a_rate_change_goes_on_without_its_rows(world: World) -> None:
    change, run = RateChangeDeeds(world.outside), ActivityEnvironment().run
    (view,) = PostgresRateChanges(world.desk.database).inbox(everything=True)
    with pytest.raises(NoProposal):
        run(change.simulate, ChangeRate(proposal="0123456789abcdef"))
    forged = run(change.judge, JudgeRateChange(proposal=view.id, decision="forged"))
    assert (forged.taken, forged.code.value) == (False, "unknown_decision")
    lock = f"{DecisionKind.LOCK.value}-{EVERYONE}"  # a row that is there, about something else
    for decision in ("forged", lock):
        with pytest.raises(NotApproved):
            run(change.put_into_catalog, PutIntoCatalog(proposal=view.id, decision=decision))


def test_a_close_that_is_paused_says_by_whom_and_why(world: World) -> None:
    [close] = [one for one in Books(world.desk.database).closes(MONTH) if one.revision == 1]
    assert close.paused == "paused by pia: it is time"


def test_reports_find_the_schedule_that_its_stage_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "schedule_for", None)  # nothing is left to be made
    monkeypatch.setattr(PostgresJournal, "locked_at", lambda *_: None)  # the invoice was issued after the lock here
    at_hand = FactsAtHand(world.desk.database, world.outside.entity)
    schedules = at_hand.facts(MONTH, 1, {Fact.SCHEDULES}).schedules
    [schedule] = [one for one in schedules if one.contract.startswith(CUSTOMER)]
    assert schedule.statement == world.outside.evidence.latest_statement(MONTH, 1, CUSTOMER).fingerprint()  # type: ignore


def test_a_wrong_rate_of_a_locked_month_is_corrected_forward_and_nothing_billed_is_touched(world: World) -> None:
    outside = world.outside
    (view,) = PostgresRateChanges(world.desk.database).inbox(everything=True)
    simulation, proposal = view.simulation, view.proposal
    assert simulation is not None
    assert [one.step for one in view.steps] == [
        ChangeStep.SIMULATED,
        ChangeStep.APPROVED,
        ChangeStep.NEEDS_CORRECTION,
        ChangeStep.CORRECTED,
    ]
    (moved,) = simulation.moved
    statement = outside.evidence.latest_statement(MONTH, 1, CUSTOMER)
    assert statement is not None
    assert (moved.customer, moved.month, moved.now, moved.locked, moved.invoiced) == (
        CUSTOMER,
        MONTH,
        statement.total,  # what was billed, at the wrong rate
        True,
        True,
    )
    affected = total(
        line.precise_amount for line in statement.lines if line.explanation.rate_version == proposal.version.id
    )
    # What was priced by this version doubles; each line is rounded by itself, so within a cent a line.
    assert abs(moved.delta - affected) <= Decimal("0.01") * moved.lines
    assert moved.delta > 0
    assert view.steps[-2].detail == (
        f"{MONTH} locked and billed without it: {CUSTOMER} {MONTH} {moved.delta:+f} {moved.currency}"
    )
    publish = PublishClose(close=CLOSE, statement=statement.fingerprint(), invoice=f"{MONTH}@1/{CUSTOMER}/USD")
    again = ActivityEnvironment().run(Publish(outside).publish_close, publish)
    assert again == world.repeats["publish.publish_close"].first  # the evidence holds what was known when it was rated
    assert proposal.version.model_copy(update={"approved_by": "cora"}) in outside.terms.rates()
    assert proposal.known in [one.bare() for one in outside.terms.rates(view.proposed_at)]
    assert "rita" in outside.terms.proposers([], [proposal.version.id])


class Copied(S3Store):
    """The month's evidence on another machine: the copied bytes, and nothing of the stack."""

    def __init__(self, objects: dict[str, bytes], cache: Path) -> None:
        self.objects = objects
        self.cache = cache

    def get(self, uri: str) -> bytes:
        """Return the copied bytes."""
        return self.objects[uri]

    def uris(self, prefix: str) -> tuple[str, ...]:
        """Return what was copied from under a prefix."""
        return tuple(uri for uri in sorted(self.objects) if uri.split("/", 3)[3].startswith(prefix))


def _named(objects: dict[str, bytes], cache: Path, root: str) -> list[str]:
    """Return what an audit of copied evidence names as different."""
    audit = Audit(Copied(objects, cache), engine_id())
    try:
        manifest = audit.manifest(MONTH, 1, root)
    except EvidenceChanged as changed:
        return [str(changed)]
    every = [(one.subject, check) for one in audit.verify(manifest, root) for check in one.differing]
    return [f"{subject}: {check.name} {check.recomputed}" for subject, check in every]


def test_the_evidence_alone_reperforms_elsewhere_and_any_changed_byte_of_it_is_named(
    world: World, tmp_path: Path
) -> None:
    store = world.outside.store
    objects = {uri: store.get(uri) for uri in store.uris("")}
    (root,) = [uri.rsplit("manifest-", 1)[1].removesuffix(".json") for uri in objects if "/manifest-" in uri]
    assert _named(objects, tmp_path / "whole", root) == []
    manifest = Audit(Copied(objects, tmp_path / "whole"), engine_id()).manifest(MONTH, 1, root)
    (sealed,) = [one for one in manifest.packs if one.customer == CUSTOMER]
    assert sealed.pack is not None
    pack = EvidencePack.from_text(objects[sealed.pack].decode())
    read = {
        f"s3://{store.uris('')[0].split('/')[2]}/evidence/{MONTH}@1/manifest-{root}.json": "manifest-",
        sealed.pack: f"{CUSTOMER}: pack",
        sealed.history: f"{CUSTOMER}: history",
        pack.reconciliation.usage.uri: f"{CUSTOMER}: reconciled usage",
    }
    for one in manifest.snapshots:
        read |= {one.rows.uri: f"{MONTH}: snapshot {one.source}", one.buckets.uri: f"{MONTH}: buckets of {one.source}"}
    for number, (uri, expected) in enumerate(read.items()):
        whole = objects[uri]
        for at in (0, len(whole) // 2, len(whole) - 1):
            changed = whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]
            named = _named({**objects, uri: changed}, tmp_path / f"{number}-{at}", root)
            assert any(expected in one for one in named), (uri, at, named)


def test_what_was_posted_beside_the_closes_reperforms_from_its_documents(world: World) -> None:
    """November holds a payment, two corrections and an allowance; September the opening of who was taken over."""
    auditor = Database(role_url(world.stack.endpoints.database_url, "auditor"), 1)
    try:
        november = {one.customer: vouch(one) for one in PostgresSupport(auditor).of_month("2026-11")}
        opened = [check for one in PostgresSupport(auditor).of_month("2026-09") for check in vouch(one)]
    finally:
        auditor.dispose()
    assert [check for checks in november.values() for check in checks if not check.agrees] == []
    made = {check.evidence for check in november[CUSTOMER]}
    assert {said.split("/")[0] for said in made if said[:2] in ("A2", "E2", "F4")} == {
        "A2 payment",
        "E2 correction",
        "F4 correction",
    }
    assert "event slow: two people" in {check.name for check in november[TAKEN_OVER]}
    assert [(check.name.split()[0], check.evidence.split("/")[0]) for check in opened] == [("opening", "O1 opening")]
    assert all(check.agrees for check in opened)


def test_the_exported_journal_reperforms_offline_and_any_changed_byte_of_it_is_named(
    world: World, tmp_path: Path
) -> None:
    auditor, folder = Database(role_url(world.stack.endpoints.database_url, "auditor"), 1), tmp_path / "journal"
    try:
        control_evidence.export(auditor, ControlName.JOURNAL, "2026-11", folder, world.outside.clock.now())
    finally:
        auditor.dispose()
    found = [vouched(one) for one in control_evidence.supports(folder)]
    assert {one.subject for one in found} == {f"journal of {CUSTOMER}", f"journal of {TAKEN_OVER}"}
    assert [check for one in found for check in one.differing] == []
    (name,) = (one.name for one in folder.iterdir() if one.name != "manifest.json")
    whole = (folder / name).read_bytes()
    for at in range(0, len(whole), len(whole) // 50):
        (folder / name).write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert control_evidence.differing(folder) == (name,)
        assert list(control_evidence.supports(folder)) == []  # what it says is not read
    paid = re.sub(rb'amount_paid\\": ?(\d)', lambda one: one[0][:-1] + bytes((one[1][0] ^ 1,)), whole)
    assert paid != whole
    manifest = folder / "manifest.json"
    old, new = (hashlib.sha256(text).hexdigest() for text in (whole, paid))
    (folder / name).write_bytes(paid)
    manifest.write_text(manifest.read_text().replace(old, new))  # whoever forges the manifest too
    named = [check.name for one in control_evidence.supports(folder) for check in vouched(one).differing]
    assert any("invoice.paid: payload" in one for one in named)
    assert any("payment/" in one and "line 1" in one for one in named)


def test_the_chains_head_is_witnessed_at_the_lock(world: World) -> None:
    (head,) = heads_of(world.outside.store)
    assert head.month == MONTH
    kept = world.outside.journal.links()
    assert head.links == kept[: len(head.links)]
    assert {link.key.split("/")[-1] for link in head.links} >= {"accrued"}  # what was accrued before the lock
