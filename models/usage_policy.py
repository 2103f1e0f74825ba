"""Usage policy: what each source declares about itself, and which source speaks with authority."""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from pydantic import Field

from models.authority import Authority
from models.period import Zone
from models.refusal import Refusal
from models.usage import Identifier
from models.value import Instant, Positive, Value


class NoAuthority(Refusal):
    """No declared rule says which source speaks for a meter."""

    remedy = "Declare an authority for the meter; nothing is billed from a number nobody vouches for."


class UnitConversion(Value):
    """How a source's own unit becomes the meter's: quantity / divide."""

    unit: str = Field(alias="from")
    divide: Positive


class Freshness(Value):
    """How long after the newest thing a source has, earlier things may still arrive in it."""

    lag: timedelta = Field(default=timedelta(0), ge=timedelta(0), strict=False)  # such as PT6H


class SourcePolicy(Value):
    """What a source declares: grain, zone of its days, aliases, unit conversions, and the meters it carries."""

    grain: Literal["event", "day"]
    timezone: Zone = "UTC"
    scale: dict[str, int] = {}
    watermark: Instant | None = None  # complete up to here, by a person's word; for a source that fell silent
    freshness: Freshness = Freshness()
    aliases: dict[str, Identifier] = {}
    units: dict[str, UnitConversion] = {}
    match: str = Field(default="id", pattern=r"^[A-Za-z_$][A-Za-z0-9_$.]*$")  # id, or the dimension that names an event
    carries: tuple[str, ...] = ("*",)

    def complete_up_to(self, newest: datetime) -> datetime:
        """Return up to when a source is complete that has this as its newest: its lag before, or as declared."""
        behind = newest - self.freshness.lag if newest.timestamp() > 0 else newest  # the epoch: it has nothing yet
        return max(behind, self.watermark) if self.watermark else behind

    def carries_meter(self, meter: str) -> bool:
        """Return whether the source reports this meter at all."""
        return any(_matches(pattern, meter) for pattern in self.carries)


class UsagePolicy(Value):
    """The reconciliation policy file, tieout/policy/v1."""

    schema_: Literal["tieout/policy/v1"] = Field(default="tieout/policy/v1", alias="schema")
    timezone: Zone = "UTC"
    sources: dict[Identifier, SourcePolicy]
    authority: tuple[Authority, ...] = Field(min_length=1)

    def authority_for(self, customer: str, meter: str, day: date) -> Authority:
        """Return the narrowest rule that holds: customer, then meter, then the latest start, then file order.

        Raises:
            NoAuthority: no rule holds.
        """
        holding = [rule for rule in self.authority if rule.holds(customer, meter, day)]
        if not holding:
            raise NoAuthority("no authority is declared", customer=customer, meter=meter, day=day)
        return max(holding, key=lambda rule: (rule.customer is not None, rule.meter is not None, rule.starts_on))

    def order_for(self, customer: str, meter: str, day: date) -> tuple[str, ...]:
        """Return the sources that speak for a meter in order, without those that do not carry it."""
        rule = self.authority_for(customer, meter, day)
        order = tuple(name for name in rule.order if name in self.sources and self.sources[name].carries_meter(meter))
        if not order:
            raise NoAuthority("no declared source carries this meter", customer=customer, meter=meter, day=day)
        return order


@lru_cache(maxsize=4096)
def _matches(pattern: str, meter: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), meter) is not None
