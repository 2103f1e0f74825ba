"""Parallel run: what we rate beside what was really billed, every cent of difference on a line with a name."""

from typing import Self

from pydantic import Field, model_validator

from models.money import Currency, rounded, total
from models.usage import Identifier
from models.value import Exact, Value


class BilledLine(Value):
    """A line of an invoice another system sent. `line` is a meter, a clause's id or our line's description."""

    customer: Identifier
    line: str = Field(min_length=1)
    amount: Exact
    currency: Currency

    @model_validator(mode="after")
    def _is_booked(self) -> Self:
        if self.amount != rounded(self.amount, self.currency):
            raise ValueError(f"{self.amount} is finer than the minor unit of {self.currency}")
        return self


class ComparedLine(Value):
    """One line of one customer on both sides; `difference` is ours less what was billed."""

    customer: Identifier
    currency: Currency
    line: str
    rated: Exact
    billed: Exact
    difference: Exact
    why: str  # equal | differs | only rated | only billed


class Comparison(Value):
    """A month on both sides. The differences of its lines sum to the difference of its totals, by currency."""

    lines: tuple[ComparedLine, ...]
    rated: dict[str, Exact]
    billed: dict[str, Exact]
    difference: dict[str, Exact]

    @property
    def differing(self) -> tuple[ComparedLine, ...]:
        """The lines that are not the same amount on both sides."""
        return tuple(line for line in self.lines if line.difference)

    @model_validator(mode="after")
    def _names_every_cent(self) -> Self:
        for currency, difference in self.difference.items():
            named = total(line.difference for line in self.lines if line.currency == currency)
            if named != difference or self.rated[currency] - self.billed[currency] != difference:
                raise ValueError(f"{difference} {currency} of difference, of which {named} is named")
        return self
