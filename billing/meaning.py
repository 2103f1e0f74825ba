"""Meaning: what each clause of a contract says, in a sentence, and the lines of a month it made."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.rating import keys
from billing.rating.explanation import text_of
from billing.rating.pricing import label_of
from models.contract import (
    Bound,
    Commitment,
    Contract,
    Credit,
    Discount,
    Entitlement,
    Fee,
    PriceClause,
    Rollover,
    Scope,
    UnitShortfall,
    VirtualCurrency,
)
from models.price import (
    CliffsPrice,
    FlatPrice,
    GraduatedPrice,
    PackagePrice,
    PassThroughPrice,
    PercentagePrice,
    Price,
    Tier,
    UnitPrice,
    VolumePrice,
)
from models.statement import RatedLine, Statement
from models.value import Value

EVERY = {"term": "for the term"}
PART_OF_A_WINDOW = {
    "actual_days": "a part of it by its days",
    "fixed_30": "a part of it by thirtieths",
    "none": "nothing is taken off for a part of it",
}


@dataclass(frozen=True)
class Meaning:
    """A clause: its kind and name, what its lines call it, what it means, and the clause itself."""

    kind: str
    name: str
    label: str
    sentence: str
    clause: Value


def meanings(contract: Contract) -> tuple[Meaning, ...]:
    """Return every clause of a contract with what it means, in the contract's order."""
    return tuple(_meanings(contract))


def examples(meaning: Meaning, statement: Statement) -> tuple[RatedLine, ...]:
    """Return the lines of a statement that a clause made, priced, included or paid."""
    label = meaning.label
    return tuple(line for line in statement.lines if label in (line.explanation.clause, line.grant, line.covered_by))


def _meanings(contract: Contract) -> Iterator[Meaning]:
    currency = contract.currency
    for price in contract.prices:
        yield Meaning("price", price.meter, label_of(price), price_sentence(price, currency), price)
    for fee in contract.fees:
        yield Meaning("fee", fee.id, fee.id, fee_sentence(fee, currency), fee)
    for entitlement in contract.entitlements:
        yield Meaning("entitlement", entitlement.id, entitlement.id, entitlement_sentence(entitlement), entitlement)
    for commitment in contract.commitments:
        sentence = commitment_sentence(commitment, currency)
        yield Meaning("commitment", commitment.id, commitment.id, sentence, commitment)
    for credit in contract.credits:
        yield Meaning("credit", credit.id, credit.id, credit_sentence(credit, currency), credit)
    for discount in contract.discounts:
        yield Meaning("discount", discount.id, discount.id, discount_sentence(discount, currency), discount)
    for bounds, word in ((contract.minimums, "least"), (contract.maximums, "most")):
        for bound in bounds:
            kind = "minimum" if word == "least" else "maximum"
            yield Meaning(kind, bound.id, bound.id, bound_sentence(bound, word, currency), bound)
    for tax in contract.tax:
        sentence = f"{percent(tax.rate)} of what is sold is due to {tax.jurisdiction} as tax."
        yield Meaning("tax", tax.jurisdiction, keys.key_of("tax", tax.jurisdiction), sentence, tax)


def price_sentence(clause: PriceClause, currency: str) -> str:
    """Return what a price clause means."""
    where = "".join(f", {name} {value}" for name, value in sorted(clause.where.items()))
    since = f" from {day_of(clause.starts_at)} on" if clause.starts_at is not None else ""
    price = clause.price
    own = currency if isinstance(price, PassThroughPrice) else price.currency or currency
    return f"{clause.meter}{where}{since}: {_price(price, own)}.{_before(price)}"


def fee_sentence(fee: Fee, currency: str) -> str:
    """Return what a fee means."""
    when = "billed before it begins" if fee.timing == "advance" else "billed when it has ended"
    return f"{text_of(fee.amount)} {currency} {every(fee.every)}, {when}; {PART_OF_A_WINDOW[fee.prorate]}."


