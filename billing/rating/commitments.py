"""Commitments: prepaid pools are drawn and floors are counted, in time; past exhaustion their overage terms apply.

Each charge is cut at the exact unit into what a pool covered, what is billed as usage, and what is overage. Draws and
counts are exact base amounts: after discounts and caps, before any overage multiplier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from billing.rating import scopes
from billing.rating.allowance import Allowance, Balance, allowance_of, amounts_of
from billing.rating.charges import Charge, Terms
from billing.rating.exact import NEGLIGIBLE
from billing.rating.history import History
from billing.rating.prices import Products
from billing.rating.pricing import Pricer, is_additive
from billing.rating.proration import prorated
from billing.rating.timeline import Standing, Timeline
from billing.rating.usage import Atom
from billing.rating.windows import Window
from models.contract import Commitment, Overage
from models.money import ZERO, rounded
from models.statement import LineKind

TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class Slice:
    """A part of a charge with one payer: the customer (usage or overage) or the pool that covered it."""

    charge: Charge
    kind: LineKind
    terms: Terms
    tier: int
    quantity: Decimal
    billed: Decimal
    gross: Decimal
    net: Decimal
    reduced: dict[str, Decimal]
    flat: Decimal = ZERO
    events: int = 0
    covered_by: Balance | None = None
    overage_of: str = ""
    multiplier: Decimal | None = None
    note: str = ""
    products: Products | None = None


@dataclass(slots=True)
class Ledger:
    """One commitment over the period: what it reaches and its windows' balances."""

    standing: Standing[Commitment]
    reach: scopes.Reach
    allowance: Allowance
    pricer: Pricer | None = None
    beyond: dict[int, Decimal] = field(default_factory=dict)  # counted past a window's floor, in this period

    @property
    def prepaid(self) -> bool:
        """Whether it is a pool paid before use."""
        return self.standing.latest.prepaid


def promised(commitment: Commitment, window: Window) -> Decimal:
    """Return what a commitment promises for a window, in money or units; ramped by window, prorated when it says so."""
    amount = commitment.amount if commitment.amount is not None else commitment.units
    if commitment.ramp:
        amount = commitment.ramp[min(window.index, len(commitment.ramp) - 1)]
    assert amount is not None, "a commitment promises something"
    if not commitment.prorate or not window.partial:
        return amount
    return prorated(amount, "actual_days", window, window.starts_on, window.ends_on)


def promised_by(standing: Standing[Commitment], window: Window, timeline: Timeline) -> Decimal:
    """Return what a window is promised as it stands at the period's end: amendments to come are left out."""
    until = min(window.span.ends_at, max(timeline.span.ends_at, window.span.starts_at + TICK)) - TICK
    return promised(standing.at(until), window)


def ledgers_of(
    standings: Sequence[Standing[Commitment]], timeline: Timeline, history: History, pricers: dict[str, Pricer]
) -> list[Ledger]:
    """Return each commitment's ledger for the period."""
    return [_ledger(standing, timeline, history, pricers.get(standing.id)) for standing in standings]


def _ledger(standing: Standing[Commitment], timeline: Timeline, history: History, pricer: Pricer | None) -> Ledger:
    clause = standing.latest
    windows = amounts_of(standing, lambda said, window: promised(said, window))  # type: ignore[arg-type]
    currency = timeline.contract.currency
    allowance = allowance_of(
        standing.id,
        "prepaid" if clause.prepaid else "postpaid",
        clause.meter if clause.meter is not None else currency,
        windows,
        clause.rollover,
        timeline,
        history,
        cost=lambda window: rounded(promised_by(standing, window, timeline), currency) if clause.prepaid else None,
        expires=clause.prepaid or clause.shortfall == "forfeit",
    )
    return Ledger(standing, scopes.Reach(standing), allowance, pricer)


