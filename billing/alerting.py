"""Alerting: what a customer wants to be told of, in which months it fires, and what is then said."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.pool_views import PoolView, Running, counted_to, runway
from billing.pools import OPENING
from models.money import is_currency, money_text
from models.notice import Notice, NoticeKind, month_words
from models.period import Month
from models.statement import Statement
from models.value import Exact, Value, decimal_text
from models.visitor import Alert

CREDITS = ("paid", "promotional")
WATCHED = ("prepaid", *CREDITS)
"""Kinds of pool that are used up; others are counts and allowances."""


class AlertKind(StrEnum):
    """What is watched; the threshold is an amount of a currency, a percentage, or a number of days."""

    TOTAL = "total"  # a month's total reaches an amount
    POOL = "pool"  # so many percent of a commitment or credit are used
    DEPLETES = "depletes"  # a commitment or credit lasts so many days or fewer, at its fastest recent month
    EXPIRES = "expires"  # a credit with something left expires within so many days

    @property
    def watches(self) -> tuple[str, ...]:
        """The kinds of pool it may be set for; none for a month's total."""
        return () if self is AlertKind.TOTAL else CREDITS if self is AlertKind.EXPIRES else WATCHED


class Firing(Value):
    """A month in which an alert would have been told, and what it would have said: money, units or days."""

    month: Month
    value: Exact


def firings(
    alert: Alert, statements: Sequence[Statement], pools: Sequence[PoolView], running: Running | None = None
) -> tuple[Firing, ...]:
    """Return when an alert fires over these months, oldest first; of a pool's window, once.

    A month counts to its end, the running one to its day. A total fires over months of its own currency.
    """
    kind, threshold = AlertKind(alert.kind), alert.threshold
    if kind is AlertKind.TOTAL:
        mine = [one for one in statements if one.currency == alert.currency]
        return tuple(Firing(month=one.period, value=one.total) for one in mine if one.total >= threshold)
    reached = _REACHED[kind]
    found = []
    for view in pools:
        if view.pool == alert.subject:
            values = ((row.period, reached(view, place, threshold, running)) for place, row in enumerate(view.rows))
            found += [Firing(month=month, value=value) for month, value in values if value is not None][:1]
    return tuple(sorted(found, key=lambda one: one.month))


def alert_notices(alerts: Sequence[Alert], statement: Statement, pools: Sequence[PoolView], at: datetime,
                  running: Running | None = None) -> Iterator[Notice]:  # fmt: skip
    """Yield a notice for each alert that fires in a statement's month: one for an alert and month, whoever asks again.

    `pools` are the contract's up to and with this statement; `running` says that it is a draft.
    """
    so_far = " so far" if running is not None else ""
    for alert in alerts:
        kind = AlertKind(alert.kind)
        for one in firings(alert, [statement], pools, running):
            if one.month != statement.period:
                continue
            asked, found = _said(kind, alert, one, statement, pools)
            yield Notice(
                id=f"{NoticeKind.ALERT}/{alert.id}/{statement.period}",
                kind=NoticeKind.ALERT,
                customer=statement.customer,
                period=statement.period,
                subject=f"Alert: {found}",
                sentences=(
                    f"You asked to be told when {asked}.",
                    f"{month_words(statement.period)}{so_far}: {found}.",
                ),
                path="/alerts",
                facts={
                    "alert": alert.id,
                    "kind": kind.value,
                    "pool": alert.subject,
                    "threshold": decimal_text(alert.threshold),
                    "value": decimal_text(one.value),
                },
                written_at=at,
            )


def _said(
    kind: AlertKind, alert: Alert, firing: Firing, statement: Statement, pools: Sequence[PoolView]
) -> tuple[str, str]:
    """Return what was asked for and what was found, as halves of sentences."""
    limit, name = decimal_text(alert.threshold), alert.subject
    if kind is AlertKind.TOTAL:
        total = money_text(firing.value, statement.currency)
        return f"a month's total reaches {money_text(alert.threshold, statement.currency)}", f"the total is {total}"
    days = decimal_text(firing.value)
    if kind is AlertKind.DEPLETES:
        return f"{name} lasts {limit} days or fewer", f"{name} lasts {days} days at its fastest recent month"
    if kind is AlertKind.EXPIRES:
        return f"{name} expires within {limit} days", f"{name} expires in {days} days with something left"
    unit = next(view.unit for view in pools if view.pool == name)
    used = money_text(firing.value, unit) if is_currency(unit) else f"{firing.value:,f} {unit}"
    return f"{limit} % of {name} is used", f"{used} of {name} is used"


def _used(view: PoolView, place: int, threshold: Decimal, _running: Running | None) -> Decimal | None:
    used = Decimal(0)
    for row in view.rows[: place + 1]:
        used += row.drawn
    return used if view.committed and used * 100 >= threshold * view.committed else None


def _depletes(view: PoolView, place: int, threshold: Decimal, running: Running | None) -> Decimal | None:
    found = runway(view.rows[: place + 1], running)
    if found is None or found.earliest is None or (found.earliest - found.since).days > threshold:
        return None
    return Decimal((found.earliest - found.since).days)


def _expires(view: PoolView, place: int, threshold: Decimal, running: Running | None) -> Decimal | None:
    row = view.rows[place]
    if row.period == OPENING or row.closing <= 0:
        return None
    days = (view.window.ends_at.date() - counted_to(row, running)).days
    return Decimal(days) if 0 <= days <= threshold else None


_REACHED: dict[AlertKind, Callable[[PoolView, int, Decimal, Running | None], Decimal | None]] = {
    AlertKind.POOL: _used,
    AlertKind.DEPLETES: _depletes,
    AlertKind.EXPIRES: _expires,
}
