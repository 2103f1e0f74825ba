"""Explanation: every rated line tells how its amount came about, so that it can be computed again from its rows."""

from collections.abc import Iterator
from decimal import Decimal

from billing.rating.drafts import Draft
from models.money import ZERO, money_text
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
from models.value import decimal_text

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
        rate_source=f"{rate.source}, checked {rate.checked_on}" if rate else None,
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
        return
    base = draft.gross
    if draft.multiplier:
        base = base / draft.multiplier
    if terms.exchange is not None:
        base = base * terms.exchange.per / terms.exchange.amount
    yield from _arithmetic(draft, base)
    if terms.exchange is not None:
        rate = terms.exchange
        yield Step(text=f"x {text_of(rate.amount)} / {text_of(rate.per)} {currency}, by {rate.id}", amount=None)
    if draft.multiplier is not None:
        yield Step(
            text=f"x {text_of(draft.multiplier)}, the overage multiplier of {draft.overage_of}", amount=draft.gross
        )


def _arithmetic(draft: Draft, base: Decimal) -> Iterator[Step]:
    terms, price = draft.terms, draft.terms.price
    if draft.billed != draft.quantity and not isinstance(price, PercentagePrice):
        yield Step(text=f"{text_of(draft.quantity)} metered are {text_of(draft.billed)} billed{_conversion(price)}")
    match price:
        case UnitPrice():
            yield Step(text=f"{text_of(draft.billed)} x {_per(price.amount, price.per)}", amount=base)
        case Tiered():
            yield from _tier(draft, price.tiers[draft.tier], price.tiers, base, price.kind)
        case CliffsPrice():
            yield from _tier(draft, price.tiers[draft.tier], price.tiers, base, "by request")
        case PackagePrice():
            text = f"{text_of(draft.billed)} packages of {text_of(price.size)} x {text_of(price.amount)}"
            yield Step(text=text, amount=base)
        case PercentagePrice():
            text = f"{text_of(price.rate)} x {text_of(draft.billed)} + {text_of(price.fixed)} x {draft.events} events"
            bounds = "".join(
                f", {word} {text_of(bound)} each"
                for word, bound in (("min", price.min), ("max", price.max))
                if bound is not None
            )
            free = f", the first {price.free_events} free" if price.free_events else ""
            yield Step(text=text + bounds + free, amount=base)
        case FlatPrice():
            yield Step(text=f"{text_of(price.amount)} for the period", amount=base)
        case _:
            rate = terms.rate
            if rate is None:
                return
            listed = f"{text_of(draft.billed)} x {_per(rate.amount, rate.per)} {rate.currency}, list price"
            if not isinstance(price, PassThroughPrice):
                yield Step(text=listed, amount=base)
                return
            yield Step(text=listed)
            yield Step(text=f"x (1 + {text_of(price.markup)}), the markup", amount=base)


def _tier(draft: Draft, tier: Tier, tiers: tuple[Tier, ...], base: Decimal, how: str) -> Iterator[Step]:
    upper = "without end" if tier.up_to is None else f"up to {text_of(tier.up_to)}"
    lower = tiers[draft.tier - 1].up_to if draft.tier else ZERO
    name = f"tier {draft.tier + 1} ({how}, from {text_of(lower or ZERO)} {upper})"
    units = base - draft.flat
    if tier.size is None:
        yield Step(text=f"{name}: {text_of(draft.billed)} x {_per(tier.amount, tier.per)}", amount=units)
    else:
        text = f"{name}: {text_of(draft.billed)} in blocks of {text_of(tier.size)} x {text_of(tier.amount)}"
        yield Step(text=text, amount=units)
    if draft.note:
        yield Step(text=f"earlier units of the window, {draft.note}", amount=units)
    if draft.flat:
        yield Step(text="flat part of the tier", amount=draft.flat)


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
    if draft.precise_before or draft.booked_before:
        text = f"running total {decimal_text(draft.precise_before + draft.gross)}, less what was booked before"
        yield Step(text=text, amount=-draft.booked_before)
    if draft.covered_by is not None:
        text = f"share of the rounded draw from {draft.covered_by.name}, so that both cancel"
    else:
        text = "rounded once, half away from zero"
    yield Step(text=f"{text}, to the minor unit of {currency}", amount=draft.amount)
