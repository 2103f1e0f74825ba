"""Sampling: the statements a reviewer looks into before a list is signed, chosen the same way every time."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from models.money import ZERO
from models.reports import RatedView, Sampled, SampledFor

SIZE = 10
"""Statements a reviewer looks into."""


def sample(rated: Iterable[RatedView], size: int = SIZE) -> tuple[Sampled, ...]:
    """Return at most so many statements: in turn the next largest, the next new one and the next most changed.

    New are those without an issued month before; so no reason crowds out another, and none is drawn twice. Amounts are
    ranked within their currency; of equal rank, by currency and customer.
    """
    views = list(rated)
    turns = {
        SampledFor.LARGEST: _ranked(views, lambda one: one.total),
        SampledFor.NEW: _ranked([one for one in views if one.prior is None], lambda one: one.total),
        SampledFor.CHANGED: _ranked([one for one in views if one.change], lambda one: abs(one.change or ZERO)),
    }
    drawn: dict[str, Sampled] = {}
    while turns and len(drawn) < size:
        for why, queue in tuple(turns.items()):
            one = next((one for one in queue if one.statement not in drawn), None)
            if one is None:
                del turns[why]
            elif len(drawn) < size:
                drawn[one.statement] = Sampled(view=one, why=why)
    return tuple(drawn.values())


def _ranked(views: Iterable[RatedView], amount: Callable[[RatedView], Decimal]) -> Iterator[RatedView]:
    by_currency: dict[str, list[RatedView]] = {}
    for one in sorted(views, key=lambda one: (-amount(one), one.customer)):
        by_currency.setdefault(one.currency, []).append(one)
    places = [(rank, currency) for currency, some in by_currency.items() for rank in range(len(some))]
    return iter([by_currency[currency][rank] for rank, currency in sorted(places)])
