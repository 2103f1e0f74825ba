"""Exact arithmetic: a wide decimal context, and the snap that undoes the dust of division."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

DIGITS = 80  # a 24-digit price times a 15-digit quantity, exactly, with a wide margin for a division's tail
PLACES = 40  # what a finished number keeps
_FINEST = {places: Decimal(1).scaleb(-places) for places in (30, PLACES)}
_WIDE = Context(prec=DIGITS + PLACES, rounding=ROUND_HALF_EVEN)

NEGLIGIBLE = Decimal(1).scaleb(-50)
"""Below this a difference is the dust of a division, near the 70th place, not money and not a unit."""


@contextmanager
def exactly() -> Iterator[None]:
    """Compute with 80 digits inside this block; nothing leaves the block but its values."""
    with localcontext() as context:
        context.prec = DIGITS
        yield


def settled(amount: Decimal, places: int = PLACES) -> Decimal:
    """Return an amount to 40 decimal places (or 30, for a sum of settled ones), without trailing zeros.

    A third of a price has no last digit, and a sum of thirds ends in dust near the 70th place. Forty places are more
    than a price of 24 digits times a quantity of 15 can have, so a sum that is exact is returned exactly, and
    half a cent stays half a cent however the sum was split.

    >>> settled(Decimal("0.0049999999999999999999999999999999999999999999999999999999999999999999998"))
    Decimal('0.005')
    """
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -places:
        return amount
    snapped = amount.quantize(_FINEST[places], context=_WIDE).normalize(_WIDE)
    return snapped if snapped else Decimal(0)