def applied(ledgers: Sequence[Ledger], charges: Sequence[Charge]) -> list[Slice]:
    """Return the charges cut into slices, in time order, with every pool drawn and every floor counted."""
    pools = [ledger for ledger in ledgers if ledger.prepaid]
    floors = [ledger for ledger in ledgers if not ledger.prepaid]
    if not ledgers:
        return [_whole(charge) for charge in charges]
    found: list[Slice] = []
    for charge in charges:
        found += _drawn(charge, pools, floors)
    for ledger in ledgers:
        if ledger.pricer is not None:
            found += [_overage_slice(late, late, ledger) for late in ledger.pricer.finish()]
    return found


def _drawn(charge: Charge, pools: Sequence[Ledger], floors: Sequence[Ledger]) -> list[Slice]:
    whole = _whole(charge)
    if charge.kind is LineKind.EXCLUDED:
        return [whole]
    fitting = _fitting(charge, pools)
    slices: list[Slice] = []
    rest: Slice | None = whole
    last: Ledger | None = None
    for ledger, balance in fitting:
        if rest is None or (rest.net <= NEGLIGIBLE and (slices or not _fills_a_billed_unit(rest))):
            break
        if balance.opening + balance.granted > 0:
            last = ledger
        if balance.left <= NEGLIGIBLE:
            ledger.allowance.lack(balance, charge.drawn_at)
            continue
        covered, rest = _cut(rest, min(rest.net, balance.left))
        ledger.allowance.take(charge.drawn_at, covered.net)
        covered.covered_by = balance
        slices.append(covered)
        if rest is not None and rest.net > NEGLIGIBLE:
            ledger.allowance.lack(balance, charge.drawn_at)
    uncovered = _counted(charge, slices, rest, floors, last)
    return slices + uncovered


def _fills_a_billed_unit(whole: Slice) -> bool:
    """Return whether usage costs nothing only because an earlier one opened the minute or package that it fills."""
    return bool(whole.quantity) and not whole.billed and not is_additive(whole.terms.price)


def _counted(
    charge: Charge, covered: Sequence[Slice], rest: Slice | None, floors: Sequence[Ledger], last: Ledger | None
) -> list[Slice]:
    """Count a charge towards every floor in scope; return what no pool covered, cut where overage terms begin."""
    over_pool = last is not None and last.standing.at(charge.at).overage is not None
    passed: tuple[Ledger, Decimal] | None = None
    for ledger, balance in _fitting(charge, floors):
        clause = ledger.standing.at(charge.at)
        in_units = clause.units is not None
        if clause.counts_prepaid:
            for part in covered:
                _count(ledger, charge, part.quantity if in_units else part.net)
        if rest is None:
            continue
        wanted = rest.quantity if in_units else rest.net
        taken = _count(ledger, charge, max(ZERO, wanted))
        beyond = wanted - taken > NEGLIGIBLE or (balance.left <= NEGLIGIBLE and _fills_a_billed_unit(rest))
        if charge.kind is LineKind.USAGE and clause.overage is not None and beyond and passed is None:
            passed = ledger, taken if not in_units else _net_of_units(rest, taken)
    if rest is None:
        return []
    if charge.kind is not LineKind.USAGE:
        return [rest]
    if over_pool and last is not None and (rest.net > 0 or _fills_a_billed_unit(rest)):
        return _overage(charge, rest, last)
    if passed is not None:
        ledger, inside = passed
        if inside <= NEGLIGIBLE:
            return _overage(charge, rest, ledger)
        within, over = _cut(rest, inside)
        return [within, *(_overage(charge, over, ledger) if over is not None else [])]
    return [rest]


def _count(ledger: Ledger, charge: Charge, wanted: Decimal) -> Decimal:
    taken, balance = ledger.allowance.take(charge.drawn_at, wanted)
    if balance is not None and wanted - taken > NEGLIGIBLE:
        ledger.beyond[id(balance)] = ledger.beyond.get(id(balance), ZERO) + wanted - taken
    return taken


def _net_of_units(rest: Slice, units: Decimal) -> Decimal:
    return rest.net * units / rest.quantity if rest.quantity else ZERO


