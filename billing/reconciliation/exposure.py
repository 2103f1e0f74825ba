"""Exposure: the money at risk of each finding, by rating the month twice with the customer's own contract."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import pyarrow as pa

from models.money import Currency
from models.reconciliation import Exposure, Finding
from models.refusal import Refusal
from models.statement import LineKind, Statement

Billed = tuple[Decimal, Currency]
"""What a month's usage is worth by a contract, and the contract's currency."""

USAGE = frozenset({LineKind.USAGE, LineKind.OVERAGE, LineKind.DISCOUNT})
"""What usage alone is worth: who draws it from a prepaid pool, or stays under a floor, loses by a wrong number too."""

MOST_RATED = 200
"""Findings of one customer that are rated one by one; a customer with more has one fault, not hundreds."""


def worth(statement: Statement) -> Decimal:
    """Return what a statement's usage is worth: at its prices and discounts, before pools, credits, floors and tax."""
    return sum((line.amount for line in statement.lines if line.kind in USAGE), Decimal(0))


def exposures(
    findings: Iterable[Finding],
    usage: pa.Table,
    instead: Callable[[Finding], pa.Table | None],
    bill: Callable[[pa.Table], Billed],
) -> tuple[Exposure, ...]:
    """Return what each finding moves: the month billed with the other source in its span, less as it stands.

    `instead` gives the month's usage with the other source in a finding's span; `bill` rates a month's usage.
    """
    held = tuple(findings)
    if not held:
        return ()
    try:
        stands, currency = bill(usage)
    except Refusal as refusal:
        why = f"the month cannot be rated as it stands: {refusal.code}: {refusal.what}"
        return tuple(Exposure(finding=one.id, why=why) for one in held)
    return tuple(
        _exposure(one, instead, bill, stands, currency)
        if number < MOST_RATED
        else Exposure(finding=one.id, why=f"only the first {MOST_RATED} findings of a customer are rated")
        for number, one in enumerate(held)
    )


def _exposure(
    finding: Finding,
    instead: Callable[[Finding], pa.Table | None],
    bill: Callable[[pa.Table], Billed],
    stands: Decimal,
    currency: Currency,
) -> Exposure:
    usage = instead(finding)
    if usage is None:
        return Exposure(finding=finding.id, why=f"only {finding.source} says so: there is nothing to rate it against")
    try:
        other, _ = bill(usage)
    except Refusal as refusal:
        return Exposure(finding=finding.id, why=f"the other source cannot be rated: {refusal.code}: {refusal.what}")
    return Exposure(finding=finding.id, amount=other - stands, currency=currency)
