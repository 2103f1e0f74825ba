"""Drafts: slices gathered into the grain that is rounded, and rounded there, once.

What a pool covered is the pool's draw split over its slices, so that covered lines and the draw cancel to the cent.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from billing.rating.allowance import Balance
from billing.rating.charges import Terms
from billing.rating.commitments import Slice
from billing.rating.exact import settled
from billing.rating.prices import Products
from billing.rating.usage import Group
from models.money import ZERO, rounded, split, total
from models.statement import LineKind

_KINDS = (LineKind.EXCLUDED, LineKind.INCLUDED, LineKind.USAGE, LineKind.OVERAGE, LineKind.FEE)


@dataclass(slots=True)
class Draft:
    """A rated line in the making: exact sums of its slices, then its booked amount and what is taken off it."""

    kind: LineKind
    group: Group
    terms: Terms
    tier: int
    covered_by: Balance | None
    overage_of: str
    multiplier: Decimal | None
    note: str
    home: str
    starts_at: datetime
    ends_at: datetime
    quantity: Decimal = ZERO
    billed: Decimal = ZERO
    gross: Decimal = ZERO
    net: Decimal = ZERO
    flat: Decimal = ZERO
    products: Products = field(default_factory=dict)
    events: int = 0
    sources: set[str] = field(default_factory=set)
    reduced: dict[str, Decimal] = field(default_factory=dict)
    by_segment: dict[int, Decimal] = field(default_factory=dict)
    id: str = ""
    amount: Decimal = ZERO
    off: dict[str, Decimal] = field(default_factory=dict)  # booked reductions by clause
    booked_before: Decimal = ZERO
    precise_before: Decimal = ZERO
    due: Decimal = ZERO
    paid: dict[int, Decimal] = field(default_factory=dict)  # booked, by segment

    @property
    def remaining(self) -> Decimal:
        """The booked amount after reductions."""
        return self.amount - total(self.off.values())


def gathered(slices: Iterable[Slice], credit_bounds: Sequence[datetime]) -> list[Draft]:
    """Return the drafts of slices: one per clause, dimensions, rate version, tier and payer, in statement order."""
    found: dict[tuple[object, ...], Draft] = {}
    keys: dict[Terms, tuple[object, ...]] = {}
    for part in slices:
        terms, charge = part.terms, part.charge
        base = keys.get(terms)
        if base is None:
            base = keys[terms] = _key(terms)
        covered = part.covered_by
        home = charge.home.starts_on.isoformat() if charge.home is not None else ""
        key = (
            part.kind, base, charge.group.meter, part.tier, part.overage_of, part.note, home, charge.service,
            (covered.name, covered.window.starts_at) if covered else None,
        )  # fmt: skip
        draft = found.get(key)
        if draft is None:
            starts_at, ends_at = charge.service or (terms.starts_at or charge.at, terms.ends_at or charge.at)
            draft = found[key] = Draft(
                part.kind, charge.group, terms, part.tier, covered, part.overage_of, part.multiplier, part.note, home,
                starts_at, ends_at,
            )  # fmt: skip
        elif charge.service is None and terms is not draft.terms:
            draft.starts_at = min(draft.starts_at, terms.starts_at or draft.starts_at)
            draft.ends_at = max(draft.ends_at, terms.ends_at or draft.ends_at)
        _add(draft, part, bisect_right(credit_bounds, charge.at))
    return sorted((_settled(draft) for draft in found.values()), key=_place)


def _key(terms: Terms) -> tuple[object, ...]:
    return (
        terms.contract.version,
        terms.label,
        terms.rate_id,
        terms.exchange.id if terms.exchange else "",
        terms.dimensions,
        terms.reason,
    )


def _place(draft: Draft) -> tuple[object, ...]:
    """Return a draft's place in the statement: usage before fees, by meter, dimensions, time, terms, tier and payer."""
    terms, covered = draft.terms, draft.covered_by
    return (
        draft.group.fee is not None,
        draft.group.meter,
        terms.dimensions,
        draft.home,
        draft.starts_at,
        _KINDS.index(draft.kind),
        terms.contract.version,
        terms.label,
        terms.rate_id,
        draft.tier,
        draft.overage_of,
        (covered is None, covered.name if covered else "", covered.window.starts_at if covered else draft.starts_at),
        draft.note,
    )


def _add(draft: Draft, part: Slice, segment: int) -> None:
    draft.quantity += part.quantity
    draft.billed += part.billed
    draft.gross += part.gross
    draft.net += part.net
    draft.flat += part.flat
    draft.events += part.events
    draft.sources.add(part.charge.source)
    if part.products:
        for key, count in part.products.items():
            draft.products[key] = draft.products.get(key, ZERO) + count
    for name, amount in part.reduced.items():
        draft.reduced[name] = draft.reduced.get(name, ZERO) + amount
    draft.by_segment[segment] = draft.by_segment.get(segment, ZERO) + part.net


