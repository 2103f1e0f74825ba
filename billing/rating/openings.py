"""Openings: how the pools of a contract that is taken over stand, checked against what the contract promises."""

from collections.abc import Iterator, Sequence

from billing.rating import commitments, credits, entitlements, reductions
from billing.rating.allowance import Balance
from billing.rating.exact import exactly
from billing.rating.history import Billed, History, Taken
from billing.rating.rates import RateBook
from billing.rating.timeline import Standing, Timeline, timeline_of
from billing.rating.windows import Window, windows_of
from models.contract import Commitment, Contract, Fee
from models.money import rounded
from models.opening import Opening, OpeningAhead, OpeningPool
from models.period import local_day, month_of, next_month
from models.price import Tiered
from models.refusal import Refusal
from models.statement import LineKind, Pool

Place = tuple[str | int, ...]


class OpeningRefused(Refusal):
    """An opening position is not what the contract allows, or leaves something open. Nothing of it is used."""

    remedy = "Correct the named place in the file, or amend the contract first; nothing was taken over."

    def __init__(self, what: str, place: Place, **facts: object) -> None:
        self.place = place
        super().__init__(what, field=".".join(map(str, place)), **facts)


def taken_over(opening: Opening, contracts: Sequence[Contract]) -> Taken:
    """Return an opening position as the rating of its first period goes on from it.

    Every window that runs when the period begins has its pool in it, as large as the contract makes it; what was
    billed ahead of the period is named window by window.

    Raises:
        OpeningRefused: with the place in the opening.
    """
    with exactly():
        timeline = _timeline(opening, contracts)
        _refuse_unknown_positions(timeline)
        running = {one.name: one for one in _balances(timeline) if one.window.starts_at < timeline.span.starts_at}
        ended = {one.name: one for one in _ended(contracts, timeline)}
        pools = tuple(_pool(index, one, running, ended, timeline) for index, one in enumerate(opening.pools))
        for name, balance in running.items():
            if name not in {one.id for one in opening.pools}:
                since = local_day(balance.window.starts_at, timeline.contract.timezone)
                raise OpeningRefused(
                    f"{name} runs since {since} and the opening does not say what is left of it",
                    ("pools",),
                    clause=name,
                )
        billed = (*_billed_ahead(opening, timeline), *_billed_for(pools, timeline))
        return Taken(timeline.month, pools, billed)


def _timeline(opening: Opening, contracts: Sequence[Contract]) -> Timeline:
    if not contracts or opening.contract != contracts[0].contract:
        given = contracts[0].contract if contracts else "none"
        raise OpeningRefused("the opening is of another contract", ("contract",), contract=given)
    last = max(contracts, key=lambda one: one.starts_at)
    for field in ("customer", "currency"):
        if getattr(opening, field) != getattr(last, field):
            raise OpeningRefused(f"the contract's {field} is {getattr(last, field)}", (field,), contract=last.version)
    first = min(one.term.starts_on for one in contracts)
    if not first < opening.as_of < last.term.ends_on:
        raise OpeningRefused(f"a running contract is taken over after {first}, inside its term", ("as_of",))
    named = opening.as_of.isoformat() if last.invoice.anchor is not None else month_of(opening.as_of)
    timeline = timeline_of(contracts, named)
    if timeline.period.starts_on != opening.as_of:
        raise OpeningRefused(f"no billing period begins then; one begins {timeline.period.starts_on}", ("as_of",))
    return timeline


def _balances(timeline: Timeline) -> Iterator[Balance]:
    """Yield every window that touches the period, as the contract alone makes it."""
    nothing = History(())
    for inclusion in entitlements.inclusions_of(timeline.standings(lambda c: c.entitlements), timeline, nothing):
        yield from inclusion.allowance.balances
    for ledger in commitments.ledgers_of(timeline.standings(lambda c: c.commitments), timeline, nothing, {}):
        yield from ledger.allowance.balances
    for grant in credits.grants_of(timeline.standings(lambda c: c.credits), timeline, nothing, RateBook.of(())):
        yield from grant.allowance.balances
    for kind, bounds in (
        ("maximum", timeline.standings(lambda c: c.maximums)),
        ("minimum", timeline.standings(lambda c: c.minimums)),
    ):
        for bound in bounds:
            yield from reductions.bound_allowance(bound, kind, timeline, nothing).balances


def _ended(contracts: Sequence[Contract], timeline: Timeline) -> list[Balance]:
    """Return the windows that end where the period begins and hand something on."""
    before = timeline.periods[timeline.period.index - 1].starts_on
    anchored = timeline.contract.invoice.anchor is not None
    earlier = timeline_of(contracts, before.isoformat() if anchored else next_month(timeline.month, -1))
    return [one for one in _balances(earlier) if one.rollover and one.window.ends_at == timeline.span.starts_at]


