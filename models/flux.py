"""Flux: why a customer's product came to another amount than in the month before."""

from typing import Self

from pydantic import model_validator

from models.money import Currency, total
from models.period import Month
from models.usage import Identifier
from models.value import Exact, NotNegative, Value


class FluxThreshold(Value):
    """From which change on a person explains it: the greater of an amount and a share of the month before."""

    absolute: NotNegative  # in the statements' currency
    ratio: NotNegative


class FluxRow(Value):
    """One customer and product beside the month before; every part is in the currency, and the parts are the change."""

    customer: Identifier
    product: Identifier  # the meter, or the clause of what has none
    currency: Currency
    prior: Exact
    this: Exact
    volume: Exact  # more or fewer units, at the average price of before
    mix: Exact  # other shares of its dimensions, at their prices of before
    price: Exact  # another price a unit, for the units of now; for what has no units, another amount
    new: Exact  # what was not there before
    lost: Exact  # what is not there any more: below zero
    late: Exact  # lines with the service dates of earlier months, now less before
    material: bool  # past the threshold

    @property
    def change(self) -> Exact:
        """This month less the month before."""
        return self.this - self.prior

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        parts = total((self.volume, self.mix, self.price, self.new, self.lost, self.late))
        if parts != self.change:
            raise ValueError(f"the parts of {self.customer} {self.product} sum to {parts}, not {self.change}")
        return self


class Flux(Value):
    """A month beside another, by customer and product."""

    prior: Month
    this: Month
    threshold: FluxThreshold
    rows: tuple[FluxRow, ...]
