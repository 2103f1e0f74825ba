"""Periods: half-open spans of time, and the calendar months of a zone."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.relativedelta import relativedelta
from pydantic import AfterValidator, model_validator

from models.value import Instant, Value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise ValueError(f"expected a time zone such as America/New_York, got {name!r}") from None
    return name


def _month(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text):
        raise ValueError(f"expected a month such as 2026-10, got {text!r}")
    return text


Zone = Annotated[str, AfterValidator(_zone)]
Month = Annotated[str, AfterValidator(_month)]
"""A calendar month as text, 2026-10."""


class Period(Value):
    """The instants from `starts_at` up to, not including, `ends_at`."""

    starts_at: Instant
    ends_at: Instant

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError(f"a period ends after it starts: {self}")
        return self

    def __contains__(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at

    def overlap(self, other: "Period") -> "Period | None":
        """Return the instants both hold, or None."""
        starts_at, ends_at = max(self.starts_at, other.starts_at), min(self.ends_at, other.ends_at)
        return Period(starts_at=starts_at, ends_at=ends_at) if starts_at < ends_at else None

    def __str__(self) -> str:
        return f"[{self.starts_at.isoformat()}, {self.ends_at.isoformat()})"


def midnight(day: date, zone: str) -> datetime:
    """Return the instant at which a local day begins, its offset computed on its own."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def local_day(at: datetime, zone: str) -> date:
    """Return the calendar day of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date()


def first_day(month: str) -> date:
    """Return the first day of a month given as 2026-10; raises ValueError on other text."""
    return date.fromisoformat(f"{_month(month)}-01")


def next_month(month: str, count: int = 1) -> str:
    """Return the month `count` months later (earlier when negative)."""
    moved: date = first_day(month) + relativedelta(months=count)
    return moved.strftime("%Y-%m")


def month_of(day: date) -> str:
    """Return the month a day lies in, as 2026-10."""
    return day.strftime("%Y-%m")


def month_period(month: str, zone: str) -> Period:
    """Return a calendar month of a zone; DST months have 743 or 745 hours."""
    return days_period(first_day(month), first_day(next_month(month)), zone)


def days_period(starts_on: date, ends_on: date, zone: str) -> Period:
    """Return the local days from `starts_on` up to, not including, `ends_on`."""
    return Period(starts_at=midnight(starts_on, zone), ends_at=midnight(ends_on, zone))


def months_between(first: str, last: str) -> Iterator[str]:
    """Yield the months from `first` to `last`, both included."""
    month = _month(first)
    while month <= last:
        yield month
        month = next_month(month)


def hour_of(at: datetime) -> datetime:
    """Return the UTC hour an instant lies in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def bucket_starts(period: Period, cuts: tuple[datetime, ...] = ()) -> tuple[datetime, ...]:
    """Return the starts of a period's buckets: its own start, each UTC hour in it, and each cut in it."""
    starts = {period.starts_at, *(cut for cut in cuts if cut in period)}
    hour = hour_of(period.starts_at) + timedelta(hours=1)
    while hour < period.ends_at:
        starts.add(hour)
        hour += timedelta(hours=1)
    return tuple(sorted(starts))
