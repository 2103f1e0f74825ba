"""Findings counted: planted, found, missed and false, by kind of fault."""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.deeds import Outside
from devstack.book.faults import PLANTED
from models.reconciliation import Cause

Place = tuple[str, str]
"""Customer and source."""


@dataclass(frozen=True)
class Count:
    """One kind of fault: where it was planted, where it was found."""

    cause: Cause
    planted_at: frozenset[Place]
    found_at: frozenset[Place]

    @property
    def planted(self) -> int:
        """How many were planted."""
        return len(self.planted_at)

    @property
    def found(self) -> int:
        """How many of those were found, by this name, at this source, for this customer."""
        return len(self.planted_at & self.found_at)

    @property
    def missed(self) -> tuple[Place, ...]:
        """What was planted and not found."""
        return tuple(sorted(self.planted_at - self.found_at))

    @property
    def false(self) -> tuple[Place, ...]:
        """What was found and not planted."""
        return tuple(sorted(self.found_at - self.planted_at))


def count(outside: Outside, month: str, customers: Sequence[str]) -> tuple[Count, ...]:
    """Return the counts of every kind that was planted or found."""
    found: dict[Cause, set[Place]] = {}
    for customer in customers:
        reconciliation = outside.evidence.latest_reconciliation(month, 1, customer)
        for finding in reconciliation.findings if reconciliation else ():
            found.setdefault(finding.cause, set()).add((customer, finding.source))
    planted: dict[Cause, set[Place]] = {}
    for one in PLANTED:
        planted.setdefault(one.cause, set()).add((one.customer, one.source))
    return tuple(
        Count(cause, frozenset(planted.get(cause, ())), frozenset(found.get(cause, ())))
        for cause in Cause
        if cause in planted or cause in found
    )
