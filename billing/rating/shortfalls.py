"""Shortfalls: what a floor lacks where its own window ends; what promotional credit paid does not count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.rating import scopes
from billing.rating.allowance import Balance
from billing.rating.commitments import Ledger, Slice
from billing.rating.credits import Grant
from billing.rating.exact import settled
from billing.rating.history import History
from billing.rating.timeline import Timeline
from billing.rating.windows import windows_of
from models.contract import Commitment, UnitShortfall
from models.money import ZERO, rounded, total
from models.statement import LineKind


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is billed because a commitment was not reached: the missing amount or units, and their price."""

    ledger: Ledger
    commitment: Commitment
    balance: Balance
    missing: Decimal
    exact: Decimal
    amount: Decimal


def uncount_promotional(ledgers: Sequence[Ledger], grants: Sequence[Grant], bounds: Sequence[datetime]) -> None:
    """Take what promotional credits paid out of the counts of every floor that does not count it."""
    for ledger in ledgers:
        if ledger.prepaid or ledger.standing.latest.counts_promotional:
            continue
        for grant in grants:
            if grant.credit.kind != "promotional":
                continue
            for _, draft, segment, amount in grant.paid:
                at = bounds[segment - 1]
                if draft.group.fee is not None or draft.overage_of == ledger.standing.id:
                    continue
                if not ledger.reach.holds(draft.group, at):
                    continue
                balance = _balance_at(ledger, at)
                if balance is None:
                    continue
                base = amount / draft.multiplier if draft.multiplier else amount
                counted = base
                if ledger.standing.latest.units is not None:
                    counted = settled(draft.quantity * amount / draft.due) if draft.due else ZERO
                _uncount(ledger, balance, counted)


def _balance_at(ledger: Ledger, at: datetime) -> Balance | None:
    """Return the window that holds an instant; a credit that began before the period pays in its first window."""
    balances = ledger.allowance.balances
    holding = [balance for balance in balances if balance.window.starts_at <= at < balance.window.ends_at]
    return holding[0] if holding else (balances[0] if balances else None)


def _uncount(ledger: Ledger, balance: Balance, counted: Decimal) -> None:
    """Uncount first what was counted beyond the floor, then what reached it."""
    beyond = ledger.beyond.get(id(balance), ZERO)
    from_beyond = min(beyond, counted)
    ledger.beyond[id(balance)] = beyond - from_beyond
    back = min(counted - from_beyond, balance.drawn)
    balance.drawn -= back
    balance.left += back


def shortfalls_of(ledgers: Sequence[Ledger], timeline: Timeline) -> list[Shortfall]:
    """Return what floors lack whose window ends in the period, the shortest windows first.

    An inner true-up counts outward: towards every floor that contains it in scope and in time, unless it says no.
    """
    found: list[Shortfall] = []
    ends_at, currency = timeline.span.ends_at, timeline.contract.currency
    waiting = [
        (balance, ledger)
        for ledger in ledgers
        if not ledger.prepaid
        for balance in ledger.allowance.balances
        if balance.opened or balance.window.starts_at < ends_at
    ]
    waiting.sort(key=lambda one: (one[0].window.ends_at - one[0].window.starts_at, one[0].window.ends_at, one[0].name))
    for balance, ledger in waiting:
        if balance.window.ends_at > ends_at:
            continue
        clause = ledger.standing.at(balance.window.starts_at)
        if clause.shortfall == "forfeit" or balance.left <= 0:
            continue
        price = clause.shortfall.unit_amount if isinstance(clause.shortfall, UnitShortfall) else None
        if clause.units is not None and price is None:
            continue
        exact = settled(balance.left if price is None else balance.left * price)
        amount = rounded(exact, currency)
        found.append(Shortfall(ledger, clause, balance, balance.left, exact, amount))
        if clause.counts_outward:
            _count_outward(ledger, clause, balance, amount, waiting)
    return found


def late_credits(
    ledgers: Sequence[Ledger], slices: Sequence[Slice], timeline: Timeline, history: History
) -> list[Shortfall]:
    """Return what late usage takes back of shortfalls that were billed: of floors whose window is over.

    The usage would have counted then: its base amount (or its units at their price) comes off, up to what was billed.
    """
    found: list[Shortfall] = []
    for ledger in ledgers:
        if ledger.prepaid:
            continue
        standing = ledger.standing
        for window in windows_of(standing.latest.every, standing.latest.align, standing.life):
            if window.span.ends_at > timeline.span.starts_at:
                break
            clause = standing.at(window.span.starts_at)
            billed = history.billed(LineKind.SHORTFALL, standing.id, window.starts_on, window.ends_on)
            late = [
                one
                for one in slices
                if one.charge.home is not None
                and one.charge.at in window.span
                and ledger.reach.holds(one.charge.group, one.charge.at)
            ]
            if billed <= 0 or not late:
                continue
            price = clause.shortfall.unit_amount if isinstance(clause.shortfall, UnitShortfall) else None
            counted = total(one.charge.net if price is None else one.quantity for one in late)
            exact = -min(billed, settled(counted if price is None else counted * price))
            balance = Balance(standing.id, "postpaid", "", window.span, ZERO, opened=True, closed=True)
            amount = rounded(exact, timeline.contract.currency)
            found.append(Shortfall(ledger, clause, balance, -counted, exact, amount))
    return found


def _count_outward(
    inner: Ledger, clause: Commitment, window: Balance, amount: Decimal, waiting: Sequence[tuple[Balance, Ledger]]
) -> None:
    for balance, outer in waiting:
        if outer is inner or outer.standing.latest.units is not None:
            continue
        longer = balance.window.ends_at - balance.window.starts_at > window.window.ends_at - window.window.starts_at
        inside = balance.window.starts_at <= window.window.starts_at and window.window.ends_at <= balance.window.ends_at
        if longer and inside and scopes.contains(outer.standing.latest, clause):
            counted = min(amount, balance.left)
            balance.drawn += counted
            balance.left -= counted
