"""Flux: two months' statements side by side, the change split into volume, mix, price, new, lost and late.

What is compared is what was used and what is charged for it, net of discounts and caps, before anybody asks who paid:
prepaid purchases, draws and tax are no part of it. Within a customer and product the items are its kinds of line and
dimensions; for the items of both months, with Q and P of before as quantity and average price:
volume = (Q' - Q) P, mix = sum(q' p) - Q' P, price = the rest, which is sum(q' (p' - p)) but for rounding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.net_lines import net_lines
from billing.rating.exact import exactly, settled
from models.flux import Flux, FluxRow, FluxThreshold
from models.money import ZERO, rounded, total
from models.period import first_day, next_month
from models.refusal import Refusal
from models.statement import LineKind, RatedLine, Statement

DEFAULT_THRESHOLD = FluxThreshold(absolute=Decimal(1000), ratio=Decimal("0.10"))
"""Unsigned, until the controller says otherwise."""

_NOT_COMPARED = frozenset({LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE, LineKind.TAX})
_UNCHARGED = frozenset({LineKind.INCLUDED, LineKind.EXCLUDED})

_Product = tuple[str, str, str]  # customer, product, currency
_Item = tuple[str, tuple[tuple[str, str], ...]]  # kind of line, dimensions


class MonthsMixed(Refusal):
    """The statements of one side are not all of one month, or of the month that was said."""

    remedy = "Give each month's own statements."


@dataclass(frozen=True, slots=True)
class _Amount:
    """What was charged, in how many units."""

    amount: Decimal = ZERO
    quantity: Decimal = ZERO

    def __add__(self, other: "_Amount") -> "_Amount":
        return _Amount(self.amount + other.amount, self.quantity + other.quantity)


@dataclass(frozen=True, slots=True)
class _Side:
    """One product in one month: its items, and its lines of earlier months' service."""

    items: Mapping[_Item, _Amount]
    late: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        return total(item.amount for item in self.items.values()) + self.late


_NOTHING = _Side({})


def flux(
    prior: Iterable[Statement], this: Iterable[Statement], month: str, threshold: FluxThreshold = DEFAULT_THRESHOLD
) -> Flux:
    """Return a month beside the one before it, largest change first; each row's parts sum to its change.

    `month` is the later one. Statements of both sides may be of any customers and currencies; nothing is added over
    currencies. A row is material from the greater of the threshold's amount and its share of the month before on.

    Raises:
        MonthsMixed: a statement is of another month.
    """
    before_month = next_month(month, -1)
    with exactly():
        before, after = _sides(prior, before_month), _sides(this, month)
        rows = [
            _row(product, before.get(product, _NOTHING), after.get(product, _NOTHING), threshold)
            for product in before.keys() | after.keys()
        ]
    return together(month, [rows], threshold)


def together(month: str, parts: Iterable[Iterable[FluxRow]], threshold: FluxThreshold = DEFAULT_THRESHOLD) -> Flux:
    """Return comparisons of one month as one, largest change first; no product of a customer is in two of them."""
    rows = [row for part in parts for row in part]
    rows.sort(key=lambda row: (-abs(row.change), row.customer, row.product, row.currency))
    return Flux(prior=next_month(month, -1), this=month, threshold=threshold, rows=tuple(rows))


def _sides(statements: Iterable[Statement], month: str) -> dict[_Product, _Side]:
    items: dict[_Product, dict[_Item, _Amount]] = {}
    late: dict[_Product, Decimal] = {}
    for statement in statements:
        if statement.period != month:
            raise MonthsMixed("a statement of another month", contract=statement.contract, period=statement.period)
        for one in net_lines(statement, frozenset()):
            line = one.line
            if line.kind in _NOT_COMPARED | _UNCHARGED:
                continue
            product = (statement.customer, line.meter or line.clause, statement.currency)
            if line.service_until <= first_day(month):
                late[product] = late.get(product, ZERO) + one.net
                continue
            of_product = items.setdefault(product, {})
            item = _item(line)
            of_product[item] = of_product.get(item, _Amount()) + _Amount(one.net, _units(line))
    return {product: _Side(items.get(product, {}), late.get(product, ZERO)) for product in items.keys() | late.keys()}


def _item(line: RatedLine) -> _Item:
    return line.kind.value, tuple(sorted(line.dimensions.items()))


def _units(line: RatedLine) -> Decimal:
    """Return what a price is per; what has no meter has no units, so its change is a change of amount."""
    return line.billed_quantity if line.meter is not None else Decimal(1)


def _row(product: _Product, before: _Side, after: _Side, threshold: FluxThreshold) -> FluxRow:
    customer, name, currency = product
    both = [item for item in after.items if item in before.items]
    old, now = [before.items[item] for item in both], [after.items[item] for item in both]
    volume, mix = _volume_and_mix(old, now, currency)
    stayed = total(item.amount for item in now) - total(item.amount for item in old)
    change = after.amount - before.amount
    return FluxRow(
        customer=customer,
        product=name,
        currency=currency,
        prior=before.amount,
        this=after.amount,
        volume=volume,
        mix=mix,
        price=stayed - volume - mix,
        new=total(amount.amount for item, amount in after.items.items() if item not in before.items),
        lost=-total(amount.amount for item, amount in before.items.items() if item not in after.items),
        late=after.late - before.late,
        material=bool(change) and abs(change) >= max(threshold.absolute, threshold.ratio * abs(before.amount)),
    )


def _volume_and_mix(old: Sequence[_Amount], now: Sequence[_Amount], currency: str) -> tuple[Decimal, Decimal]:
    """Return what more units and what other shares of them account for; nothing where before had no units."""
    units, units_now = total(one.quantity for one in old), total(one.quantity for one in now)
    if not units or any(not one.quantity for one in old):
        return ZERO, ZERO
    average = total(one.amount for one in old) / units
    at_old_prices = total(new.quantity * (one.amount / one.quantity) for one, new in zip(old, now, strict=True))
    return (
        rounded(settled((units_now - units) * average), currency),
        rounded(settled(at_old_prices - units_now * average), currency),
    )
