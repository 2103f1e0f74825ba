"""Prices: a quantity and a price kind give amounts. All are functions of running totals, so no split changes a sum."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, ROUND_UP, Decimal

from billing.rating.exact import settled
from models.money import ZERO
from models.price import CliffsPrice, Convert, PercentagePrice, Tier, Tiered

_ROUNDINGS = {"up": ROUND_UP, "down": ROUND_DOWN, "half_up": ROUND_HALF_UP}


Products = dict[tuple[str, Decimal, Decimal], Decimal]
"""What an amount is the sum of, where units times a price do not tell: (label, amount, per) to a count."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one step of a price makes of a quantity: billed units and their exact amount, `flat` of it for the tier."""

    tier: int
    billed: Decimal
    amount: Decimal
    flat: Decimal = ZERO
    products: Products | None = None


def converted(convert: Convert | None, metered: Decimal) -> Decimal:
    """Return the units billed for a running total of units metered."""
    if convert is None:
        return metered
    units = settled(metered / convert.divide)
    if convert.round is None:
        return units
    return units.quantize(Decimal(1).scaleb(-convert.digits), rounding=_ROUNDINGS[convert.round])


def priced(amount: Decimal, per: Decimal, units: Decimal) -> Decimal:
    """Return the exact price of units sold at an amount for every `per` of them."""
    return units * amount if per == 1 else units * amount / per


def tier_at(tiers: tuple[Tier, ...], position: Decimal) -> int:
    """Return the tier a total of units lies in; a tier's bound is inclusive.

    >>> from decimal import Decimal
    >>> tiers = (Tier(up_to=Decimal(10), amount=Decimal(2)), Tier(up_to=None, amount=Decimal(1)))
    >>> tier_at(tiers, Decimal(10)), tier_at(tiers, Decimal("10.5"))
    (0, 1)
    """
    for index, tier in enumerate(tiers):
        if tier.up_to is None or position <= tier.up_to:
            return index
    raise AssertionError("the last tier is open")


def graduated(price: Tiered, before: Decimal, after: Decimal, begun: bool) -> list[Part]:
    """Price the units from one running total to the next, each slice at its own tier.

    A tier's flat part is owed once, when the total enters it: that of the first tier with the first usage, of zero
    units too unless `charge_flat_at_zero` says no. `begun` tells that the first tier was entered before.
    """
    parts: list[Part] = []
    lower = ZERO
    for index, tier in enumerate(price.tiers):
        upper = after if tier.up_to is None else min(after, tier.up_to)
        start = max(before, lower)
        units = max(ZERO, upper - start)
        first = not begun and (after > 0 or price.charge_flat_at_zero)
        enters = first if index == 0 else before <= lower < after
        flat = tier.flat if enters else ZERO
        if units or flat:
            parts.append(Part(index, units, _tier_amount(tier, start - lower, upper - lower, units) + flat, flat))
        if tier.up_to is None or tier.up_to >= after:
            break
        lower = tier.up_to
    return parts


def volume(tier: Tier, index: int, before: Decimal, after: Decimal, flat: Decimal) -> Part:
    """Price the units from one running total to the next at the tier the whole total reaches."""
    units = after - before
    return Part(index, units, _tier_amount(tier, before, after, units) + flat, flat)


def packages(size: Decimal, rounding: str, before: Decimal, after: Decimal) -> Decimal:
    """Return how many packages are opened (or, rounding down, filled) between two running totals."""
    mode = ROUND_CEILING if rounding == "up" else ROUND_FLOOR
    return (after / size).to_integral_value(mode) - (before / size).to_integral_value(mode)


def percentage(price: PercentagePrice, quantity: Decimal, events: int, events_before: int) -> Part:
    """Return the price of events worth `quantity` together.

    `min` and `max` bound the price of one event, its fixed part included; free events pay neither part.
    """
    one = Decimal(1)
    free = max(0, min(events, price.free_events - events_before))
    if free == events and events > 0:
        return Part(0, ZERO, ZERO, products={("free events", ZERO, one): Decimal(events)})
    amount = price.rate * quantity + price.fixed * (events - free)
    if price.min is not None and amount < price.min:
        return Part(0, quantity, price.min, products={("events at the least", price.min, one): one})
    if price.max is not None and amount > price.max:
        return Part(0, quantity, price.max, products={("events at the most", price.max, one): one})
    products: Products = {("value at the rate", price.rate, one): quantity}
    if price.fixed:
        products["fixed part of each event", price.fixed, one] = Decimal(events - free)
    return Part(0, quantity, amount, products=products)


def needs_events(price: object) -> bool:
    """Return whether a price looks at single events, so that a bucket of several can't be priced."""
    return isinstance(price, CliffsPrice) or (
        isinstance(price, PercentagePrice) and (price.free_events > 0 or price.min is not None or price.max is not None)
    )


def _tier_amount(tier: Tier, start: Decimal, end: Decimal, units: Decimal) -> Decimal:
    if tier.size is None:
        return priced(tier.amount, tier.per, units)
    blocks = (end / tier.size).to_integral_value(ROUND_CEILING) - (start / tier.size).to_integral_value(ROUND_CEILING)
    return blocks * tier.amount
