"""Correction: what an issued invoice should have been, line by line, and how the difference is settled."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from models.money import Currency, total
from models.period import Month
from models.statement import LineKind
from models.usage import Dimensions, Identifier, UsageLine
from models.value import Day, Exact, Instant, NotNegative, Positive, Value


class Cause(StrEnum):
    """Why an issued invoice is not right."""

    LATE_USAGE = "late_usage"
    WRONG_RATE = "wrong_rate"
    CONTRACT = "contract"  # its terms were applied, or written down, wrongly
    DISPUTE = "dispute"
    GOODWILL = "goodwill"

    @property
    def rates_again(self) -> bool:
        """Whether the month is rated again with what is known now; else a person says how much of which line."""
        return self in (Cause.LATE_USAGE, Cause.WRONG_RATE, Cause.CONTRACT)


class Settlement(StrEnum):
    """How the difference reaches the customer: chosen for each correction."""

    CREDIT_NOTE = "credit_note"  # lowers what is due of an unpaid invoice
    BALANCE = "balance"  # credit note on a paid invoice, kept for the customer's next ones
    REFUND = "refund"  # credit note on a paid invoice, paid back
    NEXT_PERIOD = "next_period"  # a line of the next invoice
    VOID = "void"  # the unpaid invoice is taken back and not billed again
    REBILL = "rebill"  # the unpaid invoice is taken back, and the right one is issued

    @property
    def takes_back(self) -> bool:
        """Whether the issued invoice is voided at the platform."""
        return self in (Settlement.VOID, Settlement.REBILL)


class LineCredit(Value):
    """So much of one line is taken off: by hand, for a dispute or goodwill."""

    line: Identifier
    amount: Positive  # without tax, in the invoice's currency


class CorrectionRequest(Value):
    """What a person proposes; equal requests are one correction, whoever makes them again."""

    invoice: Identifier  # our reference of the issued one
    cause: Cause
    settlement: Settlement
    reason: str = Field(min_length=1)
    rate_change: Identifier | None = None  # the proposal that ended `needs_correction` and that this clears
    credits: tuple[LineCredit, ...] = ()
    usage: tuple[UsageLine, ...] = ()  # what came late, beside what the statement was rated from

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.credits and self.cause.rates_again:
            raise ValueError(f"a correction for {self.cause.value} is rated again; it takes no amounts by hand")
        if not (self.credits or self.cause.rates_again or self.settlement is Settlement.VOID):
            raise ValueError(f"a correction for {self.cause.value} says how much of which line")
        if self.settlement is Settlement.VOID and (self.credits or self.cause.rates_again):
            raise ValueError("a void takes back the whole invoice, for a dispute or goodwill; to bill it again: rebill")
        if self.settlement is Settlement.REBILL and not self.cause.rates_again:
            raise ValueError("what is billed again is rated again: late_usage, wrong_rate or contract")
        if bool(self.usage) and self.cause is not Cause.LATE_USAGE:
            raise ValueError("usage is given for late_usage only")
        if self.rate_change is not None and self.cause is not Cause.WRONG_RATE:
            raise ValueError("a rate change is cleared by a correction for wrong_rate")
        return self

    @property
    def id(self) -> str:
        """The correction's business key: 16 hex digits of what it asks for."""
        return self.fingerprint()[:16]


class DeltaLine(Value):
    """One place of the invoice before and after: lines of equal kind, meter (or clause) and dimensions.

    Amounts are what is billed there, net of discounts and of what credit paid, without tax. `before` includes the
    corrections made earlier.
    """

    originals: tuple[Identifier, ...]  # the issued statement's lines; none for what was not billed at all
    kind: LineKind
    name: Identifier
    dimensions: Dimensions = {}
    obligation: Identifier
    service_from: Day
    service_until: Day
    before: Exact
    after: Exact
    why: str

    @property
    def delta(self) -> Exact:
        """What the customer owes more; less, when negative."""
        return self.after - self.before


class Materiality(Value):
    """Whether the amount may matter to a reader of the month's figures, by the threshold in force."""

    amount: NotNegative  # of the correction, without tax
    absolute: NotNegative
    ratio: NotNegative
    revenue: Exact  # the customer's, of the corrected month, as posted

    @property
    def threshold(self) -> Exact:
        """The greater of the amount and the share of the revenue."""
        return max(self.absolute, self.ratio * abs(self.revenue))

    @property
    def material(self) -> bool:
        """Whether the controller decides."""
        return self.amount >= self.threshold


class Correction(Value):
    """A correction as it is decided on: its fingerprint is what is approved."""

    id: Identifier
    request: CorrectionRequest
    customer: Identifier
    contract: Identifier
    period: Month  # of the invoice
    currency: Currency
    statement: str  # fingerprint of the issued one
    corrected: str | None = None  # fingerprint of the statement rated again, where there is one
    lines: tuple[DeltaLine, ...] = Field(min_length=1)
    tax_before: Exact
    tax_after: Exact
    materiality: Materiality
    proposed_by: Identifier
    known_at: Instant  # what was known then is what it was rated with

    @property
    def net(self) -> Exact:
        """What the customer owes more (less, when negative), without tax."""
        return total(line.delta for line in self.lines)

    @property
    def tax(self) -> Exact:
        """The tax on it."""
        return self.tax_after - self.tax_before

    @property
    def total(self) -> Exact:
        """With tax."""
        return self.net + self.tax


class CorrectionStep(StrEnum):
    """The steps of a correction, each taken once."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    SETTLED = "settled"  # at the invoicing platform; a next-period line waits for its invoice
    POSTED = "posted"
    WITHDRAWN = "withdrawn"  # a rule refused after the approval and a person gave it up; nothing was settled


DEAD = frozenset({CorrectionStep.REJECTED, CorrectionStep.WITHDRAWN})
"""Steps after which a correction counts for nothing."""


class CorrectionTaken(Value):
    """One step of a correction: when, by whom, and what it left."""

    correction: Identifier
    step: CorrectionStep
    at: Instant
    person: Identifier | None = None
    detail: str = ""
    references: dict[str, str] = {}  # credit_note, number, invoice: what the platform holds for it


class CorrectionView(Value):
    """A correction with where it stands."""

    correction: Correction
    steps: tuple[CorrectionTaken, ...] = ()

    @property
    def step(self) -> CorrectionStep:
        """The last step taken."""
        return self.steps[-1].step if self.steps else CorrectionStep.PROPOSED

    @property
    def counts(self) -> bool:
        """Whether it was approved and stands."""
        taken = {one.step for one in self.steps}
        return CorrectionStep.APPROVED in taken and not taken & DEAD
