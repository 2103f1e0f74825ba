"""Allowances: what a window grants, what is taken from it in time, what is carried and what expires.

One ledger for prepaid pools, credits, included units and the counts of floors: a window's opening balance is what the
statement before left, its draws are exact, and opening + granted - drawn - expired = closing at every instant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from billing.rating.exact import NEGLIGIBLE, settled
from billing.rating.history import History
from billing.rating.timeline import Standing, Timeline
from billing.rating.windows import Window, anchored, windows_of
from models.contract import Commitment, Entitlement, Rollover
from models.money import ZERO, rounded
from models.period import Period, midnight
from models.price import Every
from models.statement import Pool

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(slots=True)
class Balance:
    """One window of an allowance over the period that is rated."""

    name: str
    kind: str
    unit: str
    window: Period
    amount: Decimal  # what the window grants when it begins
    carried: Decimal = ZERO  # of the balance, what came from the window before
    carried_until: datetime | None = None
    changes: tuple[tuple[datetime, Decimal], ...] = ()  # amendments inside the period: what they add or take
    rollover: Rollover | None = None
    expires: bool = True  # False: the balance outlives the window (a credit without an end)
    cost: Decimal | None = None
    opening: Decimal = ZERO
    granted: Decimal = ZERO
    drawn: Decimal = ZERO
    expired: Decimal = ZERO
    left: Decimal = ZERO
    spent: Decimal | None = None  # what it paid in this period, where its unit is not the contract's currency
    drawn_before: Decimal = ZERO  # over the window, in earlier statements, exactly
    booked_before: Decimal = ZERO
    carry_expired: bool = False
    opened: bool = False
    closed: bool = False
    emptied_at: datetime | None = None  # when a draw took the last of it
    lacked: bool = False

    @property
    def drawn_in_window(self) -> Decimal:
        """What was drawn over the window so far, exactly."""
        return self.drawn_before + self.drawn

    def pool(self, currency: str | None) -> Pool:
        """Return how the window stands; `currency` rounds what is booked of it, None for units."""
        booked = settled(self.drawn_in_window if self.spent is None else self.booked_before + self.spent, 30)
        opening, granted, drawn, expired = map(settled, (self.opening, self.granted, self.drawn, self.expired))
        return Pool(
            id=self.name,
            kind=self.kind,
            unit=self.unit,
            window=self.window,
            in_force=True,
            opening=opening,
            granted=granted,
            drawn=drawn,
            expired=expired,
            closing=settled(opening + granted - drawn - expired),
            booked_drawn=rounded(booked, currency) if currency else booked,
            cost=self.cost,
        )


@dataclass(slots=True)
class Allowance:
    """The windows of one clause that touch the period, in order; instants are visited in order and never go back."""

    name: str
    balances: list[Balance]
    _index: int = 0
    crossings: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When each window ran dry, and when it was first asked for more: between them, who came first matters."""

    def at(self, instant: datetime) -> Balance | None:
        """Return the window's balance at an instant, carrying, expiring and amending what time has passed."""
        while self._index < len(self.balances):
            balance = self.balances[self._index]
            if instant < balance.window.ends_at:
                break
            self._close(self._index)
            self._index += 1
        else:
            return None
        if instant < balance.window.starts_at:
            return None
        self._open(balance)
        self._pass_time(balance, instant)
        return balance

    def take(self, instant: datetime, wanted: Decimal) -> tuple[Decimal, Balance | None]:
        """Take up to what is wanted at an instant; return what was taken, and from which window."""
        balance = self.at(instant)
        if balance is None:
            return ZERO, None
        taken = balance.left if abs(wanted - balance.left) < NEGLIGIBLE else min(wanted, balance.left)
        balance.drawn += taken
        balance.left -= taken
        if taken and balance.left <= NEGLIGIBLE:
            balance.emptied_at = instant
        if wanted - taken > NEGLIGIBLE:
            self.lack(balance, instant)
        return taken, balance

    def lack(self, balance: Balance, instant: datetime) -> None:
        """Note that more was wanted of a window than it had left."""
        if balance.emptied_at is not None and not balance.lacked:
            balance.lacked = True
            self.crossings.append((balance.emptied_at, instant))

    def finish(self, ends_at: datetime) -> None:
        """Let time pass to the period's end: windows that end by then carry their remainder, or it expires."""
        self.at(ends_at)
        for balance in self.balances:
            if balance.window.starts_at < ends_at:
                self._open(balance)
                self._pass_time(balance, ends_at)

    def _open(self, balance: Balance) -> None:
        if not balance.opened:
            balance.opened = True
            balance.opening += balance.carried
            balance.granted += balance.amount
            balance.left = balance.opening + balance.granted

    def _pass_time(self, balance: Balance, instant: datetime) -> None:
        due = [change for at, change in balance.changes if at <= instant]
        if due and not balance.closed:
            balance.changes = tuple((at, change) for at, change in balance.changes if at > instant)
            for change in due:
                applied = max(change, -balance.left)
                balance.granted += applied
                balance.left += applied
                if applied > 0:
                    balance.emptied_at, balance.lacked = None, False
        if balance.carried_until is not None and instant >= balance.carried_until and not balance.closed:
            gone = min(balance.left, max(ZERO, balance.carried - balance.drawn_in_window))
            balance.expired += gone
            balance.left -= gone
            balance.carried_until, balance.carry_expired = None, True

    def _close(self, index: int) -> None:
        balance = self.balances[index]
        self._open(balance)
        if balance.closed:
            return
        self._pass_time(balance, balance.window.ends_at)
        balance.closed = True
        if not balance.expires:
            return
        # What was carried in and is still there has lived its one window; only the window's own rest is carried on.
        stale = ZERO if balance.carry_expired else max(ZERO, balance.carried - balance.drawn_in_window)
        kept = _clamped(balance.rollover, max(ZERO, balance.left - stale))
        balance.granted += max(ZERO, kept - balance.left)
        balance.expired += max(ZERO, balance.left - kept)
        balance.left = kept
        if kept and index + 1 < len(self.balances):
            follower = self.balances[index + 1]
            follower.carried = kept


