"""Exact arithmetic: a wide decimal context, and the snap that undoes the dust of division."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

DIGITS = 60  # a 24-digit price times a 15-digit quantity, exactly, with room for a division's tail
_FINEST = Decimal(1).scaleb(-40)
_WIDE = Context(prec=DIGITS + 40, rounding=ROUND_HALF_EVEN)


@contextmanager
def exactly() -> Iterator[None]:
    """Compute with 60 digits inside this block; nothing leaves the block but its values."""
    with localcontext() as context:
        context.prec = DIGITS
        yield


def settled(amount: Decimal) -> Decimal:
    """Return an amount to 40 decimal places, without trailing zeros.

    A third of a price has no last digit, and a sum of thirds ends in dust near the 55th. Forty places are more
    than a price of 24 digits times a quantity of 15 can have, so a sum that is exact is returned exactly, and
    half a cent stays half a cent however the sum was split.

    >>> settled(Decimal("0.00499999999999999999999999999999999999999999999999999998"))
    Decimal('0.005')
    """
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -40:
        return amount
    snapped = amount.quantize(_FINEST, context=_WIDE).normalize(_WIDE)
    return snapped if snapped else Decimal(0)
