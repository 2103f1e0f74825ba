"""Explanation: every rated line tells how its amount came about, so that it can be computed again from its rows.

How rows are read (examples/README.md): a row with `a x b / c` or an amount is added, a row that begins with `x`
multiplies what stands above it, `in USD` begins anew, `rounded` rounds; a row without any of it is a remark.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from billing.rating.drafts import Draft
from billing.rating.exact import settled
from models.money import ZERO, money_text, rounded, total
from models.price import (
    CliffsPrice,
    FlatPrice,
    PackagePrice,
    PassThroughPrice,
    PercentagePrice,
    Tier,
    Tiered,
    UnitPrice,
)
from models.statement import Explanation, LineKind, Step

_SHOWN = 12  # digits after the point in a sentence; the rows have them all


def text_of(number: Decimal) -> str:
    """Return a number as a row shows it: grouped, every digit.

    >>> text_of(Decimal("1234567.50"))
    '1,234,567.5'
    """
    text = format(number, ",f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def explained(draft: Draft, currency: str, extra: tuple[Step, ...] = ()) -> Explanation:
    """Return the explanation of a line of usage or of a fee."""
    terms, rate = draft.terms, draft.terms.rate
    sources = "+".join(sorted(source for source in draft.sources if source))
    return Explanation(
        sentence=_sentence(draft, currency),
        source=sources or None,
        events=draft.events,
        rate_version=terms.rate_id or None,
        rate_source=rate.told if rate else None,
        clause=terms.label,
        contract_version=terms.contract.version,
        steps=(*_steps(draft, currency), *extra, *_rounding(draft, currency)),
        rounding_residue=draft.amount - (draft.precise_before + draft.gross - draft.booked_before),
    )


def _sentence(draft: Draft, currency: str) -> str:
    amount, what = money_text(draft.amount, currency), draft.group.meter
    quantity = f"{text_of(round(draft.quantity, _SHOWN))} {what}"
    if draft.group.fee is not None:
        return f"The fee {draft.group.fee}: {amount}."
    match draft.kind:
        case LineKind.EXCLUDED:
            return f"{quantity} ran on your own key at the provider, who bills it: {amount}."
        case LineKind.INCLUDED:
            return f"{quantity} are included by {draft.terms.label}: {amount}."
        case LineKind.OVERAGE:
            return f"{quantity} past {draft.overage_of}, at its overage terms: {amount}."
    if draft.covered_by is not None:
        return f"{quantity} = {amount}, all paid by {draft.covered_by.name}."
    late = f" of the period from {draft.home}, reported late," if draft.home else ""
    return f"{quantity}{late} by {draft.terms.label}: {amount}."


def _steps(draft: Draft, currency: str) -> Iterator[Step]:
    terms = draft.terms
    if draft.kind is LineKind.EXCLUDED:
        yield Step(text=terms.reason, amount=ZERO)
        return
    if draft.kind is LineKind.INCLUDED:
        yield Step(text=f"{text_of(draft.quantity)} units included", amount=ZERO)
        return
    if draft.group.fee is not None:
        yield from terms.arithmetic
        elsewhere = draft.gross - total(step.amount or ZERO for step in terms.arithmetic)
        if elsewhere:
            yield Step(text="less what a pool pays of it, or does not, on another line", amount=elsewhere)
        return
    shown = _Shown(draft.gross, draft.flat)
    if draft.multiplier:
        shown = shown.without(draft.multiplier, Decimal(1))
    if terms.exchange is not None:
        shown = shown.without(terms.exchange.amount, terms.exchange.per)
    yield from _arithmetic(draft, shown)
    if terms.exchange is not None:
        rate = terms.exchange
        yield Step(text=f"x {text_of(rate.amount)} / {text_of(rate.per)} {currency}, by {rate.id}")
    if draft.multiplier is not None:
        text = f"x {text_of(draft.multiplier)}, the overage multiplier of {draft.overage_of}"
        yield Step(text=text, amount=draft.gross)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A line's exact amount in the price's own currency and before any multiplier, and the flat parts in it."""

    amount: Decimal
    flat: Decimal

    def without(self, factor: Decimal, per: Decimal) -> "_Shown":
        """Return it before a factor; nothing is left to show of what was multiplied by zero."""
        if factor == 0:
            return self
        return _Shown(self.amount * per / factor, self.flat * per / factor)


