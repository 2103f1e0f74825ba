"""Money: a decimal with its currency, rounded once by the one rule."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import lru_cache
from typing import Annotated

from babel.core import Locale
from babel.numbers import get_currency_precision
from pydantic import AfterValidator

from models.value import Exact, Value

ZERO = Decimal(0)
_DIGITS = 60  # wide enough for a 24-digit price times a 15-digit quantity, exactly
_WIDE = Context(prec=_DIGITS)


@lru_cache
def _known_currencies() -> frozenset[str]:
    return frozenset(Locale("en").currencies)


def is_currency(code: str) -> bool:
    """Return whether this is a currency's code (a virtual unit's, or a meter, is none)."""
    return code in _known_currencies()


def _currency(code: str) -> str:
    if code not in _known_currencies():
        raise ValueError(f"expected an ISO 4217 currency such as USD, got {code!r}")
    return code


Currency = Annotated[str, AfterValidator(_currency)]


@lru_cache
def minor_digits(currency: str) -> int:
    """Return how many digits the currency's minor unit has (ISO 4217 by way of CLDR): JPY 0, USD 2, KWD 3."""
    return int(get_currency_precision(_currency(currency)))


@lru_cache
def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return the amount at the currency's minor unit, half away from zero: the house's one rounding rule.

    >>> rounded(Decimal("2.345"), "USD"), rounded(Decimal("-0.5"), "JPY")
    (Decimal('2.35'), Decimal('-1'))
    """
    return _WIDE.add(amount.quantize(_minor_unit(currency), rounding=ROUND_HALF_UP, context=_WIDE), ZERO)


def to_minor(amount: Decimal, currency: str) -> int:
    """Return the amount in minor units (cents); raises ValueError when it is finer than the minor unit."""
    scaled = amount.scaleb(minor_digits(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} is finer than the minor unit")
    return int(scaled)


def from_minor(minor: int, currency: str) -> Decimal:
    """Return the amount of so many minor units."""
    return Decimal(minor).scaleb(-minor_digits(currency)) + 0


def split(total: Decimal, weights: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Split a booked amount in proportion to weights: largest remainder, ties by order; nothing is lost.

    All weights zero: the whole goes to the first part. Raises ValueError on no weights or a negative one.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("a split needs weights of zero or more")
    whole = sum(weights, ZERO)
    minor = to_minor(total, currency)
    if whole == 0:
        return (total, *([ZERO] * (len(weights) - 1)))
    sign = -1 if minor < 0 else 1
    with localcontext() as context:
        context.prec = _DIGITS
        shares = [abs(minor) * weight / whole for weight in weights]
        parts = [int(share) for share in shares]
        by_remainder = sorted(range(len(weights)), key=lambda i: (-(shares[i] - parts[i]), i))
    for index in by_remainder[: abs(minor) - sum(parts)]:
        parts[index] += 1
    return tuple(from_minor(sign * part, currency) for part in parts)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum; zero for none."""
    return sum(amounts, ZERO)


class Money(Value):
    """An amount in a currency."""

    amount: Exact
    currency: Currency

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"


def money_text(amount: Decimal, currency: str) -> str:
    """Return a booked amount as people read it: 1,234.50 USD."""
    return f"{rounded(amount, currency):,f} {currency}"
