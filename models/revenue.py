"""Revenue: what a month's statement earns now and later, what its invoice asks for, and each grant's roll-forward."""

from typing import Self

from pydantic import model_validator

from models.journal import Account, Rule
from models.money import Currency, rounded, total
from models.period import Month
from models.usage import Identifier
from models.value import Day, Exact, Value


class Movement(Value):
    """An amount from one account to another in one month, with its obligation and why: half a line of the journal.

    `amount` is debited to `debit` and credited to `credit`; negative where it goes the other way.
    """

    rule: Rule
    period: Month
    debit: Account
    credit: Account
    amount: Exact
    obligation: Identifier
    grant: Identifier | None = None
    meter: Identifier | None = None
    model: str | None = None
    rated_line: Identifier | None = None
    service_from: Day | None = None
    service_until: Day | None = None
    why: str


class GrantPosition(Value):
    """What is owed of a grant, at what was paid for it: opening + billed - drawn - expired = closing.

    Below zero where a commitment billed in installments was drawn ahead of them: then it is a contract asset.
    """

    grant: Identifier
    unit: str  # of its credits: a currency, or the meter for units
    credits_left: Exact
    opening: Exact
    billed: Exact
    drawn: Exact
    expired: Exact
    closing: Exact

    @model_validator(mode="after")
    def _rolls_forward(self) -> Self:
        if self.opening + self.billed - self.drawn - self.expired != self.closing:
            raise ValueError(f"grant {self.grant} does not roll forward: {self}")
        return self


class RevenueSchedule(Value):
    """The schedule of one statement: obligation x month x amount, and the reason for each.

    `rows` is revenue: of the statement's month (or before it), and of later months for fees billed ahead. `moved`
    earns nothing: promotional credit shown gross, one contract liability becoming another. `billed` is the invoice.
    """

    customer: Identifier
    contract: Identifier
    period: Month
    currency: Currency
    statement: str  # fingerprint
    rows: tuple[Movement, ...]
    moved: tuple[Movement, ...] = ()
    billed: tuple[Movement, ...] = ()
    grants: tuple[GrantPosition, ...] = ()
    deferred_opening: Exact  # fees billed and not yet earned, before this statement
    deferred_closing: Exact

    @model_validator(mode="after")
    def _is_booked(self) -> Self:
        for movement in (*self.rows, *self.moved, *self.billed):
            if movement.amount == 0 or movement.amount != rounded(movement.amount, self.currency):
                raise ValueError(f"a movement of {movement.amount} {self.currency}: {movement.why}")
        later = total(row.amount for row in (*self.rows, *self.moved) if self._is_deferred(row))
        if later != self.deferred_closing:
            raise ValueError(f"deferred fees of {self.deferred_closing} are scheduled for {later}")
        return self

    def _is_deferred(self, row: Movement) -> bool:
        return row.period > self.period and row.debit is Account.DEFERRED_TIME

    @property
    def now(self) -> tuple[Movement, ...]:
        """What is earned in the statement's month."""
        return tuple(row for row in self.rows if row.period <= self.period)

    @property
    def later(self) -> tuple[Movement, ...]:
        """What is earned in later months, of what is billed already."""
        return tuple(row for row in self.rows if row.period > self.period)

    @property
    def earned(self) -> Exact:
        """The revenue of the statement's month."""
        return total(row.amount for row in self.now)