def _arithmetic(draft: Draft, shown: _Shown) -> Iterator[Step]:
    price = draft.terms.price
    if draft.billed != draft.quantity and not isinstance(price, PercentagePrice):
        yield Step(text=f"{text_of(draft.quantity)} metered are {text_of(draft.billed)} billed{_conversion(price)}")
    if draft.products:
        yield from _products(draft, shown)
        return
    match price:
        case UnitPrice():
            yield Step(text=f"{text_of(draft.billed)} x {_per(price.amount, price.per)}", amount=shown.amount)
        case Tiered():
            yield from _tier(draft, price.tiers, shown, price.kind)
        case CliffsPrice():
            yield from _tier(draft, price.tiers, shown, "by request")
        case PackagePrice():
            text = f"packages of {text_of(price.size)}: {text_of(draft.billed)} x {text_of(price.amount)}"
            yield Step(text=text, amount=shown.amount)
        case FlatPrice():
            share = settled(shown.amount / price.amount) if price.amount else ZERO
            yield Step(text=f"for the period: {text_of(share)} x {text_of(price.amount)}", amount=shown.amount)
        case _:
            yield from _listed(draft, shown)


def _listed(draft: Draft, shown: _Shown) -> Iterator[Step]:
    rate, price = draft.terms.rate, draft.terms.price
    if rate is None:
        return
    listed = f"{text_of(draft.billed)} x {_per(rate.amount, rate.per)} {rate.currency}, list price"
    if not isinstance(price, PassThroughPrice):
        yield Step(text=listed, amount=shown.amount)
        return
    yield Step(text=listed)
    yield Step(text=f"x (1 + {text_of(price.markup)}), the markup", amount=shown.amount)


def _products(draft: Draft, shown: _Shown) -> Iterator[Step]:
    for (label, amount, per), count in draft.products.items():
        exact = settled(count * amount if per == 1 else count * amount / per)
        yield Step(text=f"{label}: {text_of(count)} x {_per(amount, per)}", amount=exact)
    if shown.flat:
        yield Step(text="flat part of the tier, less that of the tier before", amount=shown.flat)


def _tier(draft: Draft, tiers: tuple[Tier, ...], shown: _Shown, how: str) -> Iterator[Step]:
    tier = tiers[draft.tier]
    upper = "without end" if tier.up_to is None else f"up to {text_of(tier.up_to)}"
    lower = tiers[draft.tier - 1].up_to if draft.tier else ZERO
    name = f"tier {draft.tier + 1} ({how}, from {text_of(lower or ZERO)} {upper})"
    units = shown.amount - shown.flat
    if tier.size is None:
        yield Step(text=f"{name}: {text_of(draft.billed)} x {_per(tier.amount, tier.per)}", amount=units)
    else:
        blocks = settled(units / tier.amount) if tier.amount else ZERO
        text = f"{name}, started blocks of {text_of(tier.size)}: {text_of(blocks)} x {text_of(tier.amount)}"
        yield Step(text=text, amount=units)
    if shown.flat:
        yield Step(text="flat part of the tier", amount=shown.flat)


def _per(amount: Decimal, per: Decimal) -> str:
    return text_of(amount) if per == 1 else f"{text_of(amount)} / {text_of(per)}"


def _conversion(price: object) -> str:
    convert, free = getattr(price, "convert", None), getattr(price, "free", ZERO)
    parts = []
    if convert is not None:
        how = f", rounded {convert.round} to {convert.digits} digits" if convert.round else ""
        parts.append(f"divided by {text_of(convert.divide)}{how}")
    if free:
        parts.append(f"{text_of(free)} free in the window")
    return f" ({'; '.join(parts)})" if parts else ""


def _rounding(draft: Draft, currency: str) -> Iterator[Step]:
    if draft.kind in (LineKind.EXCLUDED, LineKind.INCLUDED):
        return
    if draft.covered_by is not None:
        yield from _booked_by_pool(draft, currency)
        return
    before = draft.precise_before
    if before or draft.booked_before:
        yield Step(text="before this statement, exactly", amount=before)
    yield rounding(rounded(settled(before + draft.gross, 30), currency), currency)
    if before or draft.booked_before:
        yield Step(text="booked before this statement", amount=-draft.booked_before)


def rounding(amount: Decimal, currency: str) -> Step:
    """Return the row that rounds what the rows above add up to."""
    return Step(text=f"rounded once, half away from zero, to the minor unit of {currency}", amount=amount)


def _booked_by_pool(draft: Draft, currency: str) -> Iterator[Step]:
    """Yield a covered line's booked parts: its share of the pool's rounded draw, and what discounts took off first."""
    pool = draft.covered_by
    assert pool is not None, "only a covered line is asked"
    paid = draft.amount - total(draft.off.values())
    yield Step(text=f"in {currency}, booked so that this line and the draw from {pool.name} cancel")
    yield Step(text=f"paid by {pool.name}, of its rounded draw", amount=paid)
    for name, off in draft.off.items():
        if off:
            yield Step(text=f"taken off by {name}", amount=off)
