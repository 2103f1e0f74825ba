"""Spread: what a statement billed for usage, over the days it was used on; every line's days sum to the line.

A line is rated once for its whole slice of the month, so a day has no amount of its own: each line's booked amount is
split by the day's share of its quantity (`models.money.split`), and nothing is lost. All of it stands before pools,
credits and minimums.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from pydantic import Field

from models.draft import DayOfLine
from models.money import Currency, split, total
from models.period import local_day
from models.statement import LineKind, RatedLine, Statement
from models.usage import Dimensions, UsageLine
from models.value import Day, Exact, Instant, Value

USED = frozenset({LineKind.USAGE, LineKind.OVERAGE, LineKind.INCLUDED, LineKind.EXCLUDED})
MOST_GROUPS = 9
OTHER = "other"
COMPONENT = "component"
"""To group by the meter, in place of a dimension."""


class Group(Value):
    """Days summed by one word: a value a day in the order of the view's days, and the whole."""

    name: str
    amounts: tuple[Exact, ...]
    quantities: tuple[Exact, ...]
    unit: str | None  # the meter, where all of it is of one
    quantity: Exact
    amount: Exact


class UsageView(Value):
    """A month's usage by day and group: what a page draws and lists. The groups' amounts sum to `subtotal`."""

    days: tuple[Day, ...]
    by: str
    currency: Currency
    groups: tuple[Group, ...] = Field(max_length=MOST_GROUPS + 1)
    day_totals: tuple[Exact, ...]
    subtotal: Exact


def days_of(statement: Statement, usage: Iterable[UsageLine]) -> tuple[DayOfLine, ...]:
    """Return each usage line of a statement by the contract's days; a line whose usage is not given has none."""
    by_meter: dict[str, list[UsageLine]] = {}
    for one in usage:
        by_meter.setdefault(one.meter, []).append(one)
    found: list[DayOfLine] = []
    for line in statement.lines:
        if line.kind in USED and line.meter is not None:
            found += _days(line, statement, by_meter.get(line.meter, ()))
    return tuple(found)


class Hour(Value):
    """What was used in an hour of one day, of one meter and set of dimensions."""

    starts_at: Instant
    meter: str
    dimensions: Dimensions
    quantity: Exact
    events: int
    source: str


def hours_of(usage: Iterable[UsageLine], day: date, zone: str) -> tuple[Hour, ...]:
    """Return the usage of one day of a zone by hour, as it was reconciled; quantities alone, an hour has no price."""
    return tuple(
        Hour(
            starts_at=one.starts_at,
            meter=one.meter,
            dimensions=one.dimensions,
            quantity=one.quantity,
            events=one.events,
            source=one.source,
        )
        for one in sorted(usage, key=lambda one: (one.starts_at, one.meter, sorted(one.dimensions.items())))
        if local_day(one.starts_at, zone) == day
    )


def view_of(days: Sequence[DayOfLine], by: str, currency: str, only: Mapping[str, str] | None = None) -> UsageView:
    """Return days by group: `by` is a dimension, or `component` for the meter; `only` keeps what has these values.

    Nine groups, the largest first, and `other`. What lacks the dimension is in the group of its meter.
    """
    kept = [one for one in days if all(_word(one, name) == value for name, value in (only or {}).items())]
    shown = tuple(sorted({one.day for one in kept}))
    sums: dict[str, Decimal] = {}
    for one in kept:
        name = _word(one, by)
        sums[name] = sums.get(name, Decimal(0)) + one.amount
    largest = sorted(sums, key=lambda name: (-sums[name], name))
    own = set(largest[:MOST_GROUPS])
    names = [*largest[:MOST_GROUPS], *([OTHER] if len(largest) > MOST_GROUPS else [])]
    groups = tuple(
        _group(name, [one for one in kept if (_word(one, by) if _word(one, by) in own else OTHER) == name], shown)
        for name in names
    )
    return UsageView(
        days=shown,
        by=by,
        currency=currency,
        groups=groups,
        day_totals=tuple(total(group.amounts[place] for group in groups) for place in range(len(shown))),
        subtotal=total(group.amount for group in groups),
    )


def _days(line: RatedLine, statement: Statement, usage: Sequence[UsageLine]) -> list[DayOfLine]:
    mine = [one for one in usage if one.starts_at in line.service and line.dimensions.items() <= one.dimensions.items()]
    quantities: dict[date, Decimal] = {}
    events: dict[date, int] = {}
    for one in mine:
        day = local_day(one.starts_at, statement.timezone)
        quantities[day] = quantities.get(day, Decimal(0)) + one.quantity
        events[day] = events.get(day, 0) + one.events
    if not quantities:
        return []
    order = sorted(quantities)
    weights = [max(quantities[day], Decimal(0)) for day in order]
    amounts = split(line.amount, weights, statement.currency)
    return [
        DayOfLine(
            line=line.id,
            since=line.service.starts_at,
            day=day,
            meter=line.meter or "",
            dimensions=line.dimensions,
            quantity=quantities[day],
            events=events[day],
            amount=amount,
        )
        for day, amount in zip(order, amounts, strict=True)
    ]


def _word(one: DayOfLine, by: str) -> str:
    return one.meter if by == COMPONENT else one.dimensions.get(by, one.meter)


def _group(name: str, days: Sequence[DayOfLine], shown: Sequence[date]) -> Group:
    amounts = [total(one.amount for one in days if one.day == day) for day in shown]
    meters = {one.meter for one in days}
    single = next(iter(meters)) if len(meters) == 1 else None
    # Two lines of one meter (covered by a pool, past it) share each day's usage: it is counted once.
    seen = {(one.meter, tuple(sorted(one.dimensions.items())), one.since, one.day): one.quantity for one in days}
    quantities = [
        total(quantity for (_, _, _, on), quantity in seen.items() if on == day) if single else Decimal(0)
        for day in shown
    ]
    return Group(
        name=name,
        amounts=tuple(amounts),
        quantities=tuple(quantities),
        unit=single,
        quantity=total(quantities),
        amount=total(amounts),
    )
