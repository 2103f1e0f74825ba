"""Pricing: usage in time, at the terms in force at each instant, becomes charges; tier positions run on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from billing.rating import keys, prices
from billing.rating import rates as rates_
from billing.rating.charges import Charge, Terms
from billing.rating.history import History
from billing.rating.prices import Part, Products
from billing.rating.rates import RateBook
from billing.rating.timeline import Timeline
from billing.rating.usage import Atom, Group, Pairs
from billing.rating.windows import Life, Window, window_at, windows_of
from models.contract import Contract, PriceClause
from models.money import ZERO
from models.price import (
    CliffsPrice,
    FlatPrice,
    GraduatedPrice,
    PackagePrice,
    PassThroughPrice,
    PercentagePrice,
    Price,
    Tier,
    Tiered,
    UnitPrice,
    VolumePrice,
)
from models.rate_card import RateVersion
from models.statement import LineKind

Clauses = Callable[[Contract], Sequence[PriceClause]]


Answer = tuple[Contract, PriceClause | None, RateVersion | None, str, RateVersion | None, str, Pairs]
"""What prices a usage: version, clause, rate version and its id, exchange rate, the clause's label, its dimensions."""


@dataclass(slots=True)
class Position:
    """How far a meter's use has come in the window its tiers accumulate over."""

    metered: Decimal = ZERO
    units: Decimal = ZERO  # after conversion
    events: int = 0
    begun: bool = False
    terms: Terms | None = None
    before: Decimal = ZERO  # units of earlier periods, for prices of the whole total


