"""Scopes: which usage and fees a clause speaks of, and which clause contains another."""

from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from billing.rating.timeline import Standing
from billing.rating.usage import Group
from models.contract import Bound, Commitment, Credit, Discount, Scope

Scoped = Bound | Commitment | Credit | Discount


@dataclass(slots=True)
class Reach:
    """What one standing clause reaches, remembered by group and wording."""

    standing: Standing[Bound] | Standing[Commitment] | Standing[Credit] | Standing[Discount]
    _known: dict[tuple[int, int], bool] = field(default_factory=dict)

    def holds(self, group: Group, at: datetime) -> bool:
        """Return whether the clause, as it stands at an instant, speaks of a group."""
        clause = self.standing.at(at)
        key = (group.index, id(clause))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = reaches(clause, group)
        return known

    def ever(self, group: Group) -> bool:
        """Return whether the clause, in any of its wordings, speaks of a group."""
        return any(reaches(clause, group) for _, _, clause in self.standing.said)


def reaches(clause: Scoped, group: Group) -> bool:
    """Return whether a clause speaks of a group: all usage in its scope; a fee only when it is named."""
    if group.fee is not None:
        return clause.scope.holds_fee(group.fee)
    meter = clause.meter if isinstance(clause, Commitment | Discount) else None
    if meter is not None and not fnmatchcase(group.meter, meter):
        return False
    return clause.scope.holds(group.meter, group.by_name)


def width(clause: Scoped) -> tuple[object, ...]:
    """Return how wide a clause's scope is, the narrowest first; a meter of its own narrows before patterns do."""
    meter = clause.meter if isinstance(clause, Commitment | Discount) else None
    tags, models, meters, length = clause.scope.width
    if meter is not None:
        return tags, models, 0, min(length, -len(meter.replace("*", "")))
    return tags, models, meters, length


def contains(outer: Commitment, inner: Commitment) -> bool:
    """Return whether everything the inner commitment speaks of is in the outer one's scope."""
    mine = outer.scope.meters if outer.meter is None else (outer.meter,)
    theirs = inner.scope.meters if inner.meter is None else (inner.meter,)
    if mine is not None and (theirs is None or not all(_covered(pattern, mine) for pattern in theirs)):
        return False
    if outer.scope.models is not None and (
        inner.scope.models is None or not all(_covered(model, outer.scope.models) for model in inner.scope.models)
    ):
        return False
    return all(
        tag in inner.scope.tags and set(inner.scope.tags[tag]) <= set(fitting)
        for tag, fitting in outer.scope.tags.items()
    )


def _covered(pattern: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(pattern, wider) for wider in patterns)


def dimensions_of(scope: Scope) -> frozenset[str]:
    """Return the dimensions a scope looks at."""
    return frozenset(scope.tags) | ({"model"} if scope.models is not None else frozenset())
