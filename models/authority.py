"""Authority: which source speaks for what, since when, declared by whom."""

from datetime import date

from pydantic import Field

from models.usage import Identifier
from models.value import Day, NotNegative, Value


class Tolerance(Value):
    """What a difference may be and still pass: at most max(absolute, ratio x the authority's quantity)."""

    absolute: NotNegative
    ratio: NotNegative


class Authority(Value):
    """An order of sources for a meter and customer over days; the narrowest rule wins."""

    order: tuple[Identifier, ...] = Field(min_length=1)
    tolerance: Tolerance
    declared_by: str
    reason: str = Field(min_length=1)
    starts_on: Day = Field(alias="from")
    ends_on: Day | None = Field(default=None, alias="until")
    meter: Identifier | None = None
    customer: Identifier | None = None

    def holds(self, customer: str, meter: str, day: date) -> bool:
        """Return whether the rule speaks for this customer and meter on this day."""
        return (
            self.customer in (None, customer)
            and self.meter in (None, meter)
            and self.starts_on <= day
            and (self.ends_on is None or day < self.ends_on)
        )