@dataclass(slots=True)
class Pricer:
    """Prices usage in time. One for a contract's own prices, one for each overage that has prices of its own."""

    timeline: Timeline
    book: RateBook
    history: History
    clauses: Clauses
    own: bool = True  # False: overage prices, which do not fall back to the rate card
    told_apart_by: frozenset[str] = frozenset()  # dimensions that scopes and the invoice's groups look at
    scopes_look_at: frozenset[str] = frozenset()
    positions: dict[tuple[object, ...], Position] = field(default_factory=dict)
    waiting: dict[tuple[object, ...], list[tuple[Atom, Terms, Decimal, int, Window]]] = field(default_factory=dict)
    known: dict[tuple[Terms, int], Terms | None] = field(default_factory=dict)
    answers: dict[tuple[str, Pairs, datetime], Answer | None] = field(default_factory=dict)

    def terms_at(self, group: Group, at: datetime, ends_at: datetime) -> Terms | None:
        """Return what prices a group's usage from an instant on; None where overage prices do not speak of it.

        Raises:
            NoRate, OverlappingRates, ContractGap: nothing is billed at a default.
        """
        priced_by = group.dimensions if group.priced_by is None else group.priced_by
        key = (group.meter, priced_by, at)
        if key not in self.answers:
            self.answers[key] = self._answer(group, at)
        answer = self.answers[key]
        if answer is None:
            return None
        contract, clause, rate, rate_id, exchange, label, where = answer
        price = clause.price if clause else None
        return Terms(
            contract=contract,
            label=label,
            clause=clause,
            price=price,
            rate=rate,
            rate_id=rate_id,
            exchange=exchange,
            starts_at=at,
            ends_at=ends_at,
            dimensions=self._dimensions(group, where, price, rate),
            position=(group.meter, where),
        )

    def _answer(self, group: Group, at: datetime) -> Answer | None:
        contract = self.timeline.reign_at(at).contract
        clause = rates_.clause_in_force(self.clauses(contract), contract, group.meter, group.by_name, at)
        if clause is None and not self.own:
            return None
        price = clause.price if clause else None
        rate = None
        if price is None or isinstance(price, PassThroughPrice):
            card = (price.rate_card if price else None) or contract.rate_card or rates_.LIST_CARD
            rate = self.book.rate_in_force(card, group.meter, group.by_name, at)
        where = tuple(sorted(clause.where.items())) if clause else ()
        exchange, label = self._exchange(contract, price, rate), _label(clause, group, rate)
        return contract, clause, rate, rate.id if rate else "", exchange, label, where

    def known_terms(self, base: Terms, group: Group, at: datetime, ends_at: datetime) -> Terms | None:
        """Return `terms_at`, remembered for the segment of the terms it replaces."""
        key = (base, group.index)
        if key not in self.known:
            self.known[key] = self.terms_at(group, at, ends_at)
        return self.known[key]

    def price(self, atom: Atom, terms: Terms, quantity: Decimal, events: int) -> list[Charge]:
        """Return the charges of a part of an atom, in time order; prices of the whole total wait for `finish`."""
        home = self.home(atom.at)
        at = self.position(terms, home)
        _restart(at, terms)
        if isinstance(terms.price, VolumePrice):
            self._advance(at, terms, quantity, events)
            key = (*terms.position, self._window(terms, home).span.starts_at)
            self.waiting.setdefault(key, []).append((atom, terms, quantity, events, home))
            return []
        parts = self._parts(at, terms, quantity, events)
        return self._charges(atom, terms, parts, quantity, events, home)

    def finish(self) -> list[Charge]:
        """Return the charges that need the period's total: all units at the tier it reaches."""
        found: list[Charge] = []
        for key, held in self.waiting.items():
            found += self._volume(self.positions[key], held)
        self.waiting.clear()
        return found

    def home(self, at: datetime) -> Window:
        """Return the billing period an instant belongs to."""
        return (
            self.timeline.period
            if at in self.timeline.span
            else window_at(self.timeline.periods, at) or self.timeline.period
        )

    def _parts(self, at: Position, terms: Terms, quantity: Decimal, events: int) -> list[Part]:
        price = terms.price
        units_before, events_before, begun = at.units, at.events, at.begun
        self._advance(at, terms, quantity, events)
        match price:
            case PercentagePrice():
                return [prices.percentage(price, quantity, events, events_before)]
            case FlatPrice():
                return [Part(0, quantity, ZERO if begun else price.amount, ZERO if begun else price.amount)]
            case CliffsPrice():
                free = min(at.units, price.free) - min(units_before, price.free)
                return [self._cliff(price, at.units - units_before, at.units - units_before - free)]
        unpaid: Decimal = price.free if price is not None else ZERO
        before, after = max(ZERO, units_before - unpaid), max(ZERO, at.units - unpaid)
        match price:
            case GraduatedPrice():
                return prices.graduated(price, before, after, begun) or [Part(0, ZERO, ZERO)]
            case PackagePrice():
                count = prices.packages(price.size, price.round, before, after)
                return [Part(0, count, count * price.amount)]
            case UnitPrice():
                return [Part(0, after - before, prices.priced(price.amount, price.per, after - before))]
        rate = terms.rate
        assert rate is not None, "what has no price of its own has a rate"
        listed = prices.priced(rate.amount, rate.per, after - before)
        return [Part(0, after - before, listed * (1 + price.markup) if isinstance(price, PassThroughPrice) else listed)]

    def _cliff(self, price: CliffsPrice, units: Decimal, paid: Decimal) -> Part:
        """Price the paid units of one request at the step all its units reach; a request that is free owes no flat."""
        index = prices.tier_at(price.tiers, units)
        flat = price.tiers[index].flat if paid > 0 or units == 0 else ZERO
        return prices.volume(price.tiers[index], index, ZERO, paid, flat)

    def _advance(self, at: Position, terms: Terms, quantity: Decimal, events: int) -> None:
        price = terms.price
        convert = None if price is None or isinstance(price, PercentagePrice | FlatPrice) else price.convert
        gained = prices.converted(convert, at.metered + quantity) - prices.converted(convert, at.metered)
        at.metered += quantity
        at.units += gained
        at.events += events
        at.begun = True
        at.terms = terms

    def _charges(
        self, atom: Atom, terms: Terms, parts: list[Part], quantity: Decimal, events: int, home: Window
    ) -> list[Charge]:
        shares = _shares(terms.price, parts, quantity)
        return [
            self._charge(atom, terms, part, share, events if index == 0 else 0, home)
            for index, (part, share) in enumerate(zip(parts, shares, strict=True))
        ]

    def _charge(
        self, atom: Atom, terms: Terms, part: Part, quantity: Decimal, events: int, home: Window, at_end: bool = False
    ) -> Charge:
        exchange = terms.exchange
        factor = exchange.amount / exchange.per if exchange else Decimal(1)
        gross = part.amount * factor if exchange else part.amount
        return Charge(
            kind=LineKind.USAGE,
            group=atom.group,
            terms=terms,
            at=atom.at,
            drawn_at=self.timeline.last_instant if at_end else atom.at,
            rank=(*atom.rank, part.tier),
            tier=part.tier,
            quantity=quantity,
            billed=part.billed,
            gross=gross,
            flat=part.flat * factor if exchange else part.flat,
            events=events,
            source=atom.source,
            home=None if home is self.timeline.period else home,
            net=gross,
            products=part.products,
        )

    def _volume(self, at: Position, held: list[tuple[Atom, Terms, Decimal, int, Window]]) -> list[Charge]:
        found: list[Charge] = []
        last_atom, last_terms, _, _, last_home = held[-1]
        price = last_terms.price
        assert isinstance(price, VolumePrice)
        metered, before = ZERO, at.before
        for index, (atom, terms, quantity, events, home) in enumerate(held):
            mine = terms.price
            assert isinstance(mine, VolumePrice)
            gained = prices.converted(mine.convert, metered + quantity) - prices.converted(mine.convert, metered)
            metered += quantity
            start, end = max(ZERO, before - mine.free), max(ZERO, before + gained - mine.free)
            before += gained
            reached = prices.tier_at(mine.tiers, max(ZERO, at.units - mine.free))
            is_last, flat = index == len(held) - 1, ZERO
            if is_last and at.before <= mine.free and (at.units > mine.free or mine.charge_flat_at_zero):
                flat = mine.tiers[reached].flat
            part = prices.volume(mine.tiers[reached], reached, start, end, flat)
            found.append(self._charge(atom, terms, part, quantity, events, home, at_end=True))
        earlier = max(ZERO, at.before - price.free)
        if earlier > 0:
            old, new = (
                prices.tier_at(price.tiers, earlier),
                prices.tier_at(price.tiers, max(ZERO, at.units - price.free)),
            )
            if old != new:
                then = prices.volume(price.tiers[old], old, ZERO, earlier, price.tiers[old].flat)
                now = prices.volume(price.tiers[new], new, ZERO, earlier, price.tiers[new].flat)
                moves = _moves(price.tiers, old, new, earlier)
                part = Part(new, ZERO, now.amount - then.amount, now.flat - then.flat, moves)
                moved = self._charge(last_atom, last_terms, part, ZERO, 0, last_home, at_end=True)
                moved.note = "re-tiered"
                found.append(moved)
        return found

    def _window(self, terms: Terms, home: Window) -> Window:
        price = terms.price
        over = price.over if isinstance(price, Tiered) else None
        if over is None or over == "month":
            return home
        first, last = self.timeline.reigns[0], self.timeline.reigns[-1]
        contract = first.contract
        life = Life(
            contract.term.starts_on, last.contract.term.ends_on, first.starts_on, last.ends_on, contract.timezone
        )
        return window_at(windows_of(over, None, life), home.span.starts_at) or home

    def position(self, terms: Terms, home: Window) -> Position:
        """Return how far the use at some terms has come, in the window of a billing period."""
        window = self._window(terms, home)
        key = (*terms.position, window.span.starts_at)
        held = self.positions.get(key)
        if held is None:
            held = self.positions[key] = self._from_history(terms, window, home)
        return held

    def _from_history(self, terms: Terms, window: Window, home: Window) -> Position:
        if not self.history.lines or (window is home and home is self.timeline.period):
            return Position()
        meter, where = terms.position
        position = Position()
        for line in self.history.lines:
            if (
                line.kind in (LineKind.USAGE, LineKind.OVERAGE)
                and line.meter == meter
                and window.span.starts_at <= line.service.starts_at < home.span.ends_at
                and all(line.dimensions.get(key) == value for key, value in where)
            ):
                position.metered += line.quantity
                position.events += line.explanation.events
                position.begun = True
        convert = (
            None if terms.price is None or isinstance(terms.price, PercentagePrice | FlatPrice) else terms.price.convert
        )
        position.units = position.before = prices.converted(convert, position.metered)
        return position

    def _exchange(self, contract: Contract, price: Price | None, rate: RateVersion | None) -> RateVersion | None:
        currency = (
            rate.currency if rate else price.currency if price and not isinstance(price, PassThroughPrice) else None
        )
        if currency is None or currency == contract.currency:
            return None
        return rates_.exchange_rate(contract, self.book, currency, contract.currency, self.timeline.last_instant)

    def _dimensions(self, group: Group, where: Pairs, price: Price | None, rate: RateVersion | None) -> Pairs:
        keys_ = {key for key, _ in where} | self.scopes_look_at
        if is_additive(price):
            keys_ |= self.told_apart_by | (set(rate.where) if rate else set())
        return tuple((key, value) for key, value in group.dimensions if key in keys_)


