"""Events: what revenue depends on beside the statements, each a fact with its day, its evidence and its people."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from models.money import ZERO
from models.usage import Identifier
from models.value import Day, NotNegative, Positive, Value


class Payment(Value):
    """Money received for an invoice (A2). `fee` is what the processor kept of it."""

    event: Literal["payment"] = "payment"
    id: Identifier
    contract: Identifier
    on: Day
    invoice: Identifier  # our reference
    amount: Positive  # what the customer paid, in the invoice's currency
    fee: NotNegative = ZERO

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.fee > self.amount:
            raise ValueError(f"the fee {self.fee} is more than the payment {self.amount}")
        return self


class Estimate(Value):
    """What a person expects, with the evidence (A6, C3, D3). It holds from the month of `on`; a later one replaces it.

    `expected_use` is how much of a commitment or credit will be used over its window, in its own unit.
    `expected_price` is the final price a unit of a meter will have had over [from, until), for retroactive tiers.
    """

    event: Literal["estimate"] = "estimate"
    id: Identifier
    contract: Identifier
    on: Day
    subject: Identifier  # the commitment or credit; for a price, the meter
    expected_use: Positive | None = None
    expected_price: NotNegative | None = None
    starts_on: Day | None = Field(default=None, alias="from")
    ends_on: Day | None = Field(default=None, alias="until")
    evidence: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    by: Identifier
    approved_by: Identifier

    @model_validator(mode="after")
    def _is_one_estimate(self) -> Self:
        if (self.expected_use is None) == (self.expected_price is None):
            raise ValueError("an estimate has one of `expected_use` and `expected_price`")
        if self.expected_price is not None and None in (self.starts_on, self.ends_on):
            raise ValueError("an expected price holds for a window: give `from` and `until`")
        if self.by == self.approved_by:
            raise ValueError(f"{self.by} may not approve an estimate of their own")
        return self

    @property
    def window(self) -> tuple[date, date]:
        """The days it holds for, the last excluded; all days where it names none."""
        return self.starts_on or date.min, self.ends_on or date.max


class Termination(Value):
    """A contract ends early (C8): what happens to the rest, and the fee, by which clause and whose approval."""

    event: Literal["termination"] = "termination"
    id: Identifier
    contract: Identifier
    on: Day
    rest: Literal["forfeited", "refunded"]  # of prepaid credit and of fees billed ahead
    fee: NotNegative = ZERO
    clause: str = Field(min_length=1)
    by: Identifier
    approved_by: Identifier

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.by == self.approved_by:
            raise ValueError(f"{self.by} may not approve a termination of their own")
        return self


class Expiry(Value):
    """What remains of a grant expires outside any statement (A5)."""

    event: Literal["expiry"] = "expiry"
    id: Identifier
    contract: Identifier
    on: Day  # the last day on which it could be used
    grant: Identifier


class Unclaimed(Value):
    """What remains of a grant goes to the state as unclaimed property (A8): never revenue."""

    event: Literal["unclaimed"] = "unclaimed"
    id: Identifier
    contract: Identifier
    on: Day
    grant: Identifier
    law: str = Field(min_length=1)


class CarriedUse(Value):
    """A shortfall that was carried forward is used (C7)."""

    event: Literal["carried_use"] = "carried_use"
    id: Identifier
    contract: Identifier
    on: Day
    grant: Identifier
    amount: Positive


class _Judged(Value):
    """What a person judges: why, by whom, and who approved it."""

    id: Identifier
    contract: Identifier
    on: Day
    reason: str = Field(min_length=1)
    by: Identifier
    approved_by: Identifier

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.by == self.approved_by:
            raise ValueError(f"{self.by} may not approve an event of their own")
        return self


class Remittance(_Judged):
    """Sales tax of a contract's invoices is paid to its authority (G1); `reason` names the return."""

    event: Literal["remittance"] = "remittance"
    amount: Positive


class Allowance(_Judged):
    """What of a contract's receivables is not expected to be paid (H1): the whole of it, not what is added."""

    event: Literal["allowance"] = "allowance"
    expected_loss: NotNegative
    evidence: str = Field(min_length=1)  # the aging and the rates of loss it was worked out from


class WriteOff(_Judged):
    """A receivable will not be paid (H2). `tax` is the part of it whose tax the authority gives back."""

    event: Literal["write_off"] = "write_off"
    invoice: Identifier
    amount: Positive  # with its tax
    tax: NotNegative = ZERO

    @model_validator(mode="after")
    def _tax_is_a_part(self) -> Self:
        if self.tax > self.amount:
            raise ValueError(f"the tax {self.tax} is more than what is written off, {self.amount}")
        return self


class Recovery(_Judged):
    """Money comes for what was written off (H3). `fee` is what the processor or collector kept of it."""

    event: Literal["recovery"] = "recovery"
    invoice: Identifier
    amount: Positive
    fee: NotNegative = ZERO

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.fee > self.amount:
            raise ValueError(f"the fee {self.fee} is more than what came, {self.amount}")
        return self


class BalanceUse(_Judged):
    """An invoice takes what the customer's balance holds (E4)."""

    event: Literal["balance_use"] = "balance_use"
    invoice: Identifier
    amount: Positive


class Refund(_Judged):
    """Money goes back to the customer (E3): of their balance, or of what a termination or an expiry left to refund."""

    event: Literal["refund"] = "refund"
    of: Literal["balance", "liability"]
    amount: Positive


Event = Annotated[
    Payment
    | Estimate
    | Termination
    | Expiry
    | Unclaimed
    | CarriedUse
    | Remittance
    | Allowance
    | WriteOff
    | Recovery
    | BalanceUse
    | Refund,
    Field(discriminator="event"),
]
"""One fact; the key `event` says which."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
