"""Proration: the part of a window's amount for some of its days."""

from datetime import date
from decimal import Decimal
from typing import Literal

from billing.rating.exact import settled
from billing.rating.windows import Window

Prorate = Literal["actual_days", "fixed_30", "none"]


def prorated(amount: Decimal, how: Prorate, window: Window, starts_on: date, ends_on: date) -> Decimal:
    """Return the exact part of a whole window's amount for the days [starts_on, ends_on) of it.

    Actual local days: the day of start counted, that of the end not, a 23- or 25-hour day is one day. `fixed_30`
    counts months of 30 days (a 31st adds nothing), `none` gives the whole amount.
    """
    days, of = share_of_days(how, window, starts_on, ends_on)
    return amount if days == of else settled(amount * days / of)


def share_of_days(how: Prorate, window: Window, starts_on: date, ends_on: date) -> tuple[int, int]:
    """Return how many days are paid, of how many in the whole window."""
    whole = (window.whole_starts_on, window.whole_ends_on)
    if how == "none":
        return 1, 1
    if how == "actual_days":
        return (ends_on - starts_on).days, (whole[1] - whole[0]).days
    return _days_360(starts_on, ends_on), _days_360(*whole)


def _days_360(starts_on: date, ends_on: date) -> int:
    """Return the days between two dates with months of 30 days (30/360, both days capped at the 30th)."""
    months = (ends_on.year - starts_on.year) * 12 + ends_on.month - starts_on.month
    return 30 * months + min(ends_on.day, 30) - min(starts_on.day, 30)
