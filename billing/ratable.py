"""Ratable: a fixed amount earned by days, the running total rounded, the last day taking the rest (rule B1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from models.journal import Account, Rule
from models.money import ZERO, rounded
from models.period import first_day, next_month
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

    def earned_by(self, day: date) -> Decimal:
        """Return what is earned before a local day: the whole from the end of the service on."""
        days = (self.line.service_until - self.line.service_from).days
        past = (day - self.line.service_from).days
        if past >= days:
            return self.amount
        return rounded(self.amount * past / days, self.currency) if past > 0 else ZERO

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