def _settled(draft: Draft) -> Draft:
    draft.quantity, draft.billed = settled(draft.quantity), settled(draft.billed)
    draft.gross, draft.net, draft.flat = settled(draft.gross), settled(draft.net), settled(draft.flat)
    draft.products = {key: settled(count) for key, count in draft.products.items()}
    draft.reduced = {name: settled(amount) for name, amount in draft.reduced.items()}
    draft.by_segment = {segment: settled(amount) for segment, amount in draft.by_segment.items()}
    return draft


def booked(
    drafts: Sequence[Draft], reductions: Sequence[str], caps: Mapping[str, Callable[[Draft], bool]], currency: str
) -> None:
    """Round every draft once and book every reduction in order; `caps` are those that bound a scope, with its test.

    A discount is rounded once and split over its lines; a cap leaves exactly the cap. No line falls below zero.
    """
    for draft in drafts:
        if draft.covered_by is None:
            draft.amount = rounded(settled(draft.precise_before + draft.gross, 30), currency) - draft.booked_before
    for place, name in enumerate(reductions):
        touched = [draft for draft in drafts if name in draft.reduced]
        if touched and name in caps:
            inside = [draft for draft in drafts if draft.covered_by is None and caps[name](draft)]
            _book_cap(name, touched, inside, reductions[: place + 1], currency)
        elif touched:
            _book_discount(name, touched, currency)
    for draft in drafts:
        # A line that is discounted to nothing owes nothing, whatever the split of the discount's cents was.
        if draft.covered_by is None and draft.net == 0 and draft.off and draft.remaining > 0:
            last = list(draft.off)[-1]
            draft.off[last] += draft.remaining
        draft.due = draft.remaining


def _book_cap(name: str, touched: list[Draft], inside: list[Draft], so_far: Sequence[str], currency: str) -> None:
    """Take off what leaves the scope's lines at the rounded cap, whatever their own roundings added up to."""
    open_, covered = [d for d in touched if d.covered_by is None], [d for d in touched if d.covered_by is not None]
    left = total(draft.gross - total(draft.reduced.get(one, ZERO) for one in so_far) for draft in inside)
    amount = max(ZERO, total(draft.remaining for draft in inside) - rounded(left, currency))
    _split_capped(name, open_, amount, currency)
    if covered:
        _split_free(name, covered, rounded(total(draft.reduced[name] for draft in covered), currency), currency)


def _book_discount(name: str, touched: list[Draft], currency: str) -> None:
    open_ = [draft for draft in touched if draft.covered_by is None]
    amount = rounded(total(draft.reduced[name] for draft in touched), currency)
    parts = split(amount, [draft.reduced[name] for draft in touched], currency)
    for draft, part in zip(touched, parts, strict=True):
        if draft.covered_by is not None:
            draft.off[name] = part
    _split_capped(
        name, open_, total(part for d, part in zip(touched, parts, strict=True) if d.covered_by is None), currency
    )


def _split_free(name: str, drafts: Sequence[Draft], amount: Decimal, currency: str) -> None:
    for draft, part in zip(drafts, split(amount, [d.reduced[name] for d in drafts], currency), strict=True):
        draft.off[name] = part


def _split_capped(name: str, drafts: Sequence[Draft], amount: Decimal, currency: str) -> None:
    """Split a reduction over lines by its exact shares, no line below zero; what finds no room is not taken."""
    if not drafts:
        return
    parts = split(amount, [max(ZERO, draft.reduced[name]) for draft in drafts], currency)
    spare = ZERO
    for draft, part in zip(drafts, parts, strict=True):
        taken = min(part, max(ZERO, draft.remaining))
        draft.off[name] = taken
        spare += part - taken
    for draft in drafts:
        more = min(spare, max(ZERO, draft.remaining))
        draft.off[name] += more
        spare -= more


def drawn(drafts: Sequence[Draft], currency: str) -> list[tuple[Balance, Decimal, list[tuple[Draft, Decimal]]]]:
    """Book each pool's draw of the period and give its covered lines exactly that; return draws with their lines.

    The draw is the rounded draw over the window so far, less what was booked before.
    """
    pools: dict[int, tuple[Balance, list[Draft]]] = {}
    for draft in drafts:
        if draft.covered_by is not None:
            pools.setdefault(id(draft.covered_by), (draft.covered_by, []))[1].append(draft)
    found = []
    for balance, covered in pools.values():
        amount = rounded(settled(balance.drawn_in_window, 30), currency) - balance.booked_before
        parts = split(amount, [max(ZERO, draft.net) for draft in covered], currency)
        for draft, part in zip(covered, parts, strict=True):
            draft.amount = part + total(draft.off.values())
            draft.due = ZERO
        found.append((balance, amount, list(zip(covered, parts, strict=True))))
    return found
