"""Speaking: which source speaks for a meter over which span of a month, by the authority declared for each day."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from models.authority import Authority
from models.period import Period, local_day, midnight
from models.usage_policy import UsagePolicy


@dataclass(frozen=True)
class Span:
    """A part of a month in which one rule holds: the source that speaks first among those there are."""

    starts_at: datetime
    ends_at: datetime
    rule: Authority
    source: str

    def holds(self, at: datetime) -> bool:
        """Return whether an instant lies in the span."""
        return self.starts_at <= at < self.ends_at


def spans_of(
    policy: UsagePolicy, customer: str, meter: str, period: Period, sources: Collection[str]
) -> tuple[Span, ...]:
    """Return the spans of a month by the rule in force, in order; a rule begins and ends at the policy's midnight.

    Raises:
        NoAuthority: on some day nobody speaks for the meter.
    """
    zone = policy.timezone
    first = local_day(period.starts_at, zone)
    turns = {day for rule in policy.authority for day in (rule.starts_on, rule.ends_on) if day is not None}
    days = [first, *sorted(day for day in turns if day > first and midnight(day, zone) < period.ends_at)]
    spans: list[Span] = []
    for day, following in zip_longest(days, days[1:]):
        starts_at = max(midnight(day, zone), period.starts_at)
        ends_at = midnight(following, zone) if following else period.ends_at
        rule = policy.authority_for(customer, meter, day)
        order = [name for name in policy.order_for(customer, meter, day) if name in sources]
        if spans and (spans[-1].rule, spans[-1].source) == (rule, order[0]):
            spans[-1] = Span(spans[-1].starts_at, ends_at, rule, order[0])
        else:
            spans.append(Span(starts_at, ends_at, rule, order[0]))
    return tuple(spans)
