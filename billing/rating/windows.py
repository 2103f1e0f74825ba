"""Windows: the half-open spans a clause counts in, of weeks, months, quarters, years or the term."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from models.period import Period, days_period
from models.price import Every

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Life:
    """The local days a clause stands, inside its contract's term; a contract's anchor day, if it has one."""

    term_starts_on: date
    term_ends_on: date
    starts_on: date
    ends_on: date
    zone: str
    anchor: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A clause's window in local days, the last excluded; `whole_*` are its bounds before a term cut it.

    `index` counts the windows of the clause from 0.
    """

    index: int
    starts_on: date
    ends_on: date
    whole_starts_on: date
    whole_ends_on: date
    span: Period

    @property
    def partial(self) -> bool:
        """Whether the term (or an amendment) cut it short."""
        return (self.starts_on, self.ends_on) != (self.whole_starts_on, self.whole_ends_on)


def anchored(first: date, months: int) -> date:
    """Return the day so many months after the first, the anchor's day of month kept where the month has it.

    >>> [anchored(date(2026, 1, 31), months).isoformat() for months in (1, 2)]
    ['2026-02-28', '2026-03-31']
    """
    day: date = first + relativedelta(months=months)
    return day


@lru_cache(maxsize=4096)
def windows_of(every: Every, align: str | None, life: Life) -> tuple[Window, ...]:
    """Return a clause's windows in order, cut to the days in which it stands.

    Weeks and months are the calendar's (a month on the anchor day when there is one), with a first stub. Quarters
    and years count calendar months from the term's start; `align` turns either into the other.
    """
    found: list[Window] = []
    for whole_start, whole_end in _bounds(every, align, life):
        first, last = max(whole_start, life.starts_on), min(whole_end, life.ends_on)
        if first < last:
            span = days_period(first, last, life.zone)
            found.append(Window(len(found), first, last, whole_start, whole_end, span))
    return tuple(found)


def window_at(windows: tuple[Window, ...], at: datetime) -> Window | None:
    """Return the window that holds an instant, or None."""
    return next((window for window in windows if at in window.span), None)


def _bounds(every: Every, align: str | None, life: Life) -> Iterator[tuple[date, date]]:
    if every == "term":
        yield min(life.term_starts_on, life.starts_on), max(life.term_ends_on, life.ends_on)
        return
    aligned = align or ("calendar" if every in ("week", "month") else "term")
    origin = life.term_starts_on if aligned == "term" else _calendar_origin(every, life)
    step = 0
    while (start := _step(every, origin, step)) < life.ends_on:
        step += 1
        yield start, _step(every, origin, step)


def _step(every: Every, origin: date, step: int) -> date:
    return origin + timedelta(weeks=step) if every == "week" else anchored(origin, step * _MONTHS[every])


def _calendar_origin(every: Every, life: Life) -> date:
    first = life.term_starts_on
    if every == "week":
        return first - timedelta(days=first.weekday())
    if every == "month" and life.anchor is not None:
        return date(first.year - 1, 1, life.anchor)  # January has 31 days: an anchor of 31 is kept in every month
    if every == "month":
        return first.replace(day=1)
    if every == "quarter":
        return date(first.year, 3 * ((first.month - 1) // 3) + 1, 1)
    return date(first.year, 1, 1)
