"""Alerting: what a customer wants to be told of, and in which months it would have been told."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from billing.pool_views import PoolView
from models.period import Month
from models.statement import Statement
from models.value import Exact, Value


class AlertKind(StrEnum):
    """What is watched; the threshold is an amount of the invoice's currency, or a percentage of a pool."""

    TOTAL = "total"  # a month's total reaches an amount
    POOL = "pool"  # so many percent of a commitment or credit are used


class Firing(Value):
    """A month in which an alert would have been told, and what it would have said."""

    month: Month
    value: Exact


def firings(kind: AlertKind, subject: str, threshold: Decimal, statements: Sequence[Statement],
            pools: Sequence[PoolView]) -> tuple[Firing, ...]:  # fmt: skip
    """Return when an alert would have fired over the issued months, oldest first; of a pool's window, once."""
    if kind is AlertKind.TOTAL:
        return tuple(Firing(month=one.period, value=one.total) for one in statements if one.total >= threshold)
    found = []
    for view in pools:
        if view.pool != subject or not view.committed:
            continue
        used = Decimal(0)
        for row in view.rows:
            used += row.drawn
            if used * 100 >= threshold * view.committed:
                found.append(Firing(month=row.period, value=used))
                break
    return tuple(sorted(found, key=lambda one: one.month))