def _moves(tiers: tuple[Tier, ...], old: int, new: int, units: Decimal) -> Products:
    """Return what units billed at one tier come to at another: added at the new one, taken back at the old one."""

    def sold(tier: Tier) -> tuple[Decimal, Decimal]:
        return (units, tier.per) if tier.size is None else (prices.packages(tier.size, "up", ZERO, units), Decimal(1))

    found: Products = {}
    for label, place, sign in ((f"earlier units at tier {new + 1}", new, 1), (f"less at tier {old + 1}", old, -1)):
        count, per = sold(tiers[place])
        found[label, tiers[place].amount, per] = sign * count
    return found


def _restart(at: Position, terms: Terms) -> None:
    """Begin the tiers anew where a clause that says so takes over; else the position runs on."""
    restarts = isinstance(terms.price, Tiered) and terms.price.restart_tiers_on_change
    if restarts and at.terms is not None and at.terms.clause != terms.clause:
        at.metered = at.units = at.before = ZERO
        at.begun = False


def is_additive(price: Price | None) -> bool:
    """Return whether a price is the same for every unit, so that its lines may be told apart without changing a sum."""
    if price is None:
        return True
    if isinstance(price, UnitPrice | PassThroughPrice):
        return price.free == 0 and (price.convert is None or price.convert.round is None)
    return False


