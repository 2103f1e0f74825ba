"""Statement: one customer's month as the contract has it, every line with its explanation."""

from decimal import localcontext
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from models.money import Currency, rounded, total
from models.period import Month, Period, Zone
from models.usage import Dimensions, Identifier
from models.value import Day, Exact, Value


class LineKind(StrEnum):
    """What a rated line bills; each kind has its own entries in the journal."""

    USAGE = "usage"  # metered usage at the contract's price; `covered_by` names the pool that paid, if one did
    INCLUDED = "included"  # usage inside an entitlement: quantity shown, amount 0
    EXCLUDED = "excluded"  # usage that is not charged, e.g. on the customer's own provider key: amount 0
    OVERAGE = "overage"  # usage past an exhausted commitment, at its overage terms
    FEE = "fee"
    COMMITMENT = "commitment"  # a prepaid commitment or an installment of it, billed in advance
    CREDIT_PURCHASE = "credit_purchase"  # a paid credit grant, billed at its cost
    DISCOUNT = "discount"  # negative
    MINIMUM = "minimum"  # what lifts a scope to its floor
    MAXIMUM = "maximum"  # negative: what lowers a scope to its cap
    POOL_DRAW = "pool_draw"  # negative: what a prepaid commitment paid
    CREDIT_DRAW = "credit_draw"  # negative: what a credit grant paid
    SHORTFALL = "shortfall"  # a commitment's unused part, billed where its own period ends
    CORRECTION = "correction"  # of an invoice of an earlier month; its revenue was posted when it was approved
    TAX = "tax"


class Step(Value):
    """One row of an explanation's arithmetic, as it is printed: text, and the amount it leaves."""

    text: str
    amount: Exact | None = None


class Explanation(Value):
    """Everything a rated line's amount can be recomputed from, printed alike by page, CLI, PDF and API."""

    sentence: str
    source: str | None = None
    snapshot: str | None = None
    events: int = Field(default=0, ge=0)
    rate_version: str | None = None
    rate_source: str | None = None
    clause: str
    contract_version: str
    steps: tuple[Step, ...] = ()
    rounding_residue: Exact


class Exchange(Value):
    """What turned the contract's currency into the invoice's: a rate version in force at the period's last instant."""

    rate_version: str
    rate_source: str
    contract_currency: Currency
    amount: Exact  # of the invoice's currency
    per: Exact  # of the contract's


class Applied(Value):
    """How much of one line a pool or credit paid, at the currency's minor unit."""

    line: Identifier
    amount: Exact


class RatedLine(Value):
    """One clause x dimensions x rate version x slice of one period: the grain that is rounded, once."""

    id: Identifier
    kind: LineKind
    description: str
    meter: Identifier | None = None
    dimensions: Dimensions = {}
    clause: Identifier
    service: Period
    service_from: Day
    service_until: Day
    quantity: Exact
    billed_quantity: Exact
    unit: str | None = None
    amount: Exact
    precise_amount: Exact
    contract_amount: Exact | None = None  # in the contract's currency, where the invoice has another
    contract_precise: Exact | None = None
    covered_by: Identifier | None = None  # the prepaid commitment that paid this slice
    obligation: Identifier  # what is promised, e.g. usage, platform, llm-year: the revenue dimension
    grant: Identifier | None = None  # on draws, purchases and shortfalls: the commitment or credit concerned
    promotional: bool = False  # on credit draws: no consideration was received for the credit
    applied: tuple[Applied, ...] = ()  # on draws and discounts: which lines, how much of each; sums to -amount
    explanation: Explanation


class Pool(Value):
    """A commitment or grant over the period: opening + granted - drawn - expired = closing, never below zero.

    Amounts for a commitment in money or a credit, units for one in units. For a postpaid commitment the
    pool is a count: `drawn` is what counted in the period and `closing` what remains to reach the floor.
    """

    id: Identifier
    kind: str  # prepaid | postpaid | paid | promotional | entitlement
    unit: str  # the contract's currency, a virtual one's code, or the meter for units
    window: Period
    in_force: bool = True
    opening: Exact
    granted: Exact
    drawn: Exact
    expired: Exact
    closing: Exact
    booked_drawn: Exact  # drawn over the window so far, as booked in the contract's currency (rounded cumulatively)
    cost: Exact | None = None  # what was paid for the whole grant, for revenue

    @model_validator(mode="after")
    def _rolls_forward(self) -> Self:
        with localcontext() as context:
            context.prec = 120  # draws are exact, to 40 places
            closing = self.opening + self.granted - self.drawn - self.expired
        if closing != self.closing:
            raise ValueError(f"pool {self.id} does not roll forward: {self}")
        if self.closing < 0:
            raise ValueError(f"pool {self.id} is below zero: {self.closing}")
        return self


class BillTo(Value):
    """Terms of the invoice that the approval covers."""

    net_days: int = Field(ge=0)
    purchase_order: str | None = None
    group_by: tuple[str, ...] = ("meter",)


class Statement(Value):
    """The rated month: lines, pools and credits before and after, totals. Its fingerprint is what is approved."""

    customer: Identifier
    contract: Identifier
    contract_version: str
    period: Month
    timezone: Zone
    currency: Currency  # the invoice's
    exchange: Exchange | None = None  # None: the contract's currency is the invoice's
    revision: int = Field(default=1, ge=1)
    bill_to: BillTo
    lines: tuple[RatedLine, ...]
    pools: tuple[Pool, ...] = ()
    reconciliation: str | None = None  # fingerprint of the reconciliation it was rated from
    usage_digest: str = ""  # digest of the usage lines it billed
    rate_versions: tuple[str, ...] = ()
    engine: str
    subtotal: Exact  # lines without tax
    tax: Exact
    total: Exact

    @model_validator(mode="after")
    def _ties(self) -> Self:
        if self.total != total(line.amount for line in self.lines):
            raise ValueError(f"the lines of {self.contract} {self.period} do not sum to its total {self.total}")
        if self.subtotal + self.tax != self.total:
            raise ValueError("subtotal and tax do not sum to the total")
        if len({line.id for line in self.lines}) != len(self.lines):
            raise ValueError("two lines share an id")
        for line in self.lines:
            if line.amount != rounded(line.amount, self.currency):
                raise ValueError(f"line {line.id} is finer than the minor unit of {self.currency}")
            if line.applied and total(part.amount for part in line.applied) != -line.amount:
                raise ValueError(f"what line {line.id} paid does not sum to it")
        return self

    def line(self, line_id: str) -> RatedLine:
        """Return a line by its id; raises KeyError."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise KeyError(line_id)
