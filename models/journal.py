"""Journal: double entries that balance or do not exist."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from models.money import Currency, rounded
from models.period import Month
from models.usage import Identifier
from models.value import Day, Exact, Value


class Account(StrEnum):
    """The chart of accounts (docs/policies.md); codes are ours."""

    CLEARING = "1010"
    RECEIVABLE = "1100"
    UNBILLED = "1110"
    CONTRACT_ASSET = "1120"
    DEFERRED_TIME = "2100"
    PREPAID = "2110"
    CUSTOMER_BALANCE = "2120"
    REFUND_LIABILITY = "2130"
    SALES_TAX = "2200"
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


class Rule(StrEnum):
    """Which row of the entries table made an entry (docs/policies.md names each)."""

    A1 = "A1"  # prepaid credit or commitment invoiced
    A3 = "A3"  # draw-down
    A5 = "A5"  # expiry
    B1_BILLED = "B1-billed"  # fixed fee invoiced
    B1_EARNED = "B1-earned"  # fixed fee recognized
    B2 = "B2"  # usage in arrears
    B3 = "B3"  # its invoice
    B5 = "B5"  # overage
    C1 = "C1"  # monthly shortfall
    C2 = "C2"  # quarterly, annual or term shortfall
    D2 = "D2"  # promotional credit used
    J1 = "J1"  # invoice differs from its accrual


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
    statement: str  # fingerprint of the statement it comes from
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
        return self
