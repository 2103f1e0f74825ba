"""Rates: which clause of a contract, and which version of a rate card, price a usage at its instant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from billing.rating.timeline import Timeline
from models.contract import Contract, PriceClause
from models.price import PassThroughPrice
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.usage import Dimensions

LIST_CARD = "list"
"""The card that is asked when a contract names none."""


class NoRate(Refusal):
    """No clause and no rate version prices a usage at its instant."""

    remedy = "Add the price to the contract or the rate version to the card; nothing is billed at a default."


class OverlappingRates(Refusal):
    """Two rate versions claim one usage at one instant. Nothing chooses between them."""

    remedy = "End one of them, or name more dimensions in one, in the rate card."


def matches(meter: str, dimensions: Dimensions, pattern: str, where: Dimensions) -> bool:
    """Return whether a meter pattern and its dimensions fit a usage; a dimension not named fits any value."""
    return fnmatchcase(meter, pattern) and all(dimensions.get(key) == value for key, value in where.items())


def specificity(pattern: str, where: Dimensions) -> tuple[int, int, bool]:
    """Return how narrow a match is: most dimensions, then the longest pattern, an exact name before a wildcard."""
    return len(where), len(pattern.replace("*", "")), "*" not in pattern


def clause_in_force(
    clauses: Sequence[PriceClause], contract: Contract, meter: str, dimensions: Dimensions, at: datetime
) -> PriceClause | None:
    """Return the clause that prices a usage at an instant, or None where the contract leaves it to its rate card.

    Most `where` keys, then the longest meter pattern, then the latest `from`, then the last in the file.
    """
    best: tuple[tuple[object, ...], PriceClause] | None = None
    for order, clause in enumerate(clauses):
        starts_at = contract.instant(clause.starts_at) if clause.starts_at is not None else None
        if (starts_at is not None and starts_at > at) or not matches(meter, dimensions, clause.meter, clause.where):
            continue
        rank = (*specificity(clause.meter, clause.where), starts_at is not None, starts_at or at, order)
        if best is None or rank > best[0]:
            best = (rank, clause)
    return best[1] if best else None


@dataclass(slots=True)
class Card:
    """One card's versions, found by meter and by the dimensions they name: a card may hold thousands of models."""

    exact: dict[str, dict[tuple[str, ...], dict[tuple[str, ...], list[RateVersion]]]] = field(default_factory=dict)
    patterns: list[RateVersion] = field(default_factory=list)

    def add(self, version: RateVersion) -> None:
        """Take in a version."""
        if "*" in version.meter:
            self.patterns.append(version)
            return
        names = tuple(sorted(version.where))
        values = tuple(version.where[name] for name in names)
        self.exact.setdefault(version.meter, {}).setdefault(names, {}).setdefault(values, []).append(version)

    def matching(self, meter: str, dimensions: Dimensions) -> tuple[RateVersion, ...]:
        """Return every version that fits a usage, whenever it starts."""
        found: list[RateVersion] = []
        for names, by_values in self.exact.get(meter, {}).items():
            found += by_values.get(tuple(dimensions.get(name, "\0") for name in names), ())
        found += [one for one in self.patterns if matches(meter, dimensions, one.meter, one.where)]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class RateBook:
    """The rate versions by card, as known."""

    cards: dict[str, Card]
    dimensions: dict[str, frozenset[str]]  # which dimensions a card's versions look at

    @classmethod
    def of(cls, versions: Iterable[RateVersion]) -> "RateBook":
        """Return the versions as a book."""
        cards: dict[str, Card] = {}
        looked_at: dict[str, set[str]] = {}
        for version in versions:
            cards.setdefault(version.rate, Card()).add(version)
            looked_at.setdefault(version.rate, set()).update(version.where)
        return cls(cards, {card: frozenset(names) for card, names in looked_at.items()})

    def matching(self, card: str, meter: str, dimensions: Dimensions) -> tuple[RateVersion, ...]:
        """Return every version of a card that fits a usage, whenever it starts."""
        held = self.cards.get(card)
        return held.matching(meter, dimensions) if held is not None else ()

    def rate_in_force(self, card: str, meter: str, dimensions: Dimensions, at: datetime) -> RateVersion:
        """Return the one version of a card in force for a usage at an instant: narrowest subject, latest start.

        Raises:
            NoRate, OverlappingRates: the card does not answer; we never choose for it.
        """
        begun = [version for version in self.matching(card, meter, dimensions) if version.starts_at <= at]
        if not begun:
            raise NoRate(
                "no rate version is in force", card=card, meter=meter, dimensions=dimensions, at=at.isoformat()
            )
        narrowest = max(specificity(version.meter, version.where) for version in begun)
        rivals = [version for version in begun if specificity(version.meter, version.where) == narrowest]
        latest = max(version.starts_at for version in rivals)
        chosen = [version for version in rivals if version.starts_at == latest]
        if len({version.subject for version in rivals}) > 1 or len(chosen) > 1:
            raise OverlappingRates(
                "several rate versions claim one usage",
                at=at.isoformat(),
                rivals=", ".join(version.id for version in (rivals if len(chosen) == 1 else chosen)),
            )
        return chosen[0]


def exchange_rate(contract: Contract, book: RateBook, currency: str, wanted: str, at: datetime) -> RateVersion:
    """Return the rate version that turns one currency into another, from the contract's fx source.

    A version `fx.<currency>` may say where it leads by `where: {to: …}`; its own currency is where it leads.

    Raises:
        NoRate: no source is named, or it leads elsewhere; nothing is converted by guess.
    """
    if contract.fx is None:
        raise NoRate("a price is in another currency and the contract names no fx source", currency=currency)
    found = book.rate_in_force(contract.fx.source, f"fx.{currency}", {"to": wanted}, at)
    if found.currency != wanted:
        raise NoRate("the exchange rate leads to another currency", rate=found.id, wanted=wanted)
    return found


def cards_of(contract: Contract) -> frozenset[str]:
    """Return the rate cards a contract version may ask."""
    priced = {
        clause.price.rate_card
        for clause in (
            *contract.prices,
            *(price for one in contract.commitments if one.overage for price in one.overage.prices),
        )
        if isinstance(clause.price, PassThroughPrice) and clause.price.rate_card
    }
    exchange = {contract.fx.source} if contract.fx else set()
    return frozenset({contract.rate_card or LIST_CARD, *priced, *exchange})


def clause_starts(timeline: Timeline) -> frozenset[datetime]:
    """Return every instant at which a price clause, or an overage price, begins."""
    return frozenset(
        reign.contract.instant(clause.starts_at)
        for reign in timeline.reigns
        for clause in (
            *reign.contract.prices,
            *(price for one in reign.contract.commitments if one.overage for price in one.overage.prices),
        )
        if clause.starts_at is not None
    )
