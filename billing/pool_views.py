"""Pool views: a commitment, credit or allowance as its owner reads it: how much is used, and how long it lasts."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from itertools import groupby

from billing.pools import FLOORS, OPENING, PoolRow
from models.money import total
from models.period import Month, Period, first_day, month_of, next_month
from models.value import Day, Exact, Value

ENOUGH_MONTHS = 3
RECENT_MONTHS = 6
MOST_MONTHS = 24


class Outlook(Value):
    """When a pool is used up if months go on as the recent ones did: at the fastest and at the slowest of them.

    None for an end: it outlasts its window at that pace. Only draws count; what was added is no slower pace.
    """

    fastest: Exact  # drawn in the month that drew most
    slowest: Exact
    months: int
    earliest: Day | None
    latest: Day | None
    low: tuple[Exact, ...]  # what would be left at the end of each month to come, at the fastest
    high: tuple[Exact, ...]  # and at the slowest


class Running(Value):
    """The month that runs still, and the day up to which it counts; it is no whole month to judge a pace by."""

    month: Month
    on: Day


class Runway(Value):
    """How long what is left of a pool lasts from a day on, at the fastest and at the slowest recent whole month.

    None for an end: it outlasts its window at that pace.
    """

    since: Day
    months: int
    earliest: Day | None
    latest: Day | None


class PoolView(Value):
    """One window of a pool: granted + what it opened with = committed; used and left of it."""

    pool: str
    kind: str
    unit: str
    window: Period
    rows: tuple[PoolRow, ...]
    straight: tuple[Exact, ...]  # what would be left at the end of each row's month, were each day to use the same
    committed: Exact
    used: Exact
    expired: Exact
    left: Exact
    percent_used: int  # rounded down: 100 is used up, not nearly
    outlook: Outlook | None  # None: too few months, or nothing left

    @property
    def floor(self) -> bool:
        """Whether it counts towards a floor: `left` is then what is still missing."""
        return self.kind in FLOORS


def views_of(rows: Sequence[PoolRow]) -> tuple[PoolView, ...]:
    """Return each pool's windows, newest window first within a pool."""
    keyed = sorted(rows, key=lambda row: (row.pool, row.window.starts_at))
    views = [_view(tuple(group)) for _, group in groupby(keyed, key=lambda row: (row.pool, row.window.starts_at))]
    newest_first = sorted(views, key=lambda view: view.window.starts_at, reverse=True)
    return tuple(sorted(newest_first, key=lambda view: view.pool))


def counted_to(row: PoolRow, running: Running | None = None) -> date:
    """Return the day up to which a row counts: the end of its month, or today in the month that runs."""
    if running is not None and row.period == running.month:
        return running.on
    return first_day(next_month(row.period))


def runway(rows: Sequence[PoolRow], running: Running | None = None) -> Runway | None:
    """Return how long a window of a pool lasts after the last of its rows; None: too few months, or nothing left."""
    last = rows[-1]
    whole = [row for row in rows if row.period != OPENING and (running is None or row.period != running.month)]
    draws = [row.drawn for row in whole[-RECENT_MONTHS:]]
    if last.period == OPENING or len(draws) < ENOUGH_MONTHS or last.closing <= 0 or max(draws) == 0:
        return None
    since, ends = counted_to(last, running), last.window.ends_at.date()
    return Runway(
        since=since,
        months=len(draws),
        earliest=_used_up(last.closing, max(draws), since, ends),
        latest=_used_up(last.closing, min(draws), since, ends),
    )


def _view(rows: tuple[PoolRow, ...]) -> PoolView:
    first, last = rows[0], rows[-1]
    committed = first.opening + total(row.granted for row in rows)
    used = total(row.drawn for row in rows)
    percent = (used * 100 / committed).to_integral_value(ROUND_FLOOR) if committed else Decimal(100)
    return PoolView(
        pool=first.pool,
        kind=first.kind,
        unit=first.unit,
        window=first.window,
        rows=rows,
        straight=tuple(_straight(committed, first.window, row) for row in rows),
        committed=committed,
        used=used,
        expired=total(row.expired for row in rows),
        left=last.closing,
        percent_used=int(percent),
        outlook=_outlook(rows),
    )


def _outlook(rows: Sequence[PoolRow]) -> Outlook | None:
    months = [row for row in rows if row.period != OPENING][-RECENT_MONTHS:]
    draws = [row.drawn for row in months]
    if len(draws) < ENOUGH_MONTHS or rows[-1].closing == 0 or max(draws) == 0:
        return None
    after = first_day(next_month(months[-1].period))
    ends = rows[-1].window.ends_at.date()
    return Outlook(
        fastest=max(draws),
        slowest=min(draws),
        months=len(draws),
        earliest=_used_up(rows[-1].closing, max(draws), after, ends),
        latest=_used_up(rows[-1].closing, min(draws), after, ends),
        low=_goes_on(rows[-1].closing, max(draws), after, ends),
        high=_goes_on(rows[-1].closing, min(draws), after, ends),
    )


def _used_up(left: Decimal, monthly: Decimal, after: date, ends: date) -> date | None:
    if monthly == 0:
        return None
    days = int((left * 365 / (monthly * 12)).to_integral_value(ROUND_FLOOR))
    on = after + timedelta(days=days)
    return on if on < ends else None


def _goes_on(left: Decimal, monthly: Decimal, after: date, ends: date) -> tuple[Decimal, ...]:
    """Return what is left now and at the end of each month to come, down to nothing, up to the window's end."""
    found, month = [left], after
    while month < ends and found[-1] > 0 and len(found) <= MOST_MONTHS:
        found.append(max(found[-1] - monthly, Decimal(0)))
        month = first_day(next_month(month_of(month)))
    return tuple(found)


def _straight(committed: Decimal, window: Period, row: PoolRow) -> Decimal:
    if row.period == OPENING:
        return committed
    whole = (window.ends_at - window.starts_at).days or 1
    gone = (first_day(next_month(row.period)) - window.starts_at.date()).days
    return max(committed * (whole - gone) / whole, Decimal(0)).quantize(Decimal("0.01"))
