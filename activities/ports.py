"""Ports: what deeds need from the outside, as Protocols; runtime/wiring.py fits adapters to them.

All are synchronous (deeds run in threads), and every write is safe to repeat: the first one wins, a second
with the same content returns what is there, a second with other content raises `Conflict`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from models.approval import Decision, Person, Verdict
from models.authority import Authority
from models.close import Stage, Standing, State
from models.contract import Contract
from models.control import KeptTieOut, Reopening, TieOut, TieOutName
from models.correction import Correction, CorrectionTaken, CorrectionView
from models.credit_note import AtPlatform, CreditNote, CreditNoteAsked
from models.draft import Draft
from models.event import Estimate, Event
from models.invoice import Invoice, IssuedInvoice
from models.journal import JournalEntry, Link
from models.notice import Addressed, Notice, NoticeKind
from models.opening import Opening
from models.period import Period
from models.rate_card import RateVersion
from models.rate_change import ChangeView, StepTaken
from models.reconciliation import Exposure, Reconciliation, Resolution
from models.reports import OpenBalance
from models.revenue import RevenueSchedule
from models.snapshot import Artifact, Snapshot, Total
from models.statement import Statement
from models.stripe_event import EventTaken, Payment, PlatformEvent
from models.visitor import Alert, DueExport, Export
from models.watch import Concern, NightAlert, Watch
from models.webhook import Answer, Attempt, Delivery, Endpoint, Outcome, Sealed


class UsageSource(Protocol):
    """One outside system that reports usage."""

    name: str
    grain: str  # event | day
    timezone: str

    def watermark(self) -> datetime:
        """Return the instant up to which the source is complete."""
        ...

    def read(self, window: Period) -> Iterable[pa.RecordBatch]:
        """Yield everything of a window, in batches of the columns `models.columns.COLUMNS`."""
        ...


@runtime_checkable
class CrossChecked(Protocol):
    """A usage source that can be asked for its totals in a second way, independent of what is read."""

    def totals(self, window: Period) -> Mapping[str, Total] | None:
        """Return the totals of a window by meter, in the source's own units; None: it is not asked."""
        ...


class ObjectStore(Protocol):
    """Content-addressed bytes under retention."""

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Keep bytes under a key once and return their uri; a key that exists is left as it is."""
        ...

    def put_table(self, key: str, body: bytes) -> str:
        """Keep the bytes of a Parquet file as `put` does, and at hand for who reads it next; return their uri."""
        ...

    def put_file(self, folder: str, path: Path, content_type: str) -> tuple[str, str]:
        """Keep a file in a folder under the name of its SHA-256 once; return its uri and that checksum."""
        ...

    def get(self, uri: str) -> bytes:
        """Return the bytes of a uri; raises FileNotFoundError."""
        ...

    def path(self, artifact: Artifact) -> Path:
        """Return a local file with the artifact's bytes, checked against its checksum."""
        ...

    def uris(self, prefix: str) -> tuple[str, ...]:
        """Return the uris of everything under a prefix, in order."""
        ...


class TermsBook(Protocol):
    """Contracts, rates and authorities, appended with both times."""

    def population(self, month: str) -> tuple[str, ...]:
        """Return the customers whose contract is in force in a month, by id."""
        ...

    def contracts(self, customer: str, known_at: datetime | None = None) -> tuple[Contract, ...]:
        """Return every version of a customer's contracts recorded by then, oldest first."""
        ...

    def contracts_by_customer(self, customers: Collection[str]) -> dict[str, tuple[Contract, ...]]:
        """Return each of these customers' contracts, as `contracts` does; one without any is left out."""
        ...

    def rates(self, known_at: datetime | None = None) -> tuple[RateVersion, ...]:
        """Return the rate versions as known at an instant (now for None), by card, meter, where and start."""
        ...

    def authorities(self, known_at: datetime | None = None) -> tuple[Authority, ...]:
        """Return the declared authorities as known at an instant, in the order they were declared."""
        ...

    def proposers(self, contract_versions: Sequence[str], rate_versions: Sequence[str]) -> frozenset[str]:
        """Return who proposed these versions and who declared the authorities in force."""
        ...

    def add_contract(self, contract: Contract, proposed_by: str, approved_by: str, at: datetime) -> str:
        """Append a contract version and return its version id."""
        ...

    def add_rates(
        self,
        versions: Sequence[RateVersion],
        proposed_by: str,
        approved_by: str,
        at: datetime,
        correcting: Collection[str] = (),
    ) -> int:
        """Append rate versions and return how many are new; overlapping ones raise `OverlappingRates`.

        `correcting`: fingerprints of versions whose place one of the same start may take.
        """
        ...

    def opening(self, contract: str) -> Opening | None:
        """Return the opening position of a contract that was taken over while it ran, or None."""
        ...

    def add_opening(self, opening: Opening, proposed_by: str, approved_by: str, at: datetime) -> None:
        """Append a contract's opening position, once; another one of the same contract raises `Conflict`."""
        ...

    def declare(self, authority: Authority, at: datetime) -> None:
        """Append an authority."""
        ...