def entitlement_sentence(one: Entitlement) -> str:
    """Return what an entitlement means."""
    where = "".join(f", {name} {value}" for name, value in sorted(one.where.items()))
    left = _carried(one.rollover, "") or "What is not used lapses."
    return f"The first {text_of(one.included)} {one.meter}{where} {every(one.every)} are included. {left}"


def commitment_sentence(one: Commitment, currency: str) -> str:
    """Return what a commitment means."""
    promised = f"{text_of(one.amount)} {currency}" if one.amount is not None else ""
    if one.ramp:
        promised = f"{', then '.join(text_of(amount) for amount in one.ramp)} {currency} (the last one stays)"
    if one.units is not None:
        promised = f"{text_of(one.units)} {one.meter}"
    what = scope_words(one.scope) if one.units is None else ""
    if one.prepaid:
        parts = f", in installments {every(one.installments)}," if one.installments else ""
        begins = f"{promised} {every(one.every)} is paid ahead{parts} and pays for {what}."
        left = _carried(one.rollover, currency) or "What is not used by then is forfeited."
    else:
        begins = f"At least {promised} {every(one.every)}{f' is promised for {what}' if what else ' is promised'}."
        left = _missing(one, currency)
    return f"{begins} {left}{_past(one)}"


def credit_sentence(one: Credit, currency: str) -> str:
    """Return what a credit means."""
    unit = one.currency.code if isinstance(one.currency, VirtualCurrency) else one.currency or currency
    until = f" until before {day_of(one.expires)}" if one.expires is not None else ""
    bought = f"bought for {text_of(one.price)} {currency}" if one.kind == "paid" else "given for nothing"
    refilled = f" It is refilled {every(one.every)}." if one.every else ""
    pays = f"pays for {scope_words(one.scope)} from {day_of(one.effective)}{until}"
    resets = ", ".join(day_of(reset.at) for reset in one.resets)
    back = f" Its balance is set back to that amount at {resets}." if resets else ""
    carried = _carried(one.rollover, unit)
    said = f"A credit of {text_of(one.amount)} {unit}, {bought}, {pays}.{refilled}{back}"
    return f"{said} {carried}" if carried else said


def discount_sentence(one: Discount, currency: str) -> str:
    """Return what a discount means."""
    if one.percent is not None:
        off = f"{text_of(one.percent)} % off"
    elif one.amount is not None:
        off = f"{text_of(one.amount)} {currency} {every(one.every)} off"
    else:
        off = f"{text_of(one.units or Decimal(0))} {one.meter} {every(one.every)} free, off"
    since = f" from {day_of(one.starts_at)}" if one.starts_at is not None else ""
    until = f" until before {day_of(one.until)}" if one.until is not None else ""
    return f"{off} {scope_words(one.scope)}{since}{until}, on what remains after the discounts before it."


def bound_sentence(one: Bound, word: str, currency: str) -> str:
    """Return what a minimum ("least") or a maximum ("most") means."""
    return f"At {word} {text_of(one.amount)} {currency} {every(one.every)} is billed for {scope_words(one.scope)}."


def scope_words(scope: Scope) -> str:
    """Return what a clause speaks of, in words."""
    usage = "all usage" if scope.meters is None else " and ".join(scope.meters)
    if scope.models is not None:
        usage += f" of {' and '.join(scope.models)}"
    usage += "".join(f", where {tag} is {' or '.join(values)}" for tag, values in sorted(scope.tags.items()))
    if not scope.fees:
        return usage or "nothing"
    fees = "every fee" if scope.fees == ("*",) else f"the fee {' and '.join(scope.fees)}"
    return f"{usage} and {fees}" if usage else fees


def every(window: str) -> str:
    """Return how often, in words."""
    return EVERY.get(window, f"each {window}")


def percent(ratio: Decimal) -> str:
    """Return a ratio in percent: 0.0825 is 8.25 %."""
    return f"{text_of(ratio * 100)} %"


def day_of(moment: date) -> str:
    """Return a day or an instant as people read it."""
    return f"{moment:%-d %b %Y}" if type(moment) is date else f"{moment:%-d %b %Y %H:%M %Z}"


