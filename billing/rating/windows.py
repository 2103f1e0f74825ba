"""Windows: the half-open spans in which a clause's amounts and units count, of weeks, months, quarters, years or the term."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from models.contract import Contract
from models.period import Period, days_period
from models.price import Every

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Window:
    """A clause's window in local days, the last excluded; `whole_*` are its bounds before the term cut it."""

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

    def holds(self, at: datetime) -> bool:
        """Return whether an instant lies in it."""
        return at in self.span


def anchored(first: date, months: int) -> date:
    """Return the day so many months after the first, the anchor's day of month kept where the month has it.

    >>> [anchored(date(2026, 1, 31), months).isoformat() for months in (1, 2)]
    ['2026-02-28', '2026-03-31']
    """
    day: date = first + relativedelta(months=months)
    return day


def windows_of(
    every: Every,
    align: str | None,
    contract: Contract,
    starts_on: date,
    ends_on: date,
    anchor: int | None = None,
) -> Iterator[Window]:
    """Yield a clause's windows in order, cut to the days [starts_on, ends_on) in which the clause stands.

    Weeks and months are the calendar's (a month on `anchor` when one is given), with a first stub. Quarters and
    years count calendar months from the term's start; `align` turns either into the other.
    """
    for index, (whole_start, whole_end) in enumerate(_bounds(every, align, contract, starts_on, ends_on, anchor)):
        first, last = max(whole_start, starts_on), min(whole_end, ends_on)
        if first < last:
            span = days_period(first, last, contract.timezone)
            yield Window(index, first, last, whole_start, whole_end, span)


def _bounds(
    every: Every, align: str | None, contract: Contract, starts_on: date, ends_on: date, anchor: int | None
) -> Iterator[tuple[date, date]]:
    term = contract.term
    if every == "term":
        yield min(term.starts_on, starts_on), max(term.ends_on, ends_on)
        return
    aligned = align or ("calendar" if every in ("week", "month") else "term")
    origin = term.starts_on if aligned == "term" else _calendar_origin(every, term.starts_on, anchor)
    step = 0
    while (start := _step(every, origin, step)) < ends_on:
        yield start, _step(every, origin, step + 1)
        step += 1


def _step(every: Every, origin: date, step: int) -> date:
    return origin + timedelta(weeks=step) if every == "week" else anchored(origin, step * _MONTHS[every])


def _calendar_origin(every: Every, first: date, anchor: int | None) -> date:
    if every == "week":
        return first - timedelta(days=first.weekday())
    if every == "year":
        return date(first.year, 1, 1)
    if every == "quarter":
        return date(first.year, 3 * ((first.month - 1) // 3) + 1, 1)
    if anchor is None:
        return first.replace(day=1)
    # January has 31 days: an anchor of 31 keeps its day through every later month.
    origin = date(first.year - 1, 1, anchor)
    months = 0
    while anchored(origin, months + 1) <= first:
        months += 1
    return _AnchoredDay(origin, months).day if anchor <= 28 else anchored(origin, months)


@dataclass(frozen=True, slots=True)
class _AnchoredDay:
    origin: date
    months: int

    @property
    def day(self) -> date:
        return anchored(self.origin, self.months)
