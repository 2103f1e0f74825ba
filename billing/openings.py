"""Openings in money: what is owed of a contract that is taken over, what of it later months earn, and its entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from billing.grants import COSTED, Costs, Grant
from billing.ratable import Ratable
from billing.rating.exact import exactly
from billing.rating.history import Taken
from billing.rating.openings import OpeningRefused, taken_over
from models.contract import Contract
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import ZERO, rounded, total
from models.opening import Opening, OpeningAhead
from models.period import days_period, first_day, month_of
from models.statement import Explanation, LineKind, Pool, RatedLine


@dataclass(frozen=True, slots=True)
class OpeningPosition:
    """Where revenue goes on from: grants at their cost, and fees billed ahead with what of each is earned."""

    pools: tuple[Pool, ...]
    grants: Mapping[str, Grant]
    costs: Costs
    ahead: tuple[tuple[Ratable, Decimal], ...]


def position_of(opening: Opening, contracts: Sequence[Contract]) -> OpeningPosition:
    """Return an opening's position; what remains of each pool, at its cost, is what the opening defers of it.

    Raises:
        OpeningRefused: with the place in the opening that does not tie.
    """
    taken = taken_over(opening, contracts)
    bundles = {one.id: one.bundled_with for version in contracts for one in version.credits if one.bundled_with}
    grants: dict[str, Grant] = {}
    for index, pool in enumerate(taken.pools):
        grant = _grant(index, pool, opening, bundles)
        if grant is not None:
            grants[pool.id] = grant
    kinds = {(one.clause, one.starts_on): one.kind for one in taken.billed}
    ahead = []
    for index, one in enumerate(opening.ahead):
        if kinds[one.id, one.starts_on] is LineKind.FEE:
            ahead.append(_fee(index, one, opening, contracts[-1]))
        else:
            grants[one.id] = _purchase(index, one, opening, grants.get(one.id))
    return OpeningPosition(taken.pools, grants, _costs(taken, contracts), tuple(ahead))


def entry_for(opening: Opening, contracts: Sequence[Contract], post_to: str | None = None) -> JournalEntry | None:
    """Return the entry that puts an opening position into the journal, against 3000; None where all is zero.

    It is dated on the day before `as_of`, or on the first day of `post_to`, the first open month. No revenue is in it.
    """
    position = position_of(opening, contracts)
    postings = [
        Posting(account=Account.RECEIVABLE, amount=opening.balances.receivable),
        Posting(account=Account.UNBILLED, amount=opening.balances.unbilled, obligation="usage"),
        *(
            Posting(account=Account.PREPAID, amount=-grant.balance, obligation=name, grant=name)
            for name, grant in sorted(position.grants.items())
        ),
        *(
            Posting(account=Account.DEFERRED_TIME, amount=earned - stream.amount, obligation=stream.line.obligation)
            for stream, earned in position.ahead
        ),
    ]
    postings.append(Posting(account=Account.OPENING, amount=-total(one.amount for one in postings)))
    some = tuple(one for one in postings if one.amount)
    if not some:
        return None
    day = opening.as_of - timedelta(days=1)
    month = month_of(day)
    if post_to is not None and post_to > month:
        day, month = first_day(post_to), post_to
    return JournalEntry(
        key=opening.key,
        rule=Rule.O1,
        customer=opening.customer,
        contract=opening.contract,
        period=month,
        posted_on=day,
        currency=opening.currency,
        description=f"Opening position as of {opening.as_of}: {opening.contract}",
        postings=some,
        statement=opening.fingerprint(),
    )


def _grant(index: int, pool: Pool, opening: Opening, bundles: Mapping[str, str]) -> Grant | None:
    """Return a pool's position at its cost; None where nothing was paid for it."""
    said = opening.pools[index]
    window_cost, credits = pool.cost or ZERO, pool.opening + pool.granted
    cost = said.cost if said.cost is not None else _whole_cost(pool, window_cost, opening.currency)
    if pool.kind not in COSTED or (cost == 0 and pool.id not in bundles):
        if said.deferred:
            raise OpeningRefused(
                f"nothing was paid for {pool.id} ({pool.kind}), so nothing of it is deferred",
                ("pools", index, "deferred"),
            )
        return None
    whole = Grant(
        id=pool.id,
        unit=pool.unit,
        remaining=pool.closing,
        credits=credits,
        cost=cost,
        window=pool.window.starts_at,
        window_cost=window_cost,
    )
    used = whole.used_at(pool.closing, opening.currency)
    if said.deferred != cost - used:
        raise OpeningRefused(
            f"{pool.id} closes with {pool.closing}, which at its cost is {cost - used}; deferred says {said.deferred}",
            ("pools", index, "deferred"),
        )
    return replace(whole, used=used, balance=cost - used)


def _whole_cost(pool: Pool, window_cost: Decimal, currency: str) -> Decimal:
    """Return what was paid for all of a pool: what was carried in cost as much a credit as what its window granted."""
    if not pool.opening or not pool.granted:
        return window_cost
    with exactly():
        return rounded(window_cost * (pool.opening + pool.granted) / pool.granted, currency)


def _purchase(index: int, one: OpeningAhead, opening: Opening, known: Grant | None) -> Grant:
    """Return the position of a prepaid commitment whose next window was billed before it begins: all of it is owed."""
    if one.deferred != one.billed:
        raise OpeningRefused(
            f"{one.id} begins with the opening, so all that was billed of it is deferred: {one.billed}",
            ("ahead", index, "deferred"),
        )
    if known is None:
        return Grant(id=one.id, unit=opening.currency, balance=one.billed)
    return replace(known, balance=known.balance + one.billed)


def _fee(index: int, one: OpeningAhead, opening: Opening, contract: Contract) -> tuple[Ratable, Decimal]:
    """Return a fee billed ahead as a stream that is earned by its days, with what was earned before the opening."""
    line = RatedLine(
        id=f"opening:{one.id}"[:128],
        kind=LineKind.FEE,
        description=f"{one.id}, billed before the opening",
        clause=one.id,
        service=days_period(one.starts_on, one.ends_on, contract.timezone),
        service_from=one.starts_on,
        service_until=one.ends_on,
        quantity=Decimal(1),
        billed_quantity=Decimal(1),
        amount=one.billed,
        precise_amount=one.billed,
        obligation=one.id,
        explanation=Explanation(
            sentence=f"taken over as of {opening.as_of}",
            clause=one.id,
            contract_version=contract.version,
            rounding_residue=ZERO,
        ),
    )
    how = (Rule.B1_EARNED, Account.DEFERRED_TIME)
    stream = Ratable(line, rounded(one.billed, opening.currency), opening.currency, how, how)
    earned = stream.earned_by(opening.as_of)
    if stream.amount - earned != one.deferred:
        raise OpeningRefused(
            f"{one.id} from {one.starts_on} to {one.ends_on}: {earned} of {one.billed} is earned by its days, so "
            f"{stream.amount - earned} is deferred; the opening says {one.deferred}",
            ("ahead", index, "deferred"),
        )
    return stream, earned


def _costs(taken: Taken, contracts: Sequence[Contract]) -> Costs:
    """Return what was paid for the pools that run: by window for commitments, by grant for credits."""
    purchased = {credit.id for version in contracts for credit in version.credits}
    paid = [pool for pool in taken.pools if pool.kind in COSTED and pool.cost is not None]
    return Costs(
        bundled={pool.id: pool.cost for pool in paid if pool.id in purchased and pool.cost is not None},
        windows={(pool.id, pool.window): pool.cost for pool in paid if pool.id not in purchased and pool.cost},
    )
