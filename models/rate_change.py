"""Rate changes: a proposal beside what the catalog says, its simulation, and the steps it takes."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from models.money import ZERO, Currency
from models.period import Month
from models.rate_card import RateVersion
from models.usage import Identifier
from models.value import Exact, Instant, Value, canonical_json, decimal_text, fingerprint_of, instant_text


class ChangeKind(StrEnum):
    """What a proposal does to the catalog."""

    FIRST = "first"  # the catalog has no version of this rate at that instant
    LATER = "later"  # a version that begins where another one was in force
    CORRECTION = "correction"  # the version of the same key, with another price: known later, in force since the same


class ChangeStep(StrEnum):
    """The steps of a rate change, each taken once."""

    PROPOSED = "proposed"
    SIMULATED = "simulated"
    APPROVED = "approved"
    REJECTED = "rejected"
    REFUSED = "refused"  # a rule said no when it was to be put into the catalog
    IN_FORCE = "in_force"
    NEEDS_CORRECTION = "needs_correction"  # in force, and a locked period was billed at the version before
    CORRECTED = "corrected"  # what was billed without it is made good


ENDED = frozenset({ChangeStep.REJECTED, ChangeStep.REFUSED, ChangeStep.IN_FORCE, ChangeStep.CORRECTED})
"""Steps after which nobody waits. What needs a correction stays in the inbox: somebody must make it."""


class RateProposal(Value):
    """A rate version that a table or a person says should be in the catalog, beside the version known there now.

    The same difference from the same table is one proposal, however often it is found.
    """

    table: Identifier  # genai-prices, litellm, model-prices, or file: a person's own
    dated: bool = True  # false: the table does not say since when
    version: RateVersion
    known: RateVersion | None = None  # in force in the catalog at that instant, as known when proposed

    @field_validator("version", "known")
    @classmethod
    def _alone(cls, version: RateVersion | None) -> RateVersion | None:
        return version.bare() if version is not None else None

    @model_validator(mode="after")
    def _is_a_difference(self) -> Self:
        if self.known is not None and self.known.subject != self.version.subject:
            raise ValueError(f"{self.known.subject} is not the rate proposed: {self.version.subject}")
        if self.known is not None and self.known.same_price(self.version):
            raise ValueError("the catalog says so already")
        return self

    @property
    def kind(self) -> ChangeKind:
        """What it does to the catalog."""
        if self.known is None:
            return ChangeKind.FIRST
        return ChangeKind.CORRECTION if self.known.starts_at == self.version.starts_at else ChangeKind.LATER

    @property
    def id(self) -> str:
        """The proposal's business key, 16 hex digits of what it says; without the day it was found on."""
        version = self.version
        said = {
            "table": self.table,
            "subject": version.subject,
            "from": instant_text(version.starts_at) if self.dated else None,
            "price": [decimal_text(version.amount), decimal_text(version.per), version.currency],
            "known": self.known.fingerprint() if self.known else None,
        }
        return fingerprint_of(canonical_json(said))[:16]


class Moved(Value):
    """One customer's month rated with the catalog as it stands, and with the proposed version beside it."""

    customer: Identifier
    month: Month
    currency: Currency
    now: Exact  # booked totals, in the currency
    then: Exact
    lines: int = Field(ge=0)  # what is billed for: clauses, meters and dimensions whose exact amount moves
    locked: bool = False  # the accounting period is locked
    invoiced: bool = False

    @property
    def delta(self) -> Exact:
        """How much more (less, when negative) the customer pays."""
        return self.then - self.now


class NotRated(Value):
    """A customer's month that a rule refused to rate again."""

    customer: Identifier
    month: Month
    why: str


class Simulation(Value):
    """What a proposed version changes over kept, reconciled usage. It writes no statement."""

    proposal: Identifier
    months: tuple[Month, ...]
    rated: int = Field(ge=0)  # customer months with kept usage whose contract asks the card
    moved: tuple[Moved, ...] = ()
    refused: tuple[NotRated, ...] = ()
    unkept: tuple[Month, ...] = ()  # months of which no customer has kept usage yet

    def money(self) -> dict[str, Exact]:
        """Return how much more (less, when negative) all customers pay, by currency."""
        sums: dict[str, Exact] = {}
        for one in self.moved:
            sums[one.currency] = sums.get(one.currency, ZERO) + one.delta
        return dict(sorted(sums.items()))


class StepTaken(Value):
    """One step of a rate change: which, when, by whom, and in words."""

    proposal: Identifier
    step: ChangeStep
    at: Instant
    person: Identifier | None = None
    detail: str = ""
    simulation: Simulation | None = None


class ChangeView(Value):
    """A proposal with where it stands, as people read it."""

    id: Identifier
    proposal: RateProposal
    proposed_by: Identifier
    proposed_at: Instant
    steps: tuple[StepTaken, ...] = ()

    @property
    def step(self) -> ChangeStep:
        """The last step taken."""
        return self.steps[-1].step if self.steps else ChangeStep.PROPOSED

    @property
    def simulation(self) -> Simulation | None:
        """The newest simulation, or None."""
        return next((one.simulation for one in reversed(self.steps) if one.simulation), None)


class KnownRate(Value):
    """A rate version with both its times, and who answers for it."""

    version: RateVersion
    effective_until: Instant | None  # excluded; None: until another begins
    recorded_at: Instant
    recorded_until: Instant | None  # excluded; None: this is what is known now
    proposed_by: Identifier
    approved_by: Identifier
    position: int

    def holds(self, at: datetime) -> bool:
        """Return whether it is in force at an instant, by what it says itself."""
        return self.version.starts_at <= at and (self.effective_until is None or at < self.effective_until)

    def known(self, at: datetime) -> bool:
        """Return whether this was what was known at an instant."""
        return self.recorded_at <= at and (self.recorded_until is None or at < self.recorded_until)
