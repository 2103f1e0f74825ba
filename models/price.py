"""Price kinds: how a contract turns a quantity of one meter into an amount."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from models.money import Currency
from models.usage import Identifier
from models.value import Exact, NotNegative, Positive, Value


def _listed(raw: Any) -> Any:
    return tuple(raw) if isinstance(raw, list) else raw


Every = Literal["week", "month", "quarter", "year", "term"]
"""How often a window of a clause begins anew."""


class Convert(Value):
    """From units metered to units billed: the window's total divided, then rounded to so many digits."""

    divide: Positive = Decimal(1)
    round: Literal["up", "down", "half_up"] | None = None
    digits: int = Field(default=0, ge=0, le=12)

    @model_validator(mode="after")
    def _digits_need_rounding(self) -> Self:
        if self.digits and self.round is None:
            raise ValueError("`digits` says where to round, so `round` must say how: up, down or half_up")
        return self


class Tier(Value):
    """One step of a price: units up to and including `up_to`; None is the open end.

    `amount` is for `per` units, or for each started block of `size` units where the tier is sold in blocks.
    `flat` is owed once, as soon as the tier is reached.
    """

    up_to: Positive | None
    amount: NotNegative
    per: Positive = Decimal(1)
    flat: NotNegative = Decimal(0)
    size: Positive | None = None


def _ascending(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    if not tiers:
        raise ValueError("tiers need at least one step")
    if tiers[-1].up_to is not None:
        raise ValueError(f"the last tier ends at {tiers[-1].up_to}; it must be open: up_to: null")
    bounds = [tier.up_to for tier in tiers[:-1]]
    if any(bound is None for bound in bounds):
        raise ValueError("only the last tier may be open")
    closed = [bound for bound in bounds if bound is not None]
    if any(upper <= lower for lower, upper in pairwise(closed)):
        raise ValueError(f"tiers must ascend, these do not: {', '.join(map(str, closed))}")
    return tiers


class Metered(Value):
    """What every price of metered units may say."""

    convert: Convert | None = None
    free: NotNegative = Decimal(0)  # units after conversion that cost nothing, first in time
    currency: Currency | None = None  # None: the contract's


class UnitPrice(Metered):
    """`amount` for each `per` units."""

    kind: Literal["unit"]
    amount: NotNegative
    per: Positive = Decimal(1)


class Tiered(Metered):
    """What graduated and volume prices share."""

    tiers: Annotated[tuple[Tier, ...], BeforeValidator(_listed)]
    over: Literal["month", "quarter", "year", "term"] | None = None  # None or month: the billing period
    charge_flat_at_zero: bool = True
    restart_tiers_on_change: bool = False

    @model_validator(mode="after")
    def _tiers_ascend(self) -> Self:
        _ascending(self.tiers)
        return self


class GraduatedPrice(Tiered):
    """Each slice of the quantity at its own tier."""

    kind: Literal["graduated"]


class VolumePrice(Tiered):
    """All units at the tier the total reaches."""

    kind: Literal["volume"]


class PackagePrice(Metered):
    """`amount` for each package of `size` units, started packages counted whole (or not at all)."""

    kind: Literal["package"]
    amount: NotNegative
    size: Positive
    round: Literal["up", "down"] = "up"


class PercentagePrice(Value):
    """A ratio of the metered value plus a fixed part for each event; `min` and `max` bound one event's price."""

    kind: Literal["percentage"]
    rate: NotNegative
    fixed: NotNegative = Decimal(0)
    free_events: int = Field(default=0, ge=0)
    min: NotNegative | None = None
    max: NotNegative | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class PassThroughPrice(Metered):
    """The rate card's price at the usage's instant, times one plus the markup (a ratio: 0.08 is eight percent)."""

    kind: Literal["pass_through"]
    markup: Exact = Decimal(0)
    rate_card: Identifier | None = None  # None: the contract's

    @model_validator(mode="after")
    def _markup_leaves_a_price(self) -> Self:
        if self.markup < -1:
            raise ValueError(f"a markup of {self.markup} makes the price negative")
        if self.currency is not None:
            raise ValueError("a pass-through price has the currency of its rate version")
        return self


class CliffsPrice(Metered):
    """A provider's steps: past a threshold, all units of that one request pay the step's price."""

    kind: Literal["cliffs"]
    tiers: Annotated[tuple[Tier, ...], BeforeValidator(_listed)]

    @model_validator(mode="after")
    def _tiers_ascend(self) -> Self:
        _ascending(self.tiers)
        return self


class FlatPrice(Value):
    """One amount for the billing period, however much is used; no usage, no line."""

    kind: Literal["flat"]
    amount: NotNegative
    currency: Currency | None = None


Price = Annotated[
    UnitPrice
    | GraduatedPrice
    | VolumePrice
    | PackagePrice
    | PercentagePrice
    | PassThroughPrice
    | CliffsPrice
    | FlatPrice,
    Field(discriminator="kind"),
]