class EvidenceBook(Protocol):
    """What the stages leave behind."""

    def keep_snapshot(self, snapshot: Snapshot, revision: int) -> Snapshot:
        """Keep a sealed snapshot and return the one that is kept: the first for (source, period, revision)."""
        ...

    def snapshot(self, source: str, month: str, revision: int) -> Snapshot | None:
        """Return the sealed snapshot of a source and month, or None."""
        ...

    def snapshots_before(self, source: str, month: str) -> tuple[Snapshot, ...]:
        """Return the sealed snapshots of earlier months, newest first: the identity index for dedupe."""
        ...

    def keep_reconciliation(
        self, reconciliation: Reconciliation, revision: int, at: datetime, at_risk: Sequence[Exposure] = ()
    ) -> str:
        """Keep a reconciliation, its findings and the money at risk of them; return its fingerprint."""
        ...

    def reconciliation(self, fingerprint: str) -> Reconciliation:
        """Return a reconciliation; raises KeyError."""
        ...

    def latest_reconciliation(self, month: str, revision: int, customer: str) -> Reconciliation | None:
        """Return the newest reconciliation of a customer's month, or None."""
        ...

    def newest_reconciliation(self, month: str, customer: str) -> Reconciliation | None:
        """Return the newest reconciliation of a customer's month at its highest revision, or None."""
        ...

    def resolutions(self, month: str, revision: int, customer: str) -> tuple[Resolution, ...]:
        """Return the resolutions taken and not reversed, oldest first; the last for a finding counts."""
        ...

    def keep_statement(self, statement: Statement, close_revision: int, at: datetime) -> str:
        """Keep a statement and return its fingerprint."""
        ...

    def keep_schedule(self, inputs: str, schedule: RevenueSchedule, at: datetime) -> None:
        """Keep what reports need of a schedule under the fingerprint of all it is made of; once."""
        ...

    def statement(self, fingerprint: str) -> Statement:
        """Return a statement; raises KeyError."""
        ...

    def rated_at(self, statement: str) -> datetime:
        """Return when a statement was last kept: the catalog as known then is what it was rated with."""
        ...

    def latest_statement(self, month: str, close_revision: int, customer: str) -> Statement | None:
        """Return the newest statement of a customer's month, or None."""
        ...

    def issued_statements(self, contract: str, before: str) -> tuple[Statement, ...]:
        """Return the statements of a contract that were issued for months before one, oldest first."""
        ...

    def open_pools(self, before: str, known: Collection[str], customer: str | None = None) -> tuple[OpenBalance, ...]:
        """Return what the last issued statement before a month left in pools and credits, but for known customers."""
        ...


class CloseBook(Protocol):
    """Closes, their projection for people, decisions and verdicts."""

    def open_close(self, month: str, revision: int, started_by: str, by_hand: bool, at: datetime) -> None:
        """Record that a close of a month was started; repeated starts by other people are kept too."""
        ...

    def starters(self, month: str, revision: int) -> frozenset[str]:
        """Return everyone who started this close by hand."""
        ...

    def project(
        self,
        month: str,
        revision: int,
        customer: str,
        stage: Stage,
        state: State,
        at: datetime,
        detail: str = "",
        **references: str,
    ) -> None:
        """Write where a customer's close stands (the pages and the CLI read this, never Temporal's visibility)."""
        ...

    def standing(self, month: str, revision: int, customer: str) -> Standing | None:
        """Return where a customer's close stands, or None where none was begun."""
        ...

    def waiting(self, month: str, revision: int) -> tuple[str, ...]:
        """Return the customers of a close that are neither done nor skipped, by id."""
        ...

    def keep_root(self, month: str, revision: int, root: str, at: datetime) -> str:
        """Keep the root over a month's evidence once and return the one that is kept."""
        ...

    def decision(self, decision_id: str) -> Decision | None:
        """Return a decision row, or None."""
        ...

    def decisions(self, month: str, revision: int, customer: str) -> tuple[Decision, ...]:
        """Return all decision rows on a customer's close, oldest first."""
        ...

    def keep_verdict(self, verdict: Verdict, month: str, revision: int, customer: str, at: datetime) -> Verdict:
        """Keep the verdict on a decision once and return the one that is kept."""
        ...

    def verdicts(self, month: str, revision: int, customer: str) -> tuple[Verdict, ...]:
        """Return the verdicts so far, oldest first."""
        ...


