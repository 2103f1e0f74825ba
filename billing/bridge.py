"""Bridge: the way from one statement's total to the next one's, in steps that sum to the change to the cent."""

from typing import Self

from pydantic import model_validator

from billing.flux import DEFAULT_THRESHOLD, flux
from models.flux import FluxRow
from models.money import Currency, total
from models.period import Month
from models.statement import LineKind, Statement
from models.value import Exact, Value

PARTS = {
    "volume": "How much was used",
    "mix": "How it was used",
    "price": "Prices",
    "new": "New",
    "lost": "No longer there",
    "late": "Reported late",
}
KINDS = {
    LineKind.COMMITMENT: "Commitments billed",
    LineKind.CREDIT_PURCHASE: "Credit bought",
    LineKind.POOL_DRAW: "Paid by commitments",
    LineKind.CREDIT_DRAW: "Paid by credits",
    LineKind.TAX: "Tax",
}


class BridgeStep(Value):
    """Why, and by how much."""

    name: str
    amount: Exact


class Bridge(Value):
    """Two months' totals and the steps between; `rows` tells the first steps by product."""

    prior: Month
    this: Month
    currency: Currency
    first: Exact
    steps: tuple[BridgeStep, ...]
    last: Exact
    rows: tuple[FluxRow, ...]

    @model_validator(mode="after")
    def _leads_there(self) -> Self:
        if self.first + total(step.amount for step in self.steps) != self.last:
            raise ValueError(f"the steps from {self.prior} to {self.this} do not lead from {self.first} to {self.last}")
        return self

    @property
    def change(self) -> Exact:
        """The later total less the earlier."""
        return self.last - self.first


def bridge(prior: Statement, this: Statement) -> Bridge:
    """Return the way from a month's statement to the next month's, of one customer and currency.

    Raises:
        ValueError: the steps do not lead there; a line is in none of them.
    """
    rows = flux([prior], [this], this.period, DEFAULT_THRESHOLD).rows
    steps = [(words, total(getattr(row, part) for row in rows)) for part, words in PARTS.items()]
    steps += [(words, _of(this, kind) - _of(prior, kind)) for kind, words in KINDS.items()]
    return Bridge(
        prior=prior.period,
        this=this.period,
        currency=this.currency,
        first=prior.total,
        steps=tuple(BridgeStep(name=name, amount=amount) for name, amount in steps if amount),
        last=this.total,
        rows=tuple(row for row in rows if row.change),
    )


def totals_by_kind(statement: Statement) -> tuple[BridgeStep, ...]:
    """Return how a total is made up: usage, what pools and credits paid of it, what was bought, tax; sums to it."""
    words = {
        "Usage": (LineKind.USAGE, LineKind.OVERAGE, LineKind.INCLUDED, LineKind.EXCLUDED),
        "Fees": (LineKind.FEE,),
        "Discounts and caps": (LineKind.DISCOUNT, LineKind.MAXIMUM),
        "Minimums and shortfalls": (LineKind.MINIMUM, LineKind.SHORTFALL),
        "Commitments billed": (LineKind.COMMITMENT,),
        "Credit bought": (LineKind.CREDIT_PURCHASE,),
        "Paid by commitments": (LineKind.POOL_DRAW,),
        "Paid by credits": (LineKind.CREDIT_DRAW,),
        "Corrections": (LineKind.CORRECTION,),
        "Tax": (LineKind.TAX,),
    }
    found = [(name, total(_of(statement, kind) for kind in kinds), kinds) for name, kinds in words.items()]
    there = {line.kind for line in statement.lines}
    return tuple(BridgeStep(name=name, amount=amount) for name, amount, kinds in found if there & set(kinds))


def _of(statement: Statement, kind: LineKind) -> Exact:
    return total(line.amount for line in statement.lines if line.kind is kind)
