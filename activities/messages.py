"""Messages: what plans and deeds say to each other: references, fingerprints and totals, never lines.

Fields are only added, with defaults: a history recorded by an older build must still be read.
"""

from pydantic import Field

from models.close import DecisionKind, Stage, State
from models.correction import CorrectionStep
from models.period import Month, Zone
from models.rate_change import ChangeStep
from models.stripe_event import Fate
from models.usage import Identifier
from models.value import Day, Frozen, Instant
from models.webhook import Outcome


class TriggerClose(Frozen):
    """What the Schedule says: close the month before the scheduled instant, in the entity's zone."""

    zone: Zone


class RefreshUsage(Frozen):
    """What the Schedule says: rate the month of the scheduled instant so far, in the entity's zone."""

    zone: Zone


class RefreshMonth(Frozen):
    """Rate a running month with what was used so far."""

    month: Month


class Refreshed(Frozen):
    """Whose month was rated, and whose was left as it stood, with why."""

    month: Month
    rated: int
    left: tuple[str, ...] = ()


class CloseMonth(Frozen):
    """Close one month for all customers (or only those named)."""

    month: Month
    revision: int = Field(default=1, ge=1)
    started_by: Identifier = "schedule"
    by_hand: bool = False
    customers: tuple[Identifier, ...] = ()
    dry_run: bool = False  # rate and stop: no approval, invoice, posting or evidence

    @property
    def key(self) -> str:
        """The close's business key: 2026-10, or 2026-10@2 once reopened."""
        return self.month if self.revision == 1 else f"{self.month}@{self.revision}"


class Opened(Frozen):
    """A close was opened: the sources to seal for it, and when the last customer's month ends."""

    sources: tuple[Identifier, ...]
    ends_at: Instant
    poll_seconds: int
    reminder_hours: int


class Population(Frozen):
    """Who is closed, in shards: contracts in force, accounts with usage beside them, customers with open balances."""

    shards: tuple[tuple[Identifier, ...], ...]
    unknown: tuple[Identifier, ...] = ()
    open_balances: tuple[Identifier, ...] = ()


class SealSource(Frozen):
    """Seal one source for a month."""

    month: Month
    revision: int
    source: Identifier


class SourceState(Frozen):
    """Whether a source is complete up to an instant, and up to when it is."""

    source: Identifier
    complete: bool
    watermark: Instant


class SnapshotRef(Frozen):
    """A sealed snapshot."""

    source: Identifier
    fingerprint: str
    rows: int
    watermark: Instant


class CloseShardOf(Frozen):
    """Close the customers of one shard."""

    month: Month
    revision: int
    shard: int
    customers: tuple[Identifier, ...]
    poll_seconds: int = 900
    reminder_hours: int = 24
    dry_run: bool = False


class CloseCustomer(Frozen):
    """Close one customer's month."""

    month: Month
    revision: int
    customer: Identifier
    poll_seconds: int = 900
    reminder_hours: int = 24
    dry_run: bool = False

    @property
    def workflow_id(self) -> str:
        """The id of the customer's close: a business key."""
        return customer_close_id(self.month, self.revision, self.customer)


class CustomerRef(Frozen):
    """A customer's month, the subject of most deeds."""

    month: Month
    revision: int
    customer: Identifier


class Readiness(Frozen):
    """When a customer's month is over, and which sources are not sealed past it yet."""

    ends_at: Instant
    behind: tuple[Identifier, ...]


class Slices(Frozen):
    """The sealed snapshots a customer's month is read from; `nothing` says why there is nothing to bill, if so."""

    snapshots: tuple[SnapshotRef, ...]
    nothing: str = ""


class CompareSources(Frozen):
    """Reconcile a customer's month from sealed snapshots."""

    close: CustomerRef
    snapshots: tuple[str, ...]