class Desk(Protocol):
    """The one door by which people decide: it authenticates the person and writes the row."""

    def person(self, token: str) -> Person:
        """Return whose token this is; raises `NotAuthenticated`."""
        ...

    def write(self, decision: Decision) -> Decision:
        """Write a decision row (idempotent by its id)."""
        ...


class RateChangeBook(Protocol):
    """Proposed rate versions, and the steps of their changes: each is taken once."""

    def proposal(self, proposal_id: str) -> ChangeView | None:
        """Return a proposal with the steps taken so far, or None."""
        ...

    def take(self, step: StepTaken) -> StepTaken:
        """Keep a step once and return the one that is kept: the first."""
        ...


class CorrectionBook(Protocol):
    """Corrections of issued invoices and their steps: each is kept and taken once."""

    def keep(self, correction: Correction, at: datetime) -> Correction:
        """Keep a correction once for its id and return the one that is kept: the first."""
        ...

    def correction(self, correction_id: str) -> CorrectionView | None:
        """Return a correction with the steps taken so far, or None."""
        ...

    def of_invoice(self, reference: str) -> tuple[CorrectionView, ...]:
        """Return the corrections of an invoice, in the order they were kept."""
        ...

    def of_customer(self, customer: str) -> tuple[CorrectionView, ...]:
        """Return the corrections of a customer, in the order they were kept."""
        ...

    def take(self, step: CorrectionTaken) -> CorrectionTaken:
        """Keep a step once and return the one that is kept. Raises `FourEyes`, `TooMuchCredited`."""
        ...


class ControlBook(Protocol):
    """Tie-outs as computed, and the reopenings of locked periods."""

    def keep(self, tie_out: TieOut, at: datetime) -> None:
        """Keep a tie-out; the same numbers again change nothing."""
        ...

    def newest(self, month: str) -> dict[TieOutName, KeptTieOut]:
        """Return the newest tie-out of each name."""
        ...

    def reopen(self, reopening: Reopening, decision: str) -> Reopening:
        """Open a locked period again until an instant, once for a decision. Raises `FourEyes`."""
        ...

    def reopenings(self, month: str) -> tuple[Reopening, ...]:
        """Return a period's reopenings, oldest first; one that expired or was locked again has its end."""
        ...

    def balances(self, month: str) -> dict[tuple[str, str], Decimal]:
        """Return a period's postings by account and currency."""
        ...

    def receivables(self, month: str) -> dict[tuple[str, str], Decimal]:
        """Return what 1100 holds now of each invoice of a month, by our reference and currency."""
        ...

    def grants(self, through: str) -> dict[tuple[str, str], Decimal]:
        """Return what is owed of each grant after a month, 2110 less 1120, by contract/grant and currency."""
        ...

    def issued(self, month: str) -> tuple[tuple[Invoice, IssuedInvoice], ...]:
        """Return the issued invoices of a month, by reference."""
        ...


class EventBook(Protocol):
    """Events of the invoicing platform as received, and what became of each."""

    def event(self, event_id: str) -> PlatformEvent | None:
        """Return an event, or None."""
        ...

    def taken(self, event_id: str) -> tuple[EventTaken, ...]:
        """Return what became of an event, in order."""
        ...

    def take(self, taken: EventTaken) -> EventTaken:
        """Keep what became of an event, each fate once, and return the one that is kept."""
        ...

    def parked(self) -> tuple[PlatformEvent, ...]:
        """Return the events that are parked still, in the order they came."""
        ...

    def invoice_of_payment(self, intent: str) -> str | None:
        """Return our reference of the invoice a payment paid, or None."""
        ...


