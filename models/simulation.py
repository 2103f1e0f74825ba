"""Simulation: what a change of rates or terms would have moved on one customer's statement."""

from typing import Self

from pydantic import model_validator

from models.money import Currency, total
from models.period import Month
from models.statement import LineKind
from models.usage import Dimensions, Identifier
from models.value import Exact, Value


class Moved(Value):
    """What one place on the statement comes to before and after: equal kind, meter and dimensions, or clause.

    Places are compared, not line ids: a proposed price has other versions, tiers and slices than the one in force.
    """

    kind: LineKind
    name: Identifier  # the meter; where none stands behind the line, its clause
    dimensions: Dimensions = {}
    before: Exact
    after: Exact
    difference: Exact  # after - before: above zero the customer pays more


class Difference(Value):
    """One customer's period before and after, in the currency's minor unit; `moved` holds only what differs."""

    customer: Identifier
    contract: Identifier
    period: Month
    currency: Currency
    before: Exact
    after: Exact
    difference: Exact
    moved: tuple[Moved, ...]

    @model_validator(mode="after")
    def _ties(self) -> Self:
        if self.difference != self.after - self.before or self.difference != total(
            one.difference for one in self.moved
        ):
            raise ValueError(f"what moves on {self.contract} {self.period} does not sum to {self.difference}")
        return self
