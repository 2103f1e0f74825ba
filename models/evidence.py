"""Evidence: everything from which one customer's month can be re-performed, without database or sources."""

from models.approval import Decision, Verdict
from models.authority import Authority
from models.contract import Contract
from models.correction import Correction
from models.entity import DEFAULT, Entity
from models.event import Estimate
from models.invoice import Invoice, IssuedInvoice
from models.journal import JournalEntry
from models.opening import Opening
from models.period import Month
from models.rate_card import RateVersion
from models.reconciliation import Reconciliation, Resolution
from models.revenue import RevenueSchedule
from models.snapshot import Snapshot
from models.statement import Statement
from models.usage import Identifier
from models.usage_policy import UsagePolicy
from models.value import Value


class EvidencePack(Value):
    """One customer's month: inputs, decisions, outputs, and the engine that made them.

    What holds all customers (sealed snapshots, the list of who is known) is in the month's manifest once, and named
    here by fingerprint: packs grow with their customer, not with the number of customers.
    """

    month: Month
    revision: int
    customer: Identifier
    engine: str
    snapshots: tuple[str, ...]  # fingerprints of those in the month's manifest: they name all customers
    known_customers: str  # fingerprint of the list in the month's manifest
    policy: UsagePolicy
    authorities: tuple[Authority, ...]
    contracts: tuple[Contract, ...]
    rates: tuple[RateVersion, ...]
    opening: Opening | None = None
    entity: Entity = DEFAULT
    estimates: tuple[Estimate, ...] = ()
    prior: tuple[Statement, ...]
    corrections: tuple[Correction, ...] = ()  # of earlier invoices, billed on this one
    resolutions: tuple[Resolution, ...]
    decisions: tuple[Decision, ...]
    verdicts: tuple[Verdict, ...]
    starters: tuple[str, ...]
    proposers: tuple[str, ...]
    reconciliation: Reconciliation
    statement: Statement
    invoice: Invoice
    issued: IssuedInvoice
    schedule: RevenueSchedule
    prior_accruals: tuple[JournalEntry, ...]
    posted_to: Month
    entries: tuple[JournalEntry, ...]


class SealedPack(Value):
    """A pack in the month's manifest, with the archived history of its workflow."""

    customer: Identifier
    state: str
    pack: str | None  # uri
    pack_fingerprint: str | None
    history: str  # uri
    history_sha256: str


class Manifest(Value):
    """All sealed packs of a month. Its fingerprint is the root over the month's evidence."""

    month: Month
    revision: int
    engine: str
    known_customers: tuple[Identifier, ...]
    snapshots: tuple[Snapshot, ...]
    packs: tuple[SealedPack, ...]