class NoticeBook(Protocol):
    """What customers and finance are told, and what of it was sent."""

    def unannounced(self, since: datetime) -> tuple[str, ...]:
        """Return the references of invoices that a close issued since, and nobody was told of."""
        ...

    def uncorrected(self, since: datetime) -> tuple[Correction, ...]:
        """Return the corrections settled since that nobody was told of."""
        ...

    def expiring(self, after: datetime, until: datetime) -> tuple[str, ...]:
        """Return the contracts' last issued statements that have a credit which expires in between, by fingerprint."""
        ...

    def unwatched(self, since: datetime) -> tuple[tuple[str, date], ...]:
        """Return the months and nights since whose watch found something new, and finance was not told."""
        ...

    def alerts(self, customer: str) -> tuple[Alert, ...]:
        """Return a customer's alerts in force, oldest first."""
        ...

    def contacts(self, customer: str) -> tuple[str, ...]:
        """Return the addresses a customer is mailed at beside their contract's."""
        ...

    def keep(self, notice: Notice) -> None:
        """Keep a notice, once for its id."""
        ...

    def notice(self, notice_id: str) -> Notice:
        """Return a notice; raises KeyError."""
        ...

    def unsent(self, most: int, since: datetime) -> tuple[str, ...]:
        """Return the ids of notices written since that were neither sent nor opted out of.

        Those never tried come first, then the longest untried.
        """
        ...

    def tried(self, notice_id: str, at: datetime) -> None:
        """Keep that a notice is being tried now."""
        ...

    def message_of(self, notice_id: str) -> str | None:
        """Return the message id under which a notice was sent, or what stands for it, or None where it was not."""
        ...

    def sent(self, notice_id: str, message_id: str, at: datetime) -> None:
        """Keep that a notice was sent, once."""
        ...

    def opted_out(self, customer: str, kind: NoticeKind) -> bool:
        """Return whether a customer wants no notices of a kind."""
        ...


class Mailer(Protocol):
    """What hands a notice to the mail."""

    def send(self, addressed: Addressed) -> str:
        """Send a notice and return its message id; what fails is tried again."""
        ...


