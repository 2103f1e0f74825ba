"""Opening: where a running contract stands on the day its books are taken over, with the evidence for it."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.contract import Many
from models.money import ZERO, Currency, rounded, total
from models.usage import Identifier
from models.value import Day, Exact, NotNegative, Value

Place = tuple[str | int, ...]


def _at(place: Place, what: str) -> PydanticCustomError:
    """Return the error of a place inside, for a check that only the whole can make."""
    return PydanticCustomError("unbalanced", "{what}", {"what": what, "place": place})


class OpeningEvidence(Value):
    """What an opening position was read from: a document with its SHA-256, or a note that says who knows and why."""

    document: str | None = Field(default=None, min_length=1)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    note: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.document is None) != (self.sha256 is None):
            raise ValueError("`document` and `sha256` belong together: a name alone proves nothing")
        if self.document is None and self.note is None:
            raise ValueError("evidence is a `document` with its `sha256`, or a `note`")
        return self


class OpeningPool(Value):
    """A commitment's or grant's window as the books before left it: carried + granted - drawn - expired remains.

    Amounts for money, units for units. `deferred` is what is still owed of it at what was paid for all of it, carried
    and granted (`cost`; None: what the contract says); nothing where nothing was paid. `from` is the window's first
    day; None: of the one that runs.
    """

    id: Identifier
    starts_on: Day | None = Field(default=None, alias="from")
    carried: NotNegative = ZERO
    granted: NotNegative
    drawn: NotNegative
    expired: NotNegative
    cost: NotNegative | None = None
    deferred: NotNegative = ZERO

    @property
    def closing(self) -> Exact:
        """What remains."""
        return self.carried + self.granted - self.drawn - self.expired

    @model_validator(mode="after")
    def _is_not_below_zero(self) -> Self:
        if self.closing < 0:
            raise ValueError(
                f"pool {self.id}: drawn {self.drawn} and expired {self.expired} pass what was there, "
                f"{self.carried + self.granted}"
            )
        return self


class OpeningAhead(Value):
    """What was billed of a fee or prepaid commitment for a window that is not over, and what of it is not earned."""

    id: Identifier
    starts_on: Day = Field(alias="from")
    ends_on: Day = Field(alias="until")
    billed: NotNegative
    deferred: NotNegative

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.ends_on <= self.starts_on:
            raise ValueError(f"{self.id}: until {self.ends_on} is not after {self.starts_on}")
        if self.deferred > self.billed:
            raise ValueError(f"{self.id}: deferred {self.deferred} is more than was billed, {self.billed}")
        return self


class OpeningBalances(Value):
    """What the contract's accounts hold: owed to the customer, earned and not invoiced, invoiced and not paid."""

    deferred: NotNegative
    unbilled: NotNegative
    receivable: NotNegative


class Opening(Value):
    """A contract's opening position: everything before `as_of` is in it, everything from that local day on is ours."""

    schema_: Literal["tieout/opening/v1"] = Field(alias="schema")
    contract: Identifier
    customer: Identifier
    currency: Currency
    as_of: Day
    evidence: Many[OpeningEvidence] = Field(min_length=1)
    pools: Many[OpeningPool] = ()
    ahead: Many[OpeningAhead] = ()
    balances: OpeningBalances

    @model_validator(mode="after")
    def _balances(self) -> Self:
        """Refuse what does not tie to itself: the parts that are deferred, and the total of them."""
        named = [one.id for one in self.pools]
        for index, name in enumerate(named):
            if name in named[:index]:
                raise _at(("pools", index, "id"), f"the pool {name} is there twice; one window of each is open")
        held = self.balances
        parts: dict[Place, Exact] = {("pools", index, "deferred"): one.deferred for index, one in enumerate(self.pools)}
        parts |= {("ahead", index, "deferred"): one.deferred for index, one in enumerate(self.ahead)}
        sums: dict[Place, Exact] = {("balances", name): getattr(held, name) for name in OpeningBalances.model_fields}
        for place, amount in (parts | sums).items():
            if amount != rounded(amount, self.currency):
                raise _at(place, f"{amount} is finer than the minor unit of {self.currency}")
        if total(parts.values()) != held.deferred:
            raise _at(
                ("balances", "deferred"),
                f"{held.deferred} is deferred in all; pools and what is billed ahead defer {total(parts.values())}",
            )
        return self

    @property
    def key(self) -> str:
        """The id of its journal entry: a contract is taken over once."""
        return f"opening/{self.contract}"
