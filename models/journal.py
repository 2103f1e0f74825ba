"""Journal: double entries that balance or do not exist."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from models.money import Currency, rounded
from models.period import Month, month_of
from models.refusal import Refusal
from models.usage import Identifier
from models.value import Day, Exact, Instant, Value, canonical_json


class Account(StrEnum):
    """The chart of accounts (docs/accounting.md); codes are ours."""

    CLEARING = "1010"
    RECEIVABLE = "1100"
    UNBILLED = "1110"
    CONTRACT_ASSET = "1120"
    ALLOWANCE = "1190"
    DEFERRED_TIME = "2100"
    PREPAID = "2110"
    CUSTOMER_BALANCE = "2120"
    REFUND_LIABILITY = "2130"
    SALES_TAX = "2200"
    UNCLAIMED = "2300"
    OPENING = "3000"
    PLATFORM_FEE = "4010"
    USAGE = "4020"
    USAGE_PREPAID = "4025"
    OVERAGE = "4030"
    SHORTFALL = "4040"
    BREAKAGE = "4050"
    DISCOUNTS = "4900"
    PROMOTIONAL = "4910"
    CREDIT_NOTES = "4920"
    BILLING_CORRECTIONS = "4930"
    CREDIT_LOSS = "6100"
    PAYMENT_FEES = "6200"
    FX_REALIZED = "7100"
    FX_UNREALIZED = "7110"

    @property
    def is_revenue(self) -> bool:
        """Whether it counts towards revenue: every 4xxx account, the contra ones included."""
        return self.value.startswith("4")


class Rule(StrEnum):
    """Which row of the entries table made an entry (docs/accounting.md explains each)."""

    A1 = "A1"  # prepaid credit or commitment invoiced
    A2 = "A2"  # payment, and what a dispute takes back of it
    A3 = "A3"  # draw-down
    A3_DEFERRED = "A3-deferred"  # a credit paid for a fee not earned yet: one contract liability becomes another
    A5 = "A5"  # expiry
    A6 = "A6"  # expected breakage, in proportion to use
    A7 = "A7"  # what passes a rollover's cap
    A8 = "A8"  # unclaimed property
    B1_BILLED = "B1-billed"  # fixed fee invoiced before it is earned
    B1_EARNED = "B1-earned"  # fixed fee recognized
    B2 = "B2"  # usage in arrears, net of its discounts, with its floor and cap
    B3 = "B3"  # what was unbilled is invoiced, and the invoice's tax
    B5 = "B5"  # overage
    C1 = "C1"  # monthly shortfall
    C2 = "C2"  # quarterly, annual or term shortfall
    C3 = "C3"  # a shortfall expected, in proportion to use
    C6 = "C6"  # a commitment drawn before its installment is invoiced
    C7 = "C7"  # a shortfall that may be used later
    C8 = "C8"  # early termination
    D2 = "D2"  # promotional credit used
    D3 = "D3"  # a retroactive tier at its expected price
    E1 = "E1"  # credit note, period open
    E2 = "E2"  # credit note, period closed
    E3 = "E3"  # refund
    E4 = "E4"  # credit to the customer's balance, and its use
    E5 = "E5"  # void of an unpaid invoice, and the one that replaces it
    F1 = "F1"  # late usage, period open
    F2 = "F2"  # late usage, period closed
    F3 = "F3"  # rated again, period open: reversed and posted again
    F4 = "F4"  # rated again, period closed
    G1 = "G1"  # tax remitted
    H1 = "H1"  # allowance for credit losses
    H2 = "H2"  # write-off
    H3 = "H3"  # recovery
    I1 = "I1"  # exchange difference where a foreign balance is settled or moved (functional book)
    I2 = "I2"  # a foreign balance at the closing rate (functional book)
    J1 = "J1"  # invoice differs from its accrual
    O1 = "O1"  # the opening position of a contract taken over while it runs


class PeriodLocked(Refusal):
    """The accounting period is locked: nothing is posted to it any more, whatever the route."""

    remedy = "Post to the first open period, with the old service dates kept."


class Posting(Value):
    """One side of an entry: debit positive, credit negative, at the currency's minor unit."""

    account: Account
    amount: Exact
    obligation: Identifier | None = None
    grant: Identifier | None = None
    meter: Identifier | None = None
    model: str | None = None
    rated_line: Identifier | None = None
    service_from: Day | None = None
    service_until: Day | None = None


class JournalEntry(Value):
    """A balanced entry. `key` is its business key: posting it twice gives one entry."""

    key: Identifier
    rule: Rule
    customer: Identifier
    contract: Identifier
    period: Month  # the accounting period it is posted to
    posted_on: Day  # the recognition date, inside the period
    currency: Currency
    description: str
    postings: tuple[Posting, ...] = Field(min_length=2)
    statement: str  # fingerprint of the statement (for O1: of the opening position) it comes from
    invoice: Identifier | None = None  # our invoice reference
    accrued: bool = False
    reverses: Identifier | None = None
    close_run: str | None = None

    @model_validator(mode="after")
    def _balances(self) -> Self:
        if sum(posting.amount for posting in self.postings) != 0:
            raise ValueError(f"entry {self.key} does not balance")
        for posting in self.postings:
            if posting.amount == 0 or posting.amount != rounded(posting.amount, self.currency):
                raise ValueError(f"entry {self.key} has a posting of {posting.amount} {self.currency}")
        if month_of(self.posted_on) != self.period:
            raise ValueError(f"entry {self.key} is dated {self.posted_on}, outside its period {self.period}")
        return self

    def substance(self) -> str:
        """Return the text of what is booked, without when and by which run.

        A step repeated after its period was locked comes with another period, or in another run; it is the same entry.
        """
        content = self.model_dump(mode="json", exclude={"period", "posted_on", "close_run"})
        return canonical_json(content)


class Link(Value):
    """An entry's place on the chain: what outlives a journal that is rewritten whole."""

    position: int = Field(ge=1)
    key: Identifier
    hash: str


class ChainHead(Value):
    """The chain as it stood at a lock, kept under retention outside the database: every link since the head before."""

    month: Month
    locked_at: Instant
    links: tuple[Link, ...]


class ChainState(Value):
    """The journal's chain as recomputed: how many entries, the hash at its end, and the first entry that differs.

    `witnessed` is how many entries stand in heads that were kept outside: a rewritten one among them is named.
    """

    entries: int = Field(ge=0)
    witnessed: int = Field(default=0, ge=0)
    head: str
    first_difference: str | None = None  # key of the entry
    reason: str = ""

    @property
    def whole(self) -> bool:
        """Whether every entry is as it was when it was posted."""
        return self.first_difference is None
