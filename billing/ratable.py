"""Ratable: a fixed amount earned by days, the running total rounded, the last day taking the rest (rule B1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from models.journal import Account, Rule
from models.money import ZERO, rounded
from models.period import first_day, month_of, months_between, next_month
from models.revenue import Movement
from models.statement import RatedLine


@dataclass(frozen=True, slots=True)
class Ratable:
    """A booked amount of a line, earned evenly over its local days [service_from, service_until).

    `ahead` is the account it is debited to when it is earned after the month in which it was billed.
    """

    line: RatedLine
    amount: Decimal
    currency: str
    now: tuple[Rule, Account]
    ahead: tuple[Rule, Account]
    grant: str | None = None
    monthly: bool = False  # equal calendar months instead of equal days

    def earned_by(self, day: date) -> Decimal:
        """Return what is earned before a local day: the whole from the end of the service on."""
        first, end = self.line.service_from, self.line.service_until
        if day >= end:
            return self.amount
        if day <= first:
            return ZERO
        share = (
            _months(first, day) / _months(first, end)
            if self.monthly
            else Fraction((day - first).days, (end - first).days)
        )
        part = self.amount * share.numerator / share.denominator
        return rounded(part, self.currency)

    def months_after(self, month: str) -> Iterator[str]:
        """Yield the months after one in which something is still to be earned, in order."""
        following = next_month(month)
        while first_day(following) < self.line.service_until:
            yield following
            following = next_month(following)

    def movement(self, month: str, since: date, amount: Decimal, how: tuple[Rule, Account], why: str) -> Movement:
        """Return what is earned from a day up to a month's end as a movement into fee revenue, in that month."""
        rule, debit = how
        return Movement(
            rule=rule,
            period=month,
            debit=debit,
            credit=Account.PLATFORM_FEE,
            amount=amount,
            obligation=self.line.obligation,
            grant=self.grant if debit is Account.PREPAID else None,
            rated_line=self.line.id,
            service_from=max(self.line.service_from, since),
            service_until=min(self.line.service_until, first_day(next_month(month))),
            why=why,
        )


def _months(first: date, end: date) -> Fraction:
    """Return how many calendar months lie in [first, end): a part of one counts by its days."""
    count = Fraction(0)
    for month in months_between(month_of(first), month_of(end)):
        begins, ends = first_day(month), first_day(next_month(month))
        held = (min(end, ends) - max(first, begins)).days
        count += Fraction(max(held, 0), (ends - begins).days)
    return count