def _price(price: Price, currency: str) -> str:
    match price:
        case UnitPrice():
            return _each(price.amount, price.per, currency)
        case GraduatedPrice():
            steps = _steps(price.tiers, currency)
            return f"each unit at the price of the step it falls into: {steps}; counted {every(price.over or 'month')}"
        case VolumePrice():
            steps = _steps(price.tiers, currency)
            return f"all units at the price of the step their total {every(price.over or 'month')} reaches: {steps}"
        case CliffsPrice():
            return f"all units of one request at the step that request reaches: {_steps(price.tiers, currency)}"
        case PackagePrice():
            started = "a started one counts whole" if price.round == "up" else "a started one does not count"
            return f"{text_of(price.amount)} {currency} for each package of {text_of(price.size)}; {started}"
        case PercentagePrice():
            bounds = f", at least {text_of(price.min)} {currency}" if price.min is not None else ""
            bounds += f", at most {text_of(price.max)} {currency}" if price.max is not None else ""
            fixed = f" and {text_of(price.fixed)} {currency}" if price.fixed else ""
            return f"{percent(price.rate)} of the value{fixed} for each event{bounds}"
        case PassThroughPrice():
            card = f"the rate card {price.rate_card}" if price.rate_card else "the rate card"
            way = "more" if price.markup > 0 else "less"
            markup = f", and {percent(abs(price.markup))} {way}" if price.markup else ""
            return f"what {card} says at the instant of use{markup}"
        case FlatPrice():
            return f"{text_of(price.amount)} {currency} for each month in which any is used, however much"


def _each(amount: Decimal, per: Decimal, currency: str) -> str:
    return f"{text_of(amount)} {currency} {'each' if per == 1 else f'for {text_of(per)}'}"


def _steps(tiers: tuple[Tier, ...], currency: str) -> str:
    said = []
    for tier in tiers:
        bound = f"up to {text_of(tier.up_to)}" if tier.up_to is not None else "above" if len(tiers) > 1 else "any"
        price = _each(tier.amount, tier.per, currency)
        if tier.size is not None:
            price = f"{text_of(tier.amount)} {currency} for each started {text_of(tier.size)}"
        said.append(f"{bound}: {price}{f' and {text_of(tier.flat)} {currency} once' if tier.flat else ''}")
    return ", ".join(said)


def _before(price: Price) -> str:
    """Return what is done to units before they are priced."""
    if isinstance(price, PercentagePrice):
        return f" The first {price.free_events} events cost nothing." if price.free_events else ""
    if isinstance(price, FlatPrice):
        return ""
    free = f" The first {text_of(price.free)} cost nothing." if price.free else ""
    convert = price.convert
    if convert is None:
        return free
    ways = {"up": "up", "down": "down", "half_up": "to the nearest"}
    rounded = f", rounded {ways[convert.round]} to {convert.digits} digits" if convert.round else ""
    return f" Units are the metered ones divided by {text_of(convert.divide)}{rounded}.{free}"


def _carried(rollover: Rollover | None, unit: str) -> str:
    if rollover is None:
        return ""
    lasts = f" for one {rollover.expires_after}" if rollover.expires_after else " until the next one ends"
    return f"Of what is left up to {text_of(rollover.max)}{f' {unit}' if unit else ''} is carried on{lasts}."


def _missing(one: Commitment, currency: str) -> str:
    if isinstance(one.shortfall, UnitShortfall):
        return f"Each one short costs {text_of(one.shortfall.unit_amount)} {currency}."
    if one.shortfall == "forfeit":
        return "Nothing is billed for what is short."
    if one.units is not None:
        return "What is short is not billed."
    return "What is short is invoiced when it ends."  # also where the contract is silent


def _past(one: Commitment) -> str:
    if one.overage is None:
        return ""
    if one.overage.multiplier is not None:
        return f" Past it usage costs {text_of(one.overage.multiplier)} times its price."
    return f" Past it {', '.join(price.meter for price in one.overage.prices)} has prices of its own."
