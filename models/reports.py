"""Reports: what the books show to pages, terminal and auditors; read, never written."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import model_validator

from models.close import paused_words
from models.invoice import Invoice, IssuedInvoice
from models.journal import Account, Rule
from models.money import Currency
from models.period import Month
from models.reconciliation import Exposure, Finding, Reconciliation, Resolution, Severity
from models.statement import Statement
from models.usage import Identifier
from models.value import Day, Exact, Instant, Value, decimal_text


class CloseSummary(Value):
    """A close of a month: who started it, customers by state, what was invoiced by currency, its lock."""

    month: Month
    revision: int
    opened_at: Instant
    starters: tuple[str, ...]
    states: dict[str, int]
    invoiced: dict[str, Exact]
    locked_at: Instant | None = None
    root: str | None = None
    invoices: int = 0  # issued
    ended_at: Instant | None = None  # when its evidence was sealed
    paused_by: Identifier | None = None
    paused_why: str = ""

    @property
    def customers(self) -> int:
        """How many customers it has."""
        return sum(self.states.values())

    @property
    def took(self) -> timedelta | None:
        """How long it took from its opening to its sealed evidence; None while it is under way."""
        return self.ended_at - self.opened_at if self.ended_at else None

    @property
    def paused(self) -> str:
        """Who paused it and why, in words; nothing while it goes on."""
        return paused_words(self.paused_by, self.paused_why) if self.paused_by else ""


class OpenFinding(Value):
    """A finding of the reconciliation in use as finance works with it; it holds its customer until it is answered."""

    revision: int
    reconciliation: str
    finding: Finding
    first_seen: Instant  # by a night's watch, a dry run or the close, whichever came first
    at_risk: Exposure | None = None  # None for what is only recorded: nothing is at risk
    owner: str | None = None
    resolution: Resolution | None = None  # the one that stands

    @property
    def holds(self) -> bool:
        """Whether it holds its customer: it is beyond tolerance, and no resolution stands."""
        return self.finding.severity is Severity.HOLDS and self.resolution is None

    def age(self, at: datetime) -> timedelta:
        """Return how long it has been known at an instant."""
        return at - self.first_seen


class ReconciliationView(Value):
    """A customer's month as its close reconciled it, and when: what was declared by then is what it went by."""

    revision: int
    reconciliation: Reconciliation
    at: Instant


class InvoiceView(Value):
    """An invoice as asked for, and as issued where it is.

    `owed` is what the receivable holds of it, once posted; `lowered_by` are the rules of the entries that lowered it,
    the last on `lowered_on`.
    """

    revision: int
    invoice: Invoice
    issued: IssuedInvoice | None = None
    owed: Exact | None = None
    lowered_by: tuple[Rule, ...] = ()
    lowered_on: Day | None = None

    @property
    def state(self) -> str:
        """In one word: draft until issued, open while anything is owed, then how it was settled."""
        if self.issued is None:
            return "draft"
        if self.owed is None or self.owed or not self.lowered_by:
            return self.issued.status
        if {Rule.A2, Rule.E4} & set(self.lowered_by):  # paid, or from the customer's balance
            return "paid"
        return "void" if Rule.E5 in self.lowered_by else "credited"


class RatedView(Value):
    """A close's statement by its numbers alone, beside the issued one of the contract's month before."""

    customer: Identifier
    statement: str  # its fingerprint
    currency: Currency
    total: Exact
    lines: int
    prior: str | None = None
    prior_total: Exact | None = None
    prior_currency: Currency | None = None

    @property
    def change(self) -> Exact | None:
        """This total less the one before; None where there is none, or of another currency."""
        if self.prior_total is None or self.prior_currency != self.currency:
            return None
        return self.total - self.prior_total


class SampledFor(StrEnum):
    """Why a statement is looked into."""

    LARGEST = "largest"
    NEW = "new"
    CHANGED = "most changed"


class Sampled(Value):
    """A statement that a reviewer looks into, and why."""

    view: RatedView
    why: SampledFor


class TermChange(Value):
    """A contract version or a rate that came into the books, in force from when, and the two people it came from."""

    kind: Literal["contract", "rate"]
    customer: Identifier | None  # of a contract
    name: str
    says: str
    in_force_from: str  # a day in the contract's zone, an instant of a rate
    recorded_at: Instant
    proposed_by: str
    approved_by: str


class TermChanges(Value):
    """What came into the books since the close of an earlier month began, the newest first; None: none was closed."""

    since: Month | None
    changes: tuple[TermChange, ...] = ()


class StatementView(Value):
    """A statement as it was stored, and when; `issued` once its invoice is. Between closes a draft stands for it."""

    statement: Statement
    kept_as: str  # the statement's fingerprint
    stored_at: Instant
    issued: bool = False
    complete_up_to: Instant | None = None  # of a draft: up to when usage is in it

    @property
    def draft(self) -> bool:
        """Whether the month still runs and this is overwritten by the next refresh."""
        return self.complete_up_to is not None


class Balance(Value):
    """An account's balance in one currency: debits less credits, so that all balances sum to zero."""

    account: Account
    currency: Currency
    debit: Exact
    credit: Exact
    balance: Exact


class JournalLine(Value):
    """A posting with its entry's facts and its place on the chain."""

    position: int
    key: Identifier
    rule: Rule
    customer: Identifier
    contract: Identifier
    period: Month
    posted_on: Day
    currency: Currency
    account: Account
    amount: Exact
    obligation: str | None
    grant: str | None
    meter: str | None
    model: str | None
    rated_line: str | None
    service_from: Day | None
    service_until: Day | None
    statement: str
    invoice: str | None
    accrued: bool
    preparer: str
    recorded_at: Instant
    hash: str


class OpenBalance(Value):
    """What is still open with a customer: an account of the journal, or a pool that an issued statement left over."""

    customer: Identifier
    what: str  # 1100, or pool launch
    unit: str  # a currency, or the meter for units
    amount: Exact  # a debit positive; what is left of a pool

    @property
    def words(self) -> str:
        """The balance as people read it in a reason."""
        return f"{self.what} {decimal_text(self.amount)} {self.unit}"


class RollForward(Value):
    """A grant's liability over a month: opening + billed - drawn - expired + trued_up = closing.

    What we owe of it (2110), less what was drawn before it was billed (1120): positive is owed to the customer.
    """

    customer: Identifier
    contract: Identifier
    grant: Identifier
    currency: Currency
    month: Month
    opening: Exact
    billed: Exact
    drawn: Exact
    expired: Exact
    trued_up: Exact
    closing: Exact


class Report(Value):
    """A report at a close: columns, and rows of text. Numbers are exact and plain, so equal facts give equal bytes."""

    name: str
    month: Month
    known_at: Instant | None  # the lock of the month: what came later is not in it; None while it is open
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: a row of {len(row)} cells under {len(self.columns)} columns: {row}")
        return self