def _clamped(rollover: Rollover | None, remainder: Decimal) -> Decimal:
    if rollover is None:
        return ZERO
    return max(rollover.min, min(rollover.max, remainder))


def allowance_of(
    name: str,
    kind: str,
    unit: str,
    windows: Sequence[tuple[Window, Decimal, tuple[tuple[datetime, Decimal], ...]]],
    rollover: Rollover | None,
    timeline: Timeline,
    history: History,
    *,
    cost: Callable[[Window], Decimal | None] = lambda _: None,
    expires: bool = True,
) -> Allowance:
    """Return the allowance of a clause over the period, opened where the earlier statements left it.

    `windows` are the clause's windows with what each grants at its start and the amendments inside it. A window that
    began before the period opens with what the latest statement left, or with its full amount where no statement
    speaks of it (a contract taken over as it stands).
    """
    span, zone = timeline.span, timeline.contract.timezone
    balances: list[Balance] = []
    for window, amount, changes in windows:
        if window.span.ends_at <= span.starts_at or window.span.starts_at >= span.ends_at:
            continue
        balance = Balance(name, kind, unit, window.span, amount, rollover=rollover, expires=expires, cost=cost(window))
        balance.carried_until = carry_ends(rollover, window, zone)
        started = window.span.starts_at
        if started < span.starts_at:
            before = amount + sum((change for at, change in changes if at < span.starts_at), ZERO)
            opening = history.opening(name, started)
            balance.opening = balance.left = before if opening is None else opening
            balance.opened = True
            balance.drawn_before, balance.booked_before = history.drawn(name, started), history.booked(name, started)
            first = history.pools(name, started)
            balance.carried = first[0].opening if first else ZERO
            balance.changes = tuple(change for change in changes if span.starts_at <= change[0] < span.ends_at)
            balance.carry_expired = balance.carried_until is not None and balance.carried_until <= span.starts_at
            balance.carried_until = None if balance.carry_expired else balance.carried_until
        else:
            balance.carried = history.carried(name, started) if rollover and started == span.starts_at else ZERO
            balance.changes = tuple(change for change in changes if change[0] < span.ends_at)
        balances.append(balance)
    return Allowance(name, balances)


def carry_ends(rollover: Rollover | None, window: Window, zone: str) -> datetime | None:
    """Return when what was carried into a window expires before the window does, or None."""
    if rollover is None or rollover.expires_after in (None, "term"):
        return None
    after: Every = rollover.expires_after
    days = window.starts_on
    ends_on = days + timedelta(weeks=1) if after == "week" else anchored(days, _MONTHS[after])
    ends_at = midnight(ends_on, zone)
    return ends_at if ends_at < window.span.ends_at else None


def amounts_of(
    standing: Standing[Commitment] | Standing[Entitlement],
    amount: Callable[[Commitment | Entitlement, Window], Decimal],
) -> list[tuple[Window, Decimal, tuple[tuple[datetime, Decimal], ...]]]:
    """Return a clause's windows with what each grants at its start, and what amendments inside it change.

    The amount in force when a window begins; an amendment's amount replaces it from its own date, draws stay.
    """
    first = standing.latest
    align = first.align if isinstance(first, Commitment) else None
    found: list[tuple[Window, Decimal, tuple[tuple[datetime, Decimal], ...]]] = []
    for window in windows_of(first.every, align, standing.life):
        at_start = amount(standing.at(window.span.starts_at), window)
        changes: list[tuple[datetime, Decimal]] = []
        before = at_start
        for at, _, clause in standing.said:
            if window.span.starts_at < at < window.span.ends_at:
                now = amount(clause, window)
                if now != before:
                    changes.append((at, now - before))
                before = now
        found.append((window, at_start, tuple(changes)))
    return found
