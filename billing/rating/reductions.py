"""Reductions: discounts (units, then amounts, then percents), then caps, each on what the ones before left, in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.rating import scopes
from billing.rating.allowance import Allowance, Balance, allowance_of
from billing.rating.charges import Charge
from billing.rating.history import History
from billing.rating.timeline import Standing, Timeline
from billing.rating.windows import windows_of
from models.contract import Bound, Contract, Discount
from models.money import ZERO, total
from models.statement import LineKind

SORTS = ("units", "amount", "percent")
"""The order in which kinds of discount are taken; inside a kind, the order of the file."""

_HUNDRED = Decimal(100)
REDUCED = (LineKind.USAGE, LineKind.FEE)
"""What discounts and caps reduce: usage, and fees where a scope names them."""


@dataclass(frozen=True, slots=True)
class Floor:
    """A minimum's window over the period: how it stands, and what lifts its scope to it where the window ends."""

    standing: Standing[Bound]
    contract: Contract
    balance: Balance
    missing: Decimal  # what is owed now; zero while the window runs


def discounted(
    standings: Sequence[Standing[Discount]], charges: Sequence[Charge], timeline: Timeline, history: History
) -> list[Allowance]:
    """Take every discount off the charges' net amounts, kind by kind; return what the limited ones have left."""
    limits = []
    for sort in SORTS:
        for standing in standings:
            if getattr(standing.latest, sort) is not None:
                limits += _discount(standing, charges, timeline, history)
    return limits


def _discount(
    standing: Standing[Discount], charges: Sequence[Charge], timeline: Timeline, history: History
) -> list[Allowance]:
    reach = scopes.Reach(standing)
    allowance = None if standing.latest.percent is not None else _limit(standing, timeline, history)
    for charge in charges:
        clause = standing.at(charge.at)
        if charge.kind not in REDUCED or charge.net <= 0 or not reach.holds(charge.group, charge.at):
            continue
        if not _holds(clause, timeline.contract, charge.at):
            continue
        if clause.percent is not None:
            off = charge.net * clause.percent / _HUNDRED
        elif allowance is None:
            continue
        elif clause.units is not None:
            units, _ = allowance.take(charge.at, charge.quantity)
            off = charge.net * units / charge.quantity if charge.quantity else ZERO
        else:
            off, _ = allowance.take(charge.at, charge.net)
        reduce(charge, standing.id, off)
    return [allowance] if allowance is not None else []


def _limit(standing: Standing[Discount], timeline: Timeline, history: History) -> Allowance:
    """Return what a discount of units or an amount has left: its windows grant it anew, nothing is carried.

    Units run on from what earlier statements' pools left; an amount from what their lines took off, as booked.
    """
    clause = standing.latest
    granted = clause.units if clause.units is not None else clause.amount
    assert granted is not None
    windows = [(window, granted, ()) for window in windows_of(clause.every, None, standing.life)]
    allowance = allowance_of(standing.id, "discount", clause.meter or "", windows, None, timeline, history)
    for balance in allowance.balances:
        if (
            balance.opened and clause.amount is not None
        ):  # it began in an earlier period: what statements took off is gone
            used = -total(
                line.amount
                for line in history.lines
                if line.kind is LineKind.DISCOUNT
                and line.clause == standing.id
                and balance.window.starts_at <= line.service.starts_at < balance.window.ends_at
            )
            balance.left = max(ZERO, balance.left - used)
    return allowance


def _holds(clause: Discount, contract: Contract, at: datetime) -> bool:
    return not (
        (clause.starts_at is not None and at < contract.instant(clause.starts_at))
        or (clause.until is not None and at >= contract.instant(clause.until))
    )


def reduce(charge: Charge, name: str, off: Decimal) -> None:
    """Take an exact amount off a charge, remembered under the clause's id."""
    if off:
        charge.net -= off
        charge.reduced[name] = charge.reduced.get(name, ZERO) + off


def capped(
    standings: Sequence[Standing[Bound]], charges: Sequence[Charge], timeline: Timeline, history: History
) -> list[Allowance]:
    """Take what passes each cap off the charges, the latest first to pass it; return what the caps have left."""
    allowances = []
    for standing in standings:
        reach, allowance = scopes.Reach(standing), bound_allowance(standing, "maximum", timeline, history)
        for charge in charges:
            if charge.kind in REDUCED and reach.holds(charge.group, charge.at) and charge.net > 0:
                inside, balance = allowance.take(charge.drawn_at, charge.net)
                if balance is not None:
                    reduce(charge, standing.id, charge.net - inside)
        allowances.append(allowance)
    return allowances


def floors(
    standings: Sequence[Standing[Bound]], charges: Sequence[Charge], timeline: Timeline, history: History
) -> list[Floor]:
    """Return each minimum: what counted towards it, and what is missing where its window ends in the period."""
    found = []
    for standing in standings:
        reach, allowance = scopes.Reach(standing), bound_allowance(standing, "minimum", timeline, history)
        for charge in charges:
            if charge.kind in REDUCED and reach.holds(charge.group, charge.at):
                allowance.take(charge.drawn_at, max(ZERO, charge.net))
        allowance.finish(timeline.span.ends_at)
        for balance in allowance.balances:
            ended = balance.window.ends_at <= timeline.span.ends_at
            found.append(
                Floor(
                    standing,
                    standing.version_at(balance.window.starts_at),
                    balance,
                    balance.left if ended else ZERO,
                )
            )
    return found


def bound_allowance(standing: Standing[Bound], kind: str, timeline: Timeline, history: History) -> Allowance:
    """Return what a floor or cap has left in its windows; a count, so nothing is carried and nothing expires."""
    clause = standing.latest
    windows = []
    for window in windows_of(clause.every, None, standing.life):
        at_start = standing.at(window.span.starts_at).amount
        changes = []
        before = at_start
        for at, _, said in standing.said:
            if window.span.starts_at < at < window.span.ends_at:
                changes.append((at, said.amount - before))
                before = said.amount
        windows.append((window, at_start, tuple(changes)))
    currency = timeline.contract.currency
    return allowance_of(standing.id, kind, currency, windows, None, timeline, history, expires=False)
