"""Charges: what one instant's usage (or a fee) costs before it is rounded, and the terms that made it so."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from billing.rating.prices import Products
from billing.rating.usage import Group, Pairs
from billing.rating.windows import Window
from models.contract import Contract, Fee, PriceClause
from models.money import ZERO
from models.price import Price
from models.rate_card import RateVersion
from models.statement import LineKind, Step


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What prices a usage inside one segment: contract version, clause, rate version; equal only to itself."""

    contract: Contract
    label: str
    clause: PriceClause | None = None  # None: the rate card's own price, or no price at all
    price: Price | None = None
    rate: RateVersion | None = None
    rate_id: str = ""
    exchange: RateVersion | None = None  # what turns the price's currency into the contract's
    fee: Fee | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    dimensions: Pairs = ()  # what its rated line is told apart by
    position: tuple[str, Pairs] = ("", ())  # what its tier position is kept for
    reason: str = ""
    arithmetic: tuple[Step, ...] = ()  # of what no meter stands behind


@dataclass(slots=True)
class Charge:
    """An exact amount at an instant. `gross` before discounts and caps, `net` after; both in the contract's currency.

    `drawn_at` is when pools see it: its instant, or the period's end for what is priced by the period's total.
    """

    kind: LineKind
    group: Group
    terms: Terms
    at: datetime
    drawn_at: datetime
    rank: tuple[datetime, str, Pairs, str, int]
    tier: int
    quantity: Decimal
    billed: Decimal
    gross: Decimal
    flat: Decimal = ZERO
    events: int = 0
    source: str = ""
    home: Window | None = None  # the earlier billing period that late usage belongs to
    service: tuple[datetime, datetime] | None = None
    net: Decimal = ZERO
    reduced: dict[str, Decimal] = field(default_factory=dict)
    note: str = ""
    products: Products | None = None

    @property
    def order(self) -> tuple[datetime, tuple[datetime, str, Pairs, str, int]]:
        """Its place in the one chronological order in which pools are drawn."""
        return self.drawn_at, self.rank
