"""Contract check: what a contract file says that cannot be meant, and what is legal but odd, each with its way out."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import combinations

from billing.rating import rates as rates_
from billing.rating.supported import ClauseNotSupported, unsupported
from billing.rating.windows import Life, windows_of
from models.contract import Contract, PriceClause, Scope
from models.price import PackagePrice, Price, Tiered, UnitPrice
from models.rate_card import RateVersion
from models.usage import UsageEvent
from models.value import Value

FALLS_TO = Decimal("0.5")
"""A price at or below this share of the one before it is asked about: a slip of a decimal point looks like this."""

Place = tuple[str | int, ...]


class Remark(Value):
    """Something a contract says: where, which clause, what is wrong or odd, and what to do."""

    place: tuple[str | int, ...]
    clause: str
    what: str
    way_out: str
    odd: bool = False  # legal: a warning

    @property
    def key(self) -> str:
        """The place as text, such as commitments.0.scope."""
        return ".".join(map(str, self.place))


def remarks_of(
    contract: Contract,
    cards: Sequence[RateVersion] = (),
    usage: Sequence[UsageEvent] = (),
    earlier: Contract | None = None,
) -> tuple[Remark, ...]:
    """Return what is to be said of a contract version, problems first, each in the order of the file.

    `cards` are the rate versions it may ask, `usage` what its customer used, `earlier` the version before it: what is
    not given is not looked at.
    """
    mine = [one for one in usage if one.customer == contract.customer]
    found = [
        *_overlaps(contract),
        *_too_long(contract),
        *_unsupported(contract),
        *_reaching_nothing(contract, cards),
        *_falling(contract, cards, earlier),
        *_unused(contract, mine),
        *_expired_before(contract, mine),
    ]
    return tuple(sorted(found, key=lambda one: one.odd))


def _overlaps(contract: Contract) -> Iterator[Remark]:
    """Yield price clauses that fit one usage with equal rank: the last in the file would win, and nobody said so."""
    lists: list[tuple[Place, Sequence[PriceClause]]] = [(("prices",), contract.prices)]
    lists += [
        (("commitments", index, "overage", "prices"), one.overage.prices)
        for index, one in enumerate(contract.commitments)
        if one.overage is not None
    ]
    for place, clauses in lists:
        for (_, one), (index, other) in combinations(enumerate(clauses), 2):
            if _rank(one, contract) == _rank(other, contract) and _meet(one, other):
                yield Remark(
                    place=(*place, index),
                    clause=_named(other),
                    what=f"it prices the same usage as {_named(one)}, with equal rank: only the file's order decides",
                    way_out="Name one more dimension in one of them, give it a later `from`, or delete one.",
                )


def _rank(clause: PriceClause, contract: Contract) -> tuple[object, ...]:
    since = contract.instant(clause.starts_at) if clause.starts_at is not None else None
    return (*rates_.specificity(clause.meter, clause.where), since)


def _meet(one: PriceClause, other: PriceClause) -> bool:
    alike = all(other.where.get(key, value) == value for key, value in one.where.items())
    return alike and patterns_meet(one.meter, other.meter)


@lru_cache(maxsize=4096)
def patterns_meet(one: str, other: str) -> bool:
    """Return whether some name fits both patterns, in which `*` stands for any text.

    >>> patterns_meet("llm.*", "*.input_tokens"), patterns_meet("llm.*", "tts.*")
    (True, False)
    """
    if not one or not other:
        return not (one or other).strip("*")
    if one[0] == "*":
        return patterns_meet(one[1:], other) or patterns_meet(one, other[1:])
    if other[0] == "*":
        return patterns_meet(other, one)
    return one[0] == other[0] and patterns_meet(one[1:], other[1:])


def _too_long(contract: Contract) -> Iterator[Remark]:
    """Yield commitments of which no whole window fits into the term."""
    term = contract.term
    life = Life(term.starts_on, term.ends_on, term.starts_on, term.ends_on, contract.timezone, contract.invoice.anchor)
    for index, one in enumerate(contract.commitments):
        windows = windows_of(one.every, one.align, life)
        if not one.prorate and all(window.partial for window in windows):
            yield Remark(
                place=("commitments", index, "every"),
                clause=one.id,
                what=f"it is for a {one.every}; the term from {term.starts_on} to {term.ends_on} holds no whole one",
                way_out="Commit for the term (`every: term`), or say that a part counts in part (`prorate: true`).",
            )


def _unsupported(contract: Contract) -> Iterator[Remark]:
    for clause, why in unsupported(contract):
        yield Remark(place=_place_of(contract, clause), clause=clause, what=why, way_out=ClauseNotSupported.remedy)


def _place_of(contract: Contract, clause: str) -> Place:
    for section in ("fees", "entitlements", "commitments", "credits", "discounts", "minimums", "maximums"):
        for index, one in enumerate(getattr(contract, section)):
            if one.id == clause:
                return (section, index)
    return tuple(clause.split("."))


def _reaching_nothing(contract: Contract, cards: Sequence[RateVersion]) -> Iterator[Remark]:
    """Yield scopes and meters that no price, card or fee of the contract answers to."""
    asked = rates_.cards_of(contract)
    priced = [one.meter for one in contract.prices] + [one.meter for one in cards if one.rate in asked]
    complete = bool(cards) or contract.rate_card is None  # a card that was not given may price anything
    fees = [fee.id for fee in contract.fees]
    for place, clause, scope in _scopes(contract):
        names = list(scope.meters or ())
        meters = [one for one in names if not any(patterns_meet(one, known) for known in priced)]
        strange = [one for one in scope.fees if not any(patterns_meet(one, fee) for fee in fees)]
        if scope.meters is not None and not names and not scope.fees:
            yield _nothing((*place, "meters"), clause, "its scope leaves everything out")
        if complete:
            for name in meters:
                yield _nothing((*place, "meters", names.index(name)), clause, f"no price answers to {name}")
        for name in strange:
            yield _nothing((*place, "fees", scope.fees.index(name)), clause, f"no fee answers to {name}")
    for place, clause, meter in _meters(contract):
        if complete and not any(patterns_meet(meter, known) for known in priced):
            yield _nothing((*place, "meter"), clause, f"no price answers to {meter}")


def _nothing(place: Place, clause: str, what: str) -> Remark:
    return Remark(
        place=place,
        clause=clause,
        what=f"{what}, so it matches nothing",
        way_out="Correct the name, add the price or fee it means, or delete it; --prices FILE gives the card.",
    )


def _scopes(contract: Contract) -> Iterator[tuple[Place, str, Scope]]:
    for section in ("commitments", "credits", "discounts", "minimums", "maximums"):
        for index, one in enumerate(getattr(contract, section)):
            yield (section, index, "scope"), one.id, one.scope


def _meters(contract: Contract) -> Iterator[tuple[Place, str, str]]:
    for section in ("entitlements", "commitments", "discounts"):
        for index, one in enumerate(getattr(contract, section)):
            if one.meter is not None:
                yield (section, index), one.id, one.meter


def _falling(contract: Contract, cards: Sequence[RateVersion], earlier: Contract | None) -> Iterator[Remark]:
    """Yield prices that fall to half or less of what held before: an earlier clause, version, or the card."""
    book = rates_.RateBook.of(cards)
    for index, clause in enumerate(contract.prices):
        now = _headline(clause.price)
        if now is None or "*" in clause.meter:
            continue
        since = contract.instant(clause.starts_at) if clause.starts_at is not None else contract.starts_at
        for whose, before in _before(clause, contract, earlier, book, since):
            if before > 0 and now <= before * FALLS_TO:
                yield Remark(
                    place=("prices", index, "price"),
                    clause=_named(clause),
                    what=f"the price falls to {_percent(now / before)} % of what {whose} says",
                    way_out="Check decimal point and `per`; nothing is needed where it was agreed.",
                    odd=True,
                )


def _before(
    clause: PriceClause, contract: Contract, earlier: Contract | None, book: rates_.RateBook, since: datetime
) -> Iterator[tuple[str, Decimal]]:
    others = [one for one in contract.prices if one is not clause and one.starts_at != clause.starts_at]
    for whose, version, clauses in (
        ("an earlier clause", contract, [one for one in others if one.where == clause.where]),
        (earlier.version if earlier else "", earlier, list(earlier.prices) if earlier else []),
    ):
        if version is None:
            continue
        found = rates_.clause_in_force(clauses, version, clause.meter, clause.where, since)
        price = _headline(found.price) if found is not None and found.meter == clause.meter else None
        if price is not None:
            yield whose, price
    card = contract.rate_card or rates_.LIST_CARD
    try:
        version_in_force = book.rate_in_force(card, clause.meter, clause.where, since)
    except (rates_.NoRate, rates_.OverlappingRates):
        return  # the card says nothing (or two things) of this meter: there is no price to fall from
    if version_in_force.currency == contract.currency:
        yield f"the card {card}", version_in_force.amount / version_in_force.per


def _headline(price: Price) -> Decimal | None:
    """Return what a unit costs at first; None where a price says no amount of its own."""
    if isinstance(price, UnitPrice):
        return price.amount / price.per
    if isinstance(price, PackagePrice):
        return price.amount / price.size
    return price.tiers[0].amount / (price.tiers[0].size or price.tiers[0].per) if isinstance(price, Tiered) else None


def _percent(share: Decimal) -> str:
    return f"{share * 100:.0f}"


def _unused(contract: Contract, usage: Sequence[UsageEvent]) -> Iterator[Remark]:
    """Yield price clauses and scopes for a model that nobody used."""
    if not usage:
        return
    for index, clause in enumerate(contract.prices):
        if "model" in clause.where and not any(
            rates_.matches(one.meter, one.dimensions, clause.meter, clause.where) for one in usage
        ):
            yield _idle(("prices", index, "where"), _named(clause), clause.where["model"])
    used = sorted({one.dimensions.get("model", "") for one in usage})
    for place, clause_id, scope in _scopes(contract):
        for index, model in enumerate(scope.models or ()):
            if not any(patterns_meet(model, name) for name in used):
                yield _idle((*place, "models", index), clause_id, model)


def _idle(place: Place, clause: str, model: str) -> Remark:
    return Remark(
        place=place,
        clause=clause,
        what=f"nobody uses the model {model} in the usage given",
        way_out="Check the model's name against the usage; nothing is needed where it is for later.",
        odd=True,
    )


def _expired_before(contract: Contract, usage: Sequence[UsageEvent]) -> Iterator[Remark]:
    """Yield credits and discounts that are over before anything is used."""
    if not usage:
        return
    first = min(one.timestamp for one in usage)
    for section, name in (("credits", "expires"), ("discounts", "until")):
        for index, one in enumerate(getattr(contract, section)):
            end = getattr(one, name)
            if end is not None and contract.instant(end) <= first:
                yield Remark(
                    place=(section, index, name),
                    clause=one.id,
                    what=f"it ends at {end}, before the first usage at {first.isoformat()}",
                    way_out="Check the date; nothing is needed where it is only kept for the record.",
                    odd=True,
                )


def _named(clause: PriceClause) -> str:
    where = ", ".join(f"{key}={value}" for key, value in sorted(clause.where.items()))
    since = f" from {clause.starts_at}" if clause.starts_at is not None else ""
    return f"{clause.meter}{f' [{where}]' if where else ''}{since}"