def _fitting(charge: Charge, ledgers: Sequence[Ledger]) -> list[tuple[Ledger, Balance]]:
    """Return the ledgers in force that reach a charge: the narrowest scope first, then the earliest end, then id."""
    found = []
    for ledger in ledgers:
        if ledger.reach.holds(charge.group, charge.at):
            balance = ledger.allowance.at(charge.drawn_at)
            if balance is not None and not (charge.home is not None and balance.window.starts_at > charge.at):
                found.append((ledger, balance))
    if len(found) > 1:
        found.sort(
            key=lambda one: (
                scopes.width(one[0].standing.at(charge.at)),
                one[1].window.ends_at,
                one[0].standing.id,
            )
        )
    return found


def _whole(charge: Charge) -> Slice:
    return Slice(
        charge,
        charge.kind,
        charge.terms,
        charge.tier,
        charge.quantity,
        charge.billed,
        charge.gross,
        charge.net,
        charge.reduced,
        charge.flat,
        charge.events,
        note=charge.note,
        products=charge.products,
    )


def _cut(whole: Slice, net: Decimal) -> tuple[Slice, Slice | None]:
    """Return a slice's part worth `net`, and the rest; fractions of units are kept at full precision."""
    if net >= whole.net - NEGLIGIBLE:
        return whole, None
    share, of = net, whole.net
    quantity, billed = (whole.quantity * share / of), (whole.billed * share / of)
    gross = net if whole.gross == whole.net else (whole.gross * share / of)
    flat = (whole.flat * share / of) if whole.flat else ZERO
    reduced = {name: (amount * share / of) for name, amount in whole.reduced.items()}
    products = {key: count * share / of for key, count in whole.products.items()} if whole.products else None
    first = Slice(
        whole.charge, whole.kind, whole.terms, whole.tier, quantity, billed, gross, net, reduced, flat, whole.events,
        note=whole.note, products=products,
    )  # fmt: skip
    rest = Slice(
        whole.charge,
        whole.kind,
        whole.terms,
        whole.tier,
        whole.quantity - quantity,
        whole.billed - billed,
        whole.gross - gross,
        whole.net - net,
        {name: amount - reduced[name] for name, amount in whole.reduced.items()},
        whole.flat - flat,
        0,
        note=whole.note,
        products={key: count - products[key] for key, count in whole.products.items()}
        if whole.products and products
        else None,
    )
    return first, rest


def _overage(charge: Charge, rest: Slice, ledger: Ledger) -> list[Slice]:
    overage: Overage | None = ledger.standing.at(charge.at).overage
    assert overage is not None, "only a commitment with overage terms is asked"
    if overage.multiplier is not None:
        times = overage.multiplier
        rest.kind, rest.overage_of, rest.multiplier = LineKind.OVERAGE, ledger.standing.id, times
        rest.gross, rest.net, rest.flat = rest.gross * times, rest.net * times, rest.flat * times
        rest.reduced = {name: amount * times for name, amount in rest.reduced.items()}
        return [rest]
    pricer = ledger.pricer
    assert pricer is not None, "overage prices have a pricer"
    terms = _own_terms(pricer, charge)
    if terms is None:
        return [rest]
    atom = Atom(charge.group, charge.at, 0, rest.quantity, rest.events, charge.source, charge.rank[3])
    return [_overage_slice(own, charge, ledger) for own in pricer.price(atom, terms, rest.quantity, rest.events)]


def _own_terms(pricer: Pricer, charge: Charge) -> Terms | None:
    base = charge.terms
    starts_at = base.starts_at or charge.at
    return pricer.known_terms(base, charge.group, starts_at, base.ends_at or starts_at)


def _overage_slice(own: Charge, charge: Charge, ledger: Ledger) -> Slice:
    own.home, own.service = charge.home, charge.service
    whole = _whole(own)
    whole.kind, whole.overage_of = LineKind.OVERAGE, ledger.standing.id
    return whole
