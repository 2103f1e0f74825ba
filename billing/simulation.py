"""Simulation: two statements of one customer's period, as they are and as they would be, and what moves between them.

Pure: rate the same usage twice, once with what is in force and once with what is proposed, and give both here.
"""

from collections.abc import Sequence
from decimal import Decimal

from models.contract import Contract
from models.money import ZERO
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.simulation import Difference, Moved
from models.statement import LineKind, RatedLine, Statement

_KINDS = list(LineKind)
Place = tuple[int, str, tuple[tuple[str, str], ...]]


class NotComparable(Refusal):
    """Two statements are not of one contract, period and currency, so that their difference means nothing."""

    remedy = "Rate the same usage of one contract and period twice, with the terms in force and those proposed."


def difference(before: Statement, after: Statement) -> Difference:
    """Return what moves from one statement to the other, by place, in the statement's order of kinds.

    Amounts are booked ones, in the currency's minor unit; what moves sums to the difference of the totals.

    Raises:
        NotComparable: contract, customer, period or currency differ.
    """
    for name in ("customer", "contract", "period", "currency"):
        if getattr(before, name) != getattr(after, name):
            raise NotComparable(
                f"the {name} differs", before=str(getattr(before, name)), after=str(getattr(after, name))
            )
    old, new = _by_place(before), _by_place(after)
    return Difference(
        customer=after.customer,
        contract=after.contract,
        period=after.period,
        currency=after.currency,
        before=before.total,
        after=after.total,
        difference=after.total - before.total,
        moved=tuple(
            _moved(place, old.get(place, ZERO), new.get(place, ZERO))
            for place in sorted({*old, *new})
            if old.get(place, ZERO) != new.get(place, ZERO)
        ),
    )


def rates_with(rates: Sequence[RateVersion], proposed: Sequence[RateVersion]) -> tuple[RateVersion, ...]:
    """Return the rate versions as they would be: a proposed one replaces the one with its id, another is added."""
    return tuple({**{one.id: one for one in rates}, **{one.id: one for one in proposed}}.values())


def terms_with(versions: Sequence[Contract], proposed: Sequence[Contract]) -> tuple[Contract, ...]:
    """Return the contract versions as they would be: a proposed one replaces that of its day, another amends."""
    return tuple({**{one.version: one for one in versions}, **{one.version: one for one in proposed}}.values())


def _by_place(statement: Statement) -> dict[Place, Decimal]:
    sums: dict[Place, Decimal] = {}
    for line in statement.lines:
        sums[_place(line)] = sums.get(_place(line), ZERO) + line.amount
    return sums


def _place(line: RatedLine) -> Place:
    return _KINDS.index(line.kind), line.meter or line.clause, tuple(sorted(line.dimensions.items()))


def _moved(place: Place, before: Decimal, after: Decimal) -> Moved:
    kind, name, dimensions = place
    return Moved(
        kind=_KINDS[kind],
        name=name,
        dimensions=dict(dimensions),
        before=before,
        after=after,
        difference=after - before,
    )