def flats_at_zero(pricer: Pricer, groups: Sequence[Group]) -> list[tuple[Group, Terms]]:
    """Return the first tiers' flat parts that are owed though there was no usage: a group and the terms that say so.

    Only of clauses that name one meter, in force at the period's start (or when they begin), not owed before in the
    window their tiers accumulate over.
    """
    found: list[tuple[Group, Terms]] = []
    owed: set[tuple[str, Pairs]] = set()
    for reign in pricer.timeline.reigns:
        starts_at, ends_at = (
            max(reign.starts_at, pricer.timeline.span.starts_at),
            min(reign.ends_at, pricer.timeline.span.ends_at),
        )
        if starts_at >= ends_at:
            continue
        for clause in reign.contract.prices:
            price, where = clause.price, tuple(sorted(clause.where.items()))
            if (
                not isinstance(price, Tiered)
                or not price.charge_flat_at_zero
                or not price.tiers[0].flat
                or "*" in clause.meter
            ):
                continue
            begins = max(starts_at, reign.contract.instant(clause.starts_at)) if clause.starts_at else starts_at
            group = Group(len(groups) + len(found), clause.meter, where, dict(where))
            seen = any(rates_.matches(one.meter, one.by_name, clause.meter, clause.where) for one in groups)
            if begins >= ends_at or seen or (clause.meter, where) in owed:
                continue
            terms = pricer.terms_at(group, begins, ends_at)
            if terms is None or terms.clause != clause:
                continue
            owed.add((clause.meter, where))
            home = pricer.home(begins)
            if pricer.position(terms, home).begun:
                continue
            found.append((group, replace(terms, starts_at=begins)))
    return found


def _label(clause: PriceClause | None, group: Group, rate: RateVersion | None) -> str:
    if clause is None:
        assert rate is not None
        return keys.key_of(rate.rate, group.meter)
    return label_of(clause)


def label_of(clause: PriceClause) -> str:
    """Return what lines call a price clause: its meter, dimensions and start."""
    since = str(clause.starts_at) if clause.starts_at is not None else ""
    return keys.key_of(clause.meter, keys.pairs_text(tuple(sorted(clause.where.items()))), since.replace(" ", "T"))


def _shares(price: Price | None, parts: list[Part], quantity: Decimal) -> list[Decimal]:
    """Return the metered quantity each part stands for: the last one takes what rounding and free units leave."""
    if len(parts) == 1:
        return [quantity]
    divide = getattr(getattr(price, "convert", None), "divide", Decimal(1))
    shares = [part.billed * divide for part in parts[:-1]]
    return [*shares, quantity - sum(shares, ZERO)]
