"""Quote: what a usage costs at the list price of a card, at its instant, exact and as it would be booked."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.rating import prices, rates
from billing.rating.exact import exactly, settled
from billing.rating.rates import RateBook
from models.money import Currency, rounded
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.usage import Dimensions
from models.value import Exact, Value


class Asked(Value):
    """One line that is asked for."""

    meter: str
    dimensions: Dimensions
    quantity: Exact
    at: datetime


class Quoted(Value):
    """What a line costs: exact to forty places (a third has no last one), and rounded once by the one rule."""

    version: RateVersion
    quantity: Exact
    exact: Exact
    amount: Exact
    currency: Currency


class Unpriced(Refusal):
    """The card does not price a line; `field` is what it does not know."""

    remedy = "Correct the named field, or propose the rate: tieout rates propose FILE."

    def __init__(self, what: str, line: int | None, field: str, **facts: object) -> None:
        self.line, self.field = line, field
        super().__init__(what, line=line, field=field, **facts)


def quote(book: RateBook, card: str, lines: Sequence[Asked]) -> tuple[Quoted, ...]:
    """Return the price of each line at the version of the card in force at its instant.

    Raises:
        Unpriced: naming the line, counted from 0, and the field the card does not know: card, meter, dimensions, at.
    """
    if card not in book.cards:
        raise Unpriced(f"there is no card {card!r}", None, "card", card=card)
    return tuple(_line(book, card, number, line) for number, line in enumerate(lines))


def _line(book: RateBook, card: str, number: int, line: Asked) -> Quoted:
    try:
        version = book.rate_in_force(card, line.meter, line.dimensions, line.at)
    except rates.NoRate:
        raise _unknown(book, card, number, line) from None
    except rates.OverlappingRates as refusal:
        raise Unpriced(refusal.what, number, "dimensions", **refusal.facts) from refusal
    with exactly():
        exact = settled(prices.priced(version.amount, version.per, line.quantity))
    return Quoted(
        version=version,
        quantity=line.quantity,
        exact=exact,
        amount=rounded(exact, version.currency),
        currency=version.currency,
    )


def _unknown(book: RateBook, card: str, number: int, line: Asked) -> Unpriced:
    """Return which field is at fault: the first that no version of the card has."""
    if book.matching(card, line.meter, line.dimensions):
        at = line.at.isoformat()
        return Unpriced(f"no version of {card} is in force at {at}", number, "at", at=at, meter=line.meter)
    held = book.cards[card]
    if line.meter not in held.exact:
        return Unpriced(f"{card} has no meter {line.meter!r}", number, "meter", meter=line.meter)
    return Unpriced(
        f"{card} has no {line.meter} of these dimensions", number, "dimensions", dimensions=dict(line.dimensions)
    )


def amount_of(quoted: Sequence[Quoted]) -> dict[str, Decimal]:
    """Return the sum of the booked amounts by currency: the sum of the rounded lines."""
    sums: dict[str, Decimal] = {}
    for one in quoted:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.amount
    return sums