class WebhookBook(Protocol):
    """Endpoints, what is on its way to them, and what came of it."""

    def due(self, since: datetime, quiet_since: datetime, most: int, at: datetime) -> tuple[Delivery, ...]:
        """Write which notices since go to which endpoints, and return the deliveries nobody is at."""
        ...

    def endpoint(self, endpoint: str) -> Endpoint | None:
        """Return an endpoint, or None."""
        ...

    def secrets(self, endpoint: str) -> tuple[Sealed, ...]:
        """Return what signs and signed for an endpoint."""
        ...

    def outcome(self, delivery: Delivery) -> Outcome | None:
        """Return how a delivery ended, or None where it goes on."""
        ...

    def attempted(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Append a try, and how the delivery ended by it, if it did."""
        ...

    def conclude(self, delivery: Delivery, outcome: Outcome, at: datetime) -> None:
        """Keep how a delivery ended; the first that is kept stands."""
        ...

    def end(self, endpoint: str, by: str, at: datetime) -> bool:
        """End an endpoint, and return whether there is one of this id."""
        ...


class WebhookCaller(Protocol):
    """What posts an event to an address of a customer's, and to no private one."""

    def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Return what was answered; what could not be reached is an answer without a status."""
        ...


class Unsealer(Protocol):
    """What reads a sealed secret."""

    def open(self, sealed: str) -> str:
        """Return what was sealed; raises a Refusal."""
        ...


class WatchBook(Protocol):
    """Nights of the watch with their alerts: each is kept once."""

    def keep(self, watch: Watch, alerts: Sequence[Concern], at: datetime) -> Watch:
        """Keep a night with its alerts and return the one that is kept: the first."""
        ...

    def watch(self, month: str, night: date) -> Watch | None:
        """Return a night of a month, or None."""
        ...

    def before(self, month: str, night: date) -> Watch | None:
        """Return the last watch of a month before a night, or None."""
        ...

    def alerts(self, month: str, night: date | None = None) -> tuple[NightAlert, ...]:
        """Return the alerts of a month (or of one night), oldest first."""
        ...


class InvoiceBook(Protocol):
    """Invoices as asked for and as issued; one per (customer, currency, period, revision), by constraint."""

    def reserve(self, invoice: Invoice, at: datetime) -> Invoice:
        """Keep what will be issued before Stripe is called; return the one that is kept."""
        ...

    def issued(self, issued: IssuedInvoice, at: datetime) -> IssuedInvoice:
        """Keep what Stripe holds for a reserved invoice; return the one that is kept."""
        ...

    def invoice(self, reference: str) -> tuple[Invoice, IssuedInvoice | None] | None:
        """Return an invoice by our reference, or None."""
        ...

    def by_stripe_id(self, stripe_id: str) -> tuple[Invoice, IssuedInvoice] | None:
        """Return an issued invoice by the platform's id, or None."""
        ...

    def stripe_customer(self, customer: str) -> str | None:
        """Return the customer's id at Stripe, or None when it has none yet."""
        ...

    def keep_stripe_customer(self, customer: str, stripe_id: str, at: datetime) -> str:
        """Keep the customer's id at Stripe; return the one that is kept."""
        ...


class Histories(Protocol):
    """Where the histories of workflows can be had."""

    async def history(self, workflow_id: str, run_id: str) -> str:
        """Return a run's history as JSON text; the latest run for an empty run id."""
        ...


class InvoicingPlatform(Protocol):
    """The platform that issues invoices."""

    def ensure_customer(self, customer: str, name: str, email: str) -> str:
        """Return the platform's id of a customer, created when it is not there yet."""
        ...

    def draft(self, stripe_customer: str, invoice: Invoice) -> str:
        """Return the id of the draft (or issued invoice) with our reference, created when it is not there yet."""
        ...

    def read(self, stripe_id: str) -> tuple[str, tuple[int, ...], int]:
        """Return status, line amounts and total of an invoice as the platform holds it, in minor units."""
        ...

    def finalize(self, stripe_id: str, invoice: Invoice) -> IssuedInvoice:
        """Finalize and send a draft; return what the platform holds. Safe to repeat."""
        ...

    def void(self, stripe_id: str) -> None:
        """Void an issued invoice or delete a draft. Safe to repeat."""
        ...

    def state(self, stripe_id: str) -> AtPlatform:
        """Return how an invoice stands: its status, what is due and what was paid."""
        ...

    def states(self, stripe_ids: Collection[str], since: datetime, until: datetime) -> dict[str, AtPlatform]:
        """Return how each of many invoices stands; they were made between the two instants, mostly."""
        ...

    def payment(self, stripe_id: str) -> Payment | None:
        """Return how an invoice was paid and what the platform kept; None where it was paid outside of it."""
        ...

    def credit(self, note: CreditNoteAsked) -> CreditNote:
        """Return the credit note with our reference on an issued invoice, created when it is not there yet."""
        ...

    def pdf(self, stripe_id: str) -> bytes:
        """Return the platform's PDF of an issued invoice."""
        ...


class EstimateBook(Protocol):
    """Estimates with their evidence: append-only, by two people."""

    def estimates(self, contract: str) -> tuple[Estimate, ...]:
        """Return a contract's estimates in the order they were recorded."""
        ...


class BookedEventBook(Protocol):
    """Facts that no statement has, each booked once, by two people."""

    def events(self, customer: str) -> tuple[Event, ...]:
        """Return a customer's booked events in the order they were booked."""
        ...

    def book(self, event: Event, proposal: Decision, approval: Decision, at: datetime) -> None:
        """Append an event; the same one is there once. Raises `FourEyes`, `Conflict`."""
        ...


class JournalBook(Protocol):
    """The journal: append-only, balanced, keyed, locked by period; Postgres itself refuses the rest."""

    def post(self, entries: Sequence[JournalEntry], preparer: str, at: datetime) -> int:
        """Post entries in one transaction; return how many were new. Raises `PeriodLocked`, `Conflict`."""
        ...

    def entries(self, month: str | None = None, customer: str | None = None) -> tuple[JournalEntry, ...]:
        """Return entries of an accounting period (and customer), in posting order."""
        ...

    def open_balances(self, through: str, customer: str | None = None) -> tuple[OpenBalance, ...]:
        """Return what receivables, contract assets and liabilities hold after a month, by customer and account."""
        ...

    def locked(self, month: str) -> bool:
        """Return whether an accounting period is locked."""
        ...

    def lock(self, month: str, by: str, reason: str, at: datetime) -> None:
        """Lock an accounting period: nothing is posted to it any more, whatever the route."""
        ...

    def head(self) -> str:
        """Return the hash at the end of the journal's chain."""
        ...

    def links(self, after: int = 0) -> tuple[Link, ...]:
        """Return the chain's links after a position, in order."""
        ...

    def open_month(self, month: str) -> str:
        """Return the month itself, or the first later one that is not locked."""
        ...


class ExportBook(Protocol):
    """Files that customers want made of every month."""

    def due(self, most: int) -> tuple[DueExport, ...]:
        """Return the files that are to be made, the oldest invoice's first."""
        ...

    def keep(self, export: Export) -> None:
        """Keep that a file was made; once for its id."""
        ...


class DraftBook(Protocol):
    """Running months as last rated; a projection that each refresh overwrites."""

    def keep(self, draft: Draft) -> None:
        """Keep a customer's draft of a month, unless a later one is kept."""
        ...


class Clock(Protocol):
    """The deeds' clock: time is an argument everywhere below."""

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        ...