class ReconciliationRef(Frozen):
    """A reconciliation: how many findings it has, and which of them hold the customer."""

    fingerprint: str
    findings: int
    holding: tuple[Identifier, ...]


class RateUsage(Frozen):
    """Apply the contract to a reconciled month."""

    close: CustomerRef
    reconciliation: str


class StatementRef(Frozen):
    """A statement: what is approved."""

    fingerprint: str
    contract_version: str
    currency: str
    total_minor: int
    lines: int


class AskApproval(Frozen):
    """Ask for approval of a statement."""

    close: CustomerRef
    statement: str


class ApprovalNeed(Frozen):
    """How many people must approve, and which queue is asked; 0 people: automatic, named `system`."""

    people: int = Field(ge=0, le=2)
    queue: Identifier
    why: str


class Remind(Frozen):
    """Remind the queue that a statement waits."""

    close: CustomerRef
    statement: str
    count: int


class VerifyDecision(Frozen):
    """Judge a decision row against what the plan is waiting for."""

    close: CustomerRef
    decision: str
    stage: Stage
    accepts: tuple[DecisionKind, ...]
    statement: str | None = None
    holding: tuple[Identifier, ...] = ()
    approved_by: tuple[Identifier, ...] = ()
    issued: bool = False


class Park(Frozen):
    """Write that a customer's close waits for a person."""

    close: CustomerRef
    stage: Stage
    state: State
    detail: str


class StatementDeed(Frozen):
    """A deed on an approved statement."""

    close: CustomerRef
    statement: str


class DraftRef(Frozen):
    """A draft at the invoicing platform whose lines and total were read back and tie to the cent."""

    reference: Identifier
    stripe_id: str
    total_minor: int
    lines: int


class FinalizeDraft(Frozen):
    """Finalize and send a tied draft."""

    close: CustomerRef
    statement: str
    draft: DraftRef


class IssuedRef(Frozen):
    """An issued invoice."""

    reference: Identifier
    stripe_id: str
    number: str
    currency: str
    total_minor: int


class ScheduleRef(Frozen):
    """A revenue schedule: what is earned in the period and later, in minor units."""

    fingerprint: str
    earned_minor: int
    later_minor: int


class PostRevenue(Frozen):
    """Post the entries of an issued invoice."""

    close: CustomerRef
    statement: str
    invoice: Identifier


class PostedRef(Frozen):
    """Posted entries: how many, to which accounting period, the sum of their debits."""

    entries: int
    month: Month
    debits_minor: int


class PublishClose(Frozen):
    """Publish a customer's closed month."""

    close: CustomerRef
    statement: str
    invoice: Identifier


class PublishedRef(Frozen):
    """The evidence pack of a customer's month."""

    uri: str
    fingerprint: str


class CustomerClosed(Frozen):
    """How a customer's close ended."""

    customer: Identifier
    state: State
    statement: str | None = None
    invoice: str | None = None
    currency: str | None = None
    total_minor: int = 0
    evidence: str | None = None
    reason: str = ""


class SealEvidence(Frozen):
    """Archive the history of a finished customer close and seal its evidence."""

    close: CustomerRef
    workflow_id: str
    run_id: str


class ShardClosed(Frozen):
    """How a shard ended: customers by state."""

    shard: int
    states: dict[str, int]


class SealMonth(Frozen):
    """Write the month's manifest over all sealed packs."""

    month: Month
    revision: int


class MonthClosed(Frozen):
    """How a month ended: customers by state, and the root over the evidence of all."""

    month: Month
    revision: int
    states: dict[str, int]
    evidence_root: str  # empty for a dry run
    waiting: tuple[str, ...] = ()  # of a dry run: what it would have waited for before it could begin


class Decide(Frozen):
    """Names a decision row; the row, not the message, is what counts."""

    decision: str


class VerifyPause(Frozen):
    """Judge a decision row to pause or resume a close."""

    month: Month
    revision: int
    decision: str


