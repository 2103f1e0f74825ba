"""What every deed shares: the books it works with, and how it says where a customer's close stands."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from activities.ports import (
    BookedEventBook,
    Clock,
    CloseBook,
    ControlBook,
    CorrectionBook,
    DraftBook,
    EstimateBook,
    EventBook,
    EvidenceBook,
    ExportBook,
    Histories,
    InvoiceBook,
    InvoicingPlatform,
    JournalBook,
    Mailer,
    NoticeBook,
    ObjectStore,
    RateChangeBook,
    TermsBook,
    Unsealer,
    UsageSource,
    WatchBook,
    WebhookBook,
    WebhookCaller,
)
from billing.approval import ApprovalPolicy
from models.entity import DEFAULT, Entity
from models.usage_policy import UsagePolicy


@dataclass(frozen=True)
class WebhookTelling:
    """What webhooks need: their book, what reads their secrets, what posts, and where their links lead."""

    book: WebhookBook
    sealer: Unsealer
    caller: WebhookCaller
    portal: str


@dataclass(frozen=True)
class Outside:
    """Everything deeds need from outside, fitted once by runtime/wiring.py."""

    terms: TermsBook
    rate_changes: RateChangeBook
    corrections: CorrectionBook
    events: EventBook
    controls: ControlBook
    evidence: EvidenceBook
    watches: WatchBook
    closes: CloseBook
    invoices: InvoiceBook
    journal: JournalBook
    store: ObjectStore
    platform: InvoicingPlatform
    sources: Mapping[str, UsageSource]
    policy: UsagePolicy  # what the sources declare; authorities come from the terms book
    approval: ApprovalPolicy
    histories: Histories
    clock: Clock
    engine: str  # version and hash of the code that computes, kept on every result
    estimates: EstimateBook
    notices: NoticeBook
    booked: BookedEventBook
    scratch: Path  # where a pass over a source spills
    drafts: DraftBook | None = None  # None: running months are not rated between closes
    exports: ExportBook | None = None  # None: no files are made of every month
    issuer: str = ""  # who bills, as customers' files name them
    entity: Entity = DEFAULT  # its functional currency and the policies that were signed
    mailer: Mailer | None = None  # None: nobody is mailed anything
    webhooks: WebhookTelling | None = None  # None: no endpoint is told anything
    finance: tuple[str, ...] = ()  # whom the nightly watch is mailed to; none: nobody
    cost_card: str = "list"  # what sources' own costs are compared with
    usage_memory_mib: int = 2048  # what one pass over a source may take
    shard_size: int = 500
    poll_seconds: int = 900
    reminder_hours: int = 24
    at_one_instant: Callable[[], AbstractContextManager[None]] = nullcontext  # within, a thread reads one snapshot

    @property
    def tells(self) -> bool:
        """Whether anybody is told anything: then notices are written."""
        return self.mailer is not None or self.webhooks is not None