def _pool(
    index: int, said: OpeningPool, running: dict[str, Balance], ended: dict[str, Balance], timeline: Timeline
) -> Pool:
    place: Place = ("pools", index)
    balance = running.get(said.id) or ended.get(said.id)
    if balance is None:
        raise OpeningRefused("no window of this clause runs then, and none hands anything on", (*place, "id"))
    zone, currency = timeline.contract.timezone, timeline.contract.currency
    since = local_day(balance.window.starts_at, zone)
    if said.starts_on not in (None, since):
        raise OpeningRefused(f"the clause's window begins on {since}", (*place, "from"), clause=said.id)
    if said.id in running and said.granted != balance.opening:
        raise OpeningRefused(
            f"granted {said.granted}; the contract grants {balance.opening}", (*place, "granted"), clause=said.id
        )
    kept = balance.rollover
    if said.id not in running and kept is not None and not kept.min <= said.closing <= kept.max:
        raise OpeningRefused(
            f"{said.closing} remains; the contract carries from {kept.min} to {kept.max}: the rest expired",
            (*place, "expired"),
            clause=said.id,
        )
    if said.carried and balance.rollover is None:
        raise OpeningRefused("nothing is carried into a clause without a rollover", (*place, "carried"), clause=said.id)
    return Pool(
        id=said.id,
        kind=balance.kind,
        unit=balance.unit,
        window=balance.window,
        opening=said.carried,
        granted=said.granted,
        drawn=said.drawn,
        expired=said.expired,
        closing=said.closing,
        booked_drawn=rounded(said.drawn, currency) if balance.unit == currency else said.drawn,
        cost=balance.cost if balance.kind == "prepaid" or said.cost is None else said.cost,
    )


def _billed_ahead(opening: Opening, timeline: Timeline) -> Iterator[Billed]:
    """Yield what the opening says was billed ahead; refuse a window of which it says nothing, and one too many."""
    open_ = {(clause.id, window.starts_on): (kind, window) for kind, clause, window in _ahead_windows(timeline)}
    for index, one in enumerate(opening.ahead):
        kind, window = open_.pop((one.id, one.starts_on), (None, None))
        if kind is None or window is None:
            raise OpeningRefused(
                "no fee or prepaid commitment of this id has a window from that day, running or beginning then",
                ("ahead", index),
                clause=one.id,
            )
        _refuse_other_days(index, one, window)
        yield Billed(kind, one.id, one.starts_on, one.billed)
    for (name, since), _ in open_.items():
        raise OpeningRefused(
            f"{name} is billed ahead and its window from {since} is open: say what was billed of it (0 is an answer)",
            ("ahead",),
            clause=name,
        )


def _ahead_windows(timeline: Timeline) -> Iterator[tuple[LineKind, Fee | Commitment, Window]]:
    """Yield the windows that were billed, or should have been, before the period: running fees, and what begins."""
    at = timeline.span.starts_at
    for fee in timeline.standings(lambda contract: contract.fees):
        for window in _open_windows(fee, timeline):
            if fee.at(at).timing == "advance":
                yield LineKind.FEE, fee.at(at), window
    for one in timeline.standings(lambda contract: contract.commitments):
        for window in _open_windows(one, timeline):
            if one.at(at).prepaid and one.at(at).installments is not None:
                raise OpeningRefused(
                    "a commitment billed in installments that runs is not taken over: end it and begin one with "
                    "another id",
                    ("pools",),
                    clause=one.id,
                )
            if one.at(at).prepaid and window.span.starts_at == at:
                yield LineKind.COMMITMENT, one.at(at), window


def _open_windows(standing: Standing[Fee] | Standing[Commitment], timeline: Timeline) -> list[Window]:
    clause, at = standing.latest, timeline.span.starts_at
    if standing.starts_at >= at:
        return []  # an amendment brings it with the period: nobody billed it before
    windows = windows_of(clause.every, clause.align, standing.life)
    return [window for window in windows if window.span.starts_at <= at < window.span.ends_at]


def _refuse_other_days(index: int, one: OpeningAhead, window: Window) -> None:
    if one.ends_on != window.ends_on:
        raise OpeningRefused(f"the window ends on {window.ends_on}", ("ahead", index, "until"), clause=one.id)


def _billed_for(pools: Sequence[Pool], timeline: Timeline) -> Iterator[Billed]:
    """Yield what was paid for the prepaid pools that run: an amendment inside the window bills the difference."""
    for pool in pools:
        if pool.kind == "prepaid" and pool.cost is not None:
            since = local_day(pool.window.starts_at, timeline.contract.timezone)
            yield Billed(LineKind.COMMITMENT, pool.id, since, pool.cost)


def _refuse_unknown_positions(timeline: Timeline) -> None:
    """Refuse what an opening has no row for: how far tiers and discounts over longer windows have come."""
    for reign in timeline.reigns:
        if not reign.starts_at < timeline.span.ends_at:
            continue
        for clause in reign.contract.prices:
            if isinstance(clause.price, Tiered) and clause.price.over not in (None, "week", "month"):
                raise OpeningRefused(
                    f"tiers that accumulate over a {clause.price.over} have a position the opening cannot say; "
                    "let them begin anew in an amendment from the opening's day, over the month",
                    ("as_of",),
                    clause=clause.meter,
                )
    for discount in timeline.standings(lambda contract: contract.discounts):
        longer = discount.latest.percent is None and discount.latest.every not in ("week", "month")
        if longer and discount.starts_at < timeline.span.starts_at:
            raise OpeningRefused(
                f"a discount over a {discount.latest.every} has a rest the opening cannot say; begin it anew under "
                "another id from the opening's day",
                ("as_of",),
                clause=discount.id,
            )