class Hold(Frozen):
    """What a paused close tells those beneath it: why no stage begins; nothing for going on."""

    why: str


class LockMonth(Frozen):
    """Lock an accounting period; customers still waiting are accrued from their latest statement first."""

    month: Month
    revision: int
    decision: str
    signed: bool = False  # of histories from before every lock had to be signed


class MonthLocked(Frozen):
    """A locked accounting period, and whom it accrued."""

    month: Month
    accrued: tuple[Identifier, ...]


class TakeOver(Frozen):
    """Take over a running contract: names the decisions that propose and approve its opening position."""

    contract: Identifier
    proposal: str
    approval: str


class BookEvent(Frozen):
    """Book an event: names the decisions that propose and approve it."""

    contract: Identifier
    event: Identifier
    proposal: str
    approval: str


class EventBooked(Frozen):
    """An event's entry, by its key; none for one that moves nothing. `debits` are in the contract's currency."""

    event: Identifier
    entry: str
    month: Month
    currency: str
    debits: str


class OpenedRef(Frozen):
    """An opening position that stands: its fingerprint, its journal entry (none where all is zero) and its debits."""

    contract: Identifier
    fingerprint: str
    entry: str
    debits: str


class CloseView(Frozen):
    """What the `snapshot` query answers: where a customer's close stands."""

    stage: Stage
    state: State
    statement: str | None
    holding: tuple[Identifier, ...]
    approved_by: tuple[Identifier, ...]
    detail: str


def close_id(month: str, revision: int) -> str:
    """Return the workflow id of a month's close."""
    return f"close/{month}" if revision == 1 else f"close/{month}@{revision}"


def customer_close_id(month: str, revision: int, customer: str) -> str:
    """Return the workflow id of a customer's close."""
    return f"{close_id(month, revision)}/{customer}"


class ChangeRate(Frozen):
    """Take a proposed rate version through simulation and decision into force; one change for one proposal."""

    proposal: Identifier


class SimulationRef(Frozen):
    """A kept simulation: customer months that move and that were refused, and the money by currency, in minor units."""

    proposal: Identifier
    fingerprint: str
    months: tuple[Month, ...]
    rated: int
    moved: int
    refused: int
    money_minor: dict[str, int]


class JudgeRateChange(Frozen):
    """Judge a decision row about a proposal."""

    proposal: Identifier
    decision: str


class PutIntoCatalog(Frozen):
    """Append an approved version to the catalog."""

    proposal: Identifier
    decision: str


class InCatalog(Frozen):
    """A version in the catalog: from when it is in force, and the locked months that were billed without it."""

    version: str
    starts_at: Instant
    locked: tuple[Month, ...] = ()
    detail: str = ""


class ConcludeChange(Frozen):
    """Keep how a rate change stands."""

    proposal: Identifier
    step: ChangeStep
    person: Identifier | None = None
    detail: str = ""


class RateChanged(Frozen):
    """How a rate change ended."""

    proposal: Identifier
    step: ChangeStep
    person: Identifier | None = None
    version: str | None = None
    locked: tuple[Month, ...] = ()
    detail: str = ""


def rate_change_id(proposal: str) -> str:
    """Return the workflow id of a rate change."""
    return f"rate/{proposal}"


class CorrectInvoice(Frozen):
    """Take a proposed correction of an issued invoice through decision, settlement and posting."""

    correction: Identifier
    proposal: str  # the decision row that proposes it


class CorrectionRef(Frozen):
    """A prepared correction: what is decided on, in minor units."""

    correction: Identifier
    fingerprint: str
    step: CorrectionStep
    currency: str
    net_minor: int
    tax_minor: int
    lines: int
    material: bool


class JudgeCorrection(Frozen):
    """Judge a decision row about a correction."""

    correction: Identifier
    decision: str
    accepts: tuple[DecisionKind, ...]


class CorrectionDeed(Frozen):
    """A deed on an approved correction."""

    correction: Identifier
    decision: str


