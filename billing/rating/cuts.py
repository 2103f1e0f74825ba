"""Cuts: the instants inside a period at which a price, a pool or a version changes, so that no bucket straddles one."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from billing.rating import rates as rates_
from billing.rating.allowance import carry_ends
from billing.rating.credits import bounds_of
from billing.rating.scopes import Reach
from billing.rating.timeline import Standing, Timeline, timeline_of
from billing.rating.usage import Group
from billing.rating.windows import windows_of
from models.contract import Bound, Commitment, Contract, Credit, Discount, Entitlement
from models.rate_card import RateVersion


def cuts_of(contracts: Sequence[Contract], rates: Iterable[RateVersion], period: str) -> tuple[datetime, ...]:
    """Return every instant inside the period at which buckets must be cut, in order; its own bounds are not among them.

    Amendments, starts of price clauses, rate versions of the cards in use, windows of entitlements, commitments,
    discounts, floors and caps, and what bounds a credit. `period` is a month, as 2026-10.

    Raises:
        NoContract, MixedContracts, AmbiguousPeriod: see `timeline_of`.
    """
    timeline = timeline_of(contracts, period)
    cards = frozenset(card for reign in timeline.reigns for card in rates_.cards_of(reign.contract))
    found = {version.starts_at for version in rates if version.rate in cards}
    found |= rates_.clause_starts(timeline) | {reign.starts_at for reign in timeline.reigns}
    found |= {reign.ends_at for reign in timeline.reigns}
    for standing in timeline.standings(lambda contract: contract.entitlements):
        found |= entitlement_bounds(standing)
    for scoped in scoped_standings(timeline):
        found |= scoped_bounds(scoped)
    span = timeline.span
    return tuple(sorted(at for at in found if span.starts_at < at < span.ends_at))


Scoped = Standing[Bound] | Standing[Commitment] | Standing[Credit] | Standing[Discount]


def scoped_standings(timeline: Timeline) -> list[Scoped]:
    """Return every clause that has a scope, through its versions."""
    return [
        *timeline.standings(lambda contract: contract.commitments),
        *timeline.standings(lambda contract: contract.credits),
        *timeline.standings(lambda contract: contract.discounts),
        *timeline.standings(lambda contract: contract.minimums),
        *timeline.standings(lambda contract: contract.maximums),
    ]


def bounds_for(
    group: Group,
    timeline: Timeline,
    book: rates_.RateBook,
    scoped: Sequence[tuple[Reach, frozenset[datetime]]],
    included: Sequence[tuple[Standing[Entitlement], frozenset[datetime]]],
    since: datetime,
) -> tuple[datetime, ...]:
    """Return the bounds of a group's segments from `since` to the period's end: what changes its price or its pools."""
    found: set[datetime] = {window.span.starts_at for window in timeline.periods}
    for reign in timeline.reigns:
        contract = reign.contract
        found |= {reign.starts_at, reign.ends_at}
        clauses = [*contract.prices, *(p for one in contract.commitments if one.overage for p in one.overage.prices)]
        mine = [one for one in clauses if rates_.matches(group.meter, group.by_name, one.meter, one.where)]
        found |= {contract.instant(one.starts_at) for one in mine if one.starts_at is not None}
        asks_card = (
            not mine
            or any(one.price.kind == "pass_through" for one in mine)
            or all(one.starts_at is not None for one in mine)
        )
        if asks_card:
            for card in rates_.cards_of(contract):
                found |= {version.starts_at for version in book.matching(card, group.meter, group.by_name)}
    for reach, bounds in scoped:
        if reach.ever(group):
            found |= bounds
    for standing, bounds in included:
        if any(rates_.matches(group.meter, group.by_name, said.meter, said.where) for _, _, said in standing.said):
            found |= bounds
    span = timeline.span
    inside = {at for at in found if since < at < span.ends_at}
    return tuple(sorted({since, span.starts_at, *inside, span.ends_at}))


def entitlement_bounds(standing: Standing[Entitlement]) -> frozenset[datetime]:
    """Return the bounds of an entitlement's windows and of what is carried into them."""
    clause = standing.latest
    found: set[datetime] = {standing.starts_at, standing.ends_at}
    for window in windows_of(clause.every, None, standing.life):
        found |= {window.span.starts_at, window.span.ends_at}
        ends_at = carry_ends(clause.rollover, window, standing.life.zone)
        found |= {ends_at} if ends_at else set()
    return frozenset(found)


def scoped_bounds(standing: Scoped) -> frozenset[datetime]:
    """Return the instants at which a clause with a scope begins, ends, or starts a window anew."""
    found: set[datetime] = {standing.starts_at, standing.ends_at} | {at for at, _, _ in standing.said}
    clause, contract = standing.latest, standing.said[-1][1]
    if isinstance(clause, Credit):
        return frozenset(found | set(bounds_of([standing])))  # type: ignore[list-item]
    if isinstance(clause, Discount):
        found |= {contract.instant(at) for at in (clause.starts_at, clause.until) if at is not None}
        if clause.percent is not None:
            return frozenset(found)
    align = clause.align if isinstance(clause, Commitment) else None
    for window in windows_of(clause.every, align, standing.life):
        found |= {window.span.starts_at, window.span.ends_at}
        if isinstance(clause, Commitment):
            ends_at = carry_ends(clause.rollover, window, standing.life.zone)
            found |= {ends_at} if ends_at else set()
    return frozenset(found)


def late_since(timeline: Timeline) -> datetime:
    """Return the first instant of usage that is still billed: the backdating limit before the open period's start."""
    days = timeline.contract.limits.backdating_days
    return max(timeline.reigns[0].starts_at, timeline.span.starts_at - timedelta(days=days))