class SettledRef(Frozen):
    """What the invoicing platform holds for a correction; nothing for a line of the next invoice."""

    references: dict[str, str] = {}


class CorrectionPosted(Frozen):
    """Posted entries of a correction: how many, in which accounting period."""

    entries: int
    month: Month


class ConcludeCorrection(Frozen):
    """Keep that a correction was rejected or given up."""

    correction: Identifier
    step: CorrectionStep
    person: Identifier | None = None
    detail: str = ""


class InvoiceCorrected(Frozen):
    """How a correction ended; no step where a rule refused it before anybody was asked."""

    correction: Identifier
    step: CorrectionStep | None
    person: Identifier | None = None
    detail: str = ""
    month: Month | None = None


def correction_id(correction: str) -> str:
    """Return the workflow id of a correction."""
    return f"correction/{correction}"


class NoticesDue(Frozen):
    """The notices that are to be sent, by id, at most so many a round."""

    notices: tuple[Identifier, ...]


class SendNotice(Frozen):
    """Send a notice that is written."""

    notice: Identifier


class NoticeSent(Frozen):
    """Whether a notice is sent; it is not where mail is off, or its customer opted out."""

    notice: Identifier
    sent: bool


class NoticesTold(Frozen):
    """A round of mail: how many were sent, and how many could not be."""

    sent: int
    failed: int


class MakeExport(Frozen):
    """Make a file of a statement that its customer wants of every month."""

    customer: Identifier
    kind: str
    format: str
    statement: str


class ExportsDue(Frozen):
    """The files that are to be made."""

    exports: tuple[MakeExport, ...]


class ExportsMade(Frozen):
    """A round of files: how many were made, and how many could not be."""

    made: int
    failed: int


class DeliverWebhook(Frozen):
    """A delivery of a notice to an endpoint; its number tells replays apart."""

    endpoint: Identifier
    notice: Identifier
    number: int


class WebhooksDue(Frozen):
    """The deliveries that nobody has begun, at most so many a round."""

    deliveries: tuple[DeliverWebhook, ...]


class WebhookDelivered(Frozen):
    """How a delivery ended."""

    delivery: DeliverWebhook
    outcome: Outcome


def webhook_id(endpoint: str, notice: str) -> str:
    """Return the workflow id of the deliveries of a notice to an endpoint: one runs at a time."""
    return f"webhook/{endpoint}/{notice}"


class ApplyEvent(Frozen):
    """Apply a kept event of the invoicing platform."""

    event: Identifier


class EventApplied(Frozen):
    """What became of an event, and why."""

    event: Identifier
    fate: Fate
    detail: str = ""


def event_id(event: str) -> str:
    """Return the workflow id of an event."""
    return f"stripe-event/{event}"


class TieOutMonth(Frozen):
    """Tie a period out."""

    month: Month


class TiedOut(Frozen):
    """The tie-outs of a period by the fingerprint of their numbers, and the lines that do not tie."""

    month: Month
    fingerprints: dict[str, str]
    untied: tuple[str, ...] = ()


class ReopenMonth(Frozen):
    """Open a locked period again: names the decisions that ask for it and approve it."""

    month: Month
    asked: str
    approved: str


class PeriodReopened(Frozen):
    """A period that is open again, and until when."""

    month: Month
    expires_at: str


class WatchSchedule(Frozen):
    """Watch a night: the one named, or that of the scheduled instant in the entity's zone."""

    zone: Zone
    night: Day | None = None


class WatchTonight(Frozen):
    """Which months a night looks at."""

    night: Day


class WatchNight(Frozen):
    """Compare a month so far on a night."""

    month: Month
    night: Day


class NightWatched(Frozen):
    """What a night had: up to when sources were compared, how much is wrong, and how much of it is new."""

    month: Month
    night: Day
    up_to: Instant
    concerns: int
    alerts: int
