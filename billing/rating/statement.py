"""The rule: one contract, one period, one statement. It reads as the contract does: one step a line, in its order."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from billing.rating import commitments as commitments_
from billing.rating import credits as credits_
from billing.rating import (
    cuts,
    drafts,
    entitlements,
    exchange,
    fees,
    lines,
    openings,
    prices,
    pricing,
    reductions,
    scopes,
    shortfalls,
)
from billing.rating import rates as rates_
from billing.rating.allowance import Allowance
from billing.rating.charges import Charge, Terms
from billing.rating.columns import UsageColumns
from billing.rating.commitments import Ledger, Slice
from billing.rating.credits import Grant
from billing.rating.drafts import Draft
from billing.rating.entitlements import Inclusion
from billing.rating.exact import exactly
from billing.rating.fees import Due
from billing.rating.history import History, history_of
from billing.rating.pricing import Pricer
from billing.rating.rates import RateBook
from billing.rating.supported import refuse_unsupported
from billing.rating.timeline import Standing, Timeline, timeline_of
from billing.rating.usage import (
    Asked,
    Atom,
    Group,
    GroupUsage,
    Pairs,
    Usage,
    UsageLines,
    digest_of,
    each_hour,
    finer,
)
from models.contract import Bound, Contract, PriceClause
from models.money import ZERO, total
from models.opening import Opening
from models.period import Period
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.statement import BillTo, LineKind, Pool, RatedLine, Statement
from models.usage import UsageLine

OWN_KEY = "own_key"


class NegativeStatement(Refusal):
    """A statement's total is below zero. Credits stop at what is due, so something else pays money back."""

    remedy = "Issue a credit note for what is owed to the customer; a statement is never negative."


def statement_for(
    contracts: Sequence[Contract],
    usage: Sequence[UsageLine] | pa.Table,
    rates: Sequence[RateVersion],
    period: str,
    prior: Sequence[Statement] = (),
    *,
    reconciliation: str | None = None,
    engine: str,
    opening: Opening | None = None,
) -> Statement:
    """Return one customer's rated period.

    `contracts` are all versions of one contract. `usage` are the period's reconciled lines (or a table of them, as
    billing/usage_table.py keeps it), and late ones of earlier periods inside the backdating limit, cut where `cuts_of`
    says; neither their order nor how they are split changes a cent. `period` is the month a billing period begins in,
    such as 2026-10. `prior` are the contract's earlier statements: pools, tiers over long windows and amounts billed
    ahead go on from them. `opening` is where a contract stood that was taken over while it ran, before the first.

    Amounts are in the contract's currency, rounded once, at the line. The rules: docs/policies.md.

    Raises:
        A refusal for whatever the contract or the rate card does not answer; nothing is billed at a default.
    """
    with exactly():
        month = _Month(timeline_of(contracts, period), RateBook.of(rates), _held(usage))
        refuse_unsupported(month.timeline)
        taken = openings.taken_over(opening, contracts) if opening is not None else None
        month.history = history_of(prior, month.timeline, taken)
        return month.statement(month.rated_in_time(), prior, reconciliation, engine)


def usage_digest_of(
    contracts: Sequence[Contract], usage: Sequence[UsageLine] | pa.Table, rates: Sequence[RateVersion], period: str
) -> str:
    """Return the digest a statement of this usage carries: equal for equal usage, however it is split or ordered."""
    with exactly():
        month = _Month(timeline_of(contracts, period), RateBook.of(rates), _held(usage))
        return digest_of(month.laid((month.since,)))


def _held(usage: Sequence[UsageLine] | pa.Table) -> Usage[Any]:
    return UsageColumns(usage) if isinstance(usage, pa.Table) else UsageLines(tuple(usage))


@dataclass(slots=True)
class _Work:
    """What the steps leave for one another."""

    usages: list[GroupUsage]
    charges: list[Charge] = field(default_factory=list)
    inclusions: list[Inclusion] = field(default_factory=list)
    limits: list[Allowance] = field(default_factory=list)
    minimums: list[reductions.Floor] = field(default_factory=list)
    caps: list[Allowance] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    lines: list[RatedLine] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    shares_position: bool = False

    @property
    def crossings(self) -> list[tuple[datetime, datetime]]:
        """When each thing that ran dry did, and when more of it was wanted: what came between is told apart by time."""
        running_dry = [one.allowance for one in self.inclusions] + self.limits + self.caps
        running_dry += [one.allowance for one in self.ledgers if one.prepaid or one.standing.latest.overage is not None]
        return [crossing for one in running_dry for crossing in one.crossings]


@dataclass(slots=True)
class _Month:
    """The period at hand: the contract's time, the rates, the usage."""

    timeline: Timeline
    book: RateBook
    usage: Usage[Any]
    history: History = field(default_factory=lambda: History(()))

    @property
    def since(self) -> datetime:
        """The first instant of usage that is billed."""
        return min(self.timeline.span.starts_at, cuts.late_since(self.timeline))

    def rated_in_time(self) -> _Work:
        """Rate in one cell, then in finer ones wherever something ran dry, until it did so inside an hour.

        In a cell in which nothing runs dry the order of usage changes nothing, so a month costs what its few crossings
        cost, not what its hours do. Where several dimensions share the position of one tier, and where something runs
        dry among prices that are known at the period's end only (volume), every hour counts.
        """
        cells: tuple[datetime, ...] = (self.since,)
        while True:
            work = self.rated(cells)
            wanted = self._finer(cells, work)
            if wanted == cells:
                return work
            cells = wanted

    def _finer(self, cells: tuple[datetime, ...], work: _Work) -> tuple[datetime, ...]:
        ends_at = self.timeline.span.ends_at
        at_the_end = any(charge.drawn_at != charge.at for charge in work.charges)
        if work.shares_position or (at_the_end and work.crossings):
            return each_hour(cells, (ends_at,))
        found = cells
        for emptied_at, lacked_at in work.crossings:
            if bisect_right(cells, emptied_at) == bisect_right(cells, lacked_at):
                found = tuple(sorted({*found, *finer(cells, emptied_at, ends_at)}))
        return found

    def rated(self, cells: Sequence[datetime]) -> _Work:
        """Apply the waterfall (docs/policies.md), with the usage of one cell at one instant."""
        work = _Work(self.laid(cells))
        self._price(work)
        self._add_fees(work)
        self._reduce(work)
        self._commit(work)
        self._book(work)
        self._pay(work)
        self._bill(work)
        self._close(work)
        return work

    def laid(self, cells: Sequence[datetime]) -> list[GroupUsage]:
        """Return the usage by group, in time."""
        timeline = self.timeline
        scoped = [(scopes.Reach(one), cuts.scoped_bounds(one)) for one in cuts.scoped_standings(timeline)]
        included = [
            (one, cuts.entitlement_bounds(one)) for one in timeline.standings(lambda contract: contract.entitlements)
        ]
        asked = []
        priced_by = self._priced_by()
        known: dict[tuple[str, Pairs | None], tuple[tuple[datetime, ...], bool]] = {}
        for group, held in self.usage.groups(priced_by | self._told_apart_by(), priced_by):
            key = group.meter, group.priced_by
            if key not in known:
                bounds = cuts.bounds_for(group, timeline, self.book, scoped, included, self.since)
                known[key] = bounds, self._by_event(group)
            bounds, by_event = known[key]
            asked.append(Asked(group, held, bounds, by_event and not group.own_key))
        return self.usage.laid(asked, cells)

    def _by_event(self, group: Group) -> bool:
        return any(
            prices.needs_events(clause.price)
            for reign in self.timeline.reigns
            for clause in _all_prices(reign.contract)
            if rates_.matches(group.meter, group.by_name, clause.meter, clause.where)
        )

    def _told_apart_by(self) -> frozenset[str]:
        """Return the dimensions that the invoice's groups look at."""
        return frozenset(name for reign in self.timeline.reigns for name in reign.contract.invoice.group_by) - {"meter"}

    def _priced_by(self) -> frozenset[str]:
        """Return the dimensions that any clause, rate or scope looks at."""
        found = {OWN_KEY}
        for reign in self.timeline.reigns:
            contract = reign.contract
            for clause in _all_prices(contract):
                found |= set(clause.where)
            for entitlement in contract.entitlements:
                found |= set(entitlement.where)
            for card in rates_.cards_of(contract):
                found |= self.book.dimensions.get(card, frozenset())
        return frozenset(found | self._scopes_look_at())

    def _scopes_look_at(self) -> frozenset[str]:
        return frozenset(
            key
            for standing in cuts.scoped_standings(self.timeline)
            for _, _, clause in standing.said
            for key in scopes.dimensions_of(clause.scope)
        )

    def _pricer(self, commitment: str | None = None) -> Pricer:
        def own(contract: Contract) -> Sequence[PriceClause]:
            return contract.prices

        def overage(contract: Contract) -> Sequence[PriceClause]:
            return [
                price
                for one in contract.commitments
                if one.id == commitment and one.overage is not None
                for price in one.overage.prices
            ]

        return Pricer(
            self.timeline,
            self.book,
            self.history if commitment is None else History(()),
            own if commitment is None else overage,
            own=commitment is None,
            told_apart_by=frozenset(self.timeline.contract.invoice.group_by) - {"meter"},
            scopes_look_at=self._scopes_look_at(),
        )

    def _price(self, work: _Work) -> None:
        """Exclude own keys, take included units, price the rest at the terms in force at each instant."""
        pricer = self._pricer()
        work.inclusions = entitlements.inclusions_of(
            self.timeline.standings(lambda contract: contract.entitlements), self.timeline, self.history
        )
        terms: dict[tuple[int, int], Terms] = {}
        bounds = {usage.group.index: usage.bounds for usage in work.usages}
        dims: dict[tuple[str, tuple[tuple[str, str], ...]], set[tuple[tuple[str, str], ...]]] = {}
        for atom in sorted((atom for usage in work.usages for atom in usage.atoms), key=lambda one: one.rank):
            segment = bounds[atom.group.index][atom.segment : atom.segment + 2]
            if atom.group.own_key:
                work.charges.append(self._excluded(atom, pricer, terms))
                continue
            given = entitlements.consumed(atom, work.inclusions)
            work.charges += [self._included(atom, one, units, pricer) for one, units in given]
            rest = atom.quantity - sum((units for _, units in given), ZERO)
            if given and rest == 0:
                continue
            key = (atom.group.index, atom.segment)
            if key not in terms:
                found = pricer.terms_at(atom.group, segment[0], segment[1])
                assert found is not None, "a contract's own pricer answers or refuses"
                terms[key] = found
            if not pricing.is_additive(terms[key].price):
                dims.setdefault(terms[key].position, set()).add(terms[key].dimensions)
            work.charges += pricer.price(atom, terms[key], rest, 0 if given else atom.events)
        for group, owed in pricing.flats_at_zero(pricer, [usage.group for usage in work.usages]):
            at = owed.starts_at or self.timeline.span.starts_at
            work.charges += pricer.price(Atom(group, at, 0, ZERO, 0, ""), owed, ZERO, 0)
        work.charges += pricer.finish()
        work.shares_position = any(len(apart) > 1 for apart in dims.values()) or (bool(dims) and self._takes_units())

    def _takes_units(self) -> bool:
        """Return whether a clause takes some units and leaves others, so that it matters which of them bear the price.

        Where a package or a rounded minute is opened by one unit, the units after it cost nothing.
        """
        return any(
            any(one.units is not None for one in reign.contract.discounts)
            or any(one.units is not None and not one.counts_prepaid for one in reign.contract.commitments)
            for reign in self.timeline.reigns
        )

    def _excluded(self, atom: Atom, pricer: Pricer, known: dict[tuple[int, int], Terms]) -> Charge:
        key = (atom.group.index, -1 - atom.segment)
        if key not in known:
            reign = self.timeline.reign_at(atom.at)
            known[key] = Terms(
                contract=reign.contract,
                label=OWN_KEY,
                starts_at=max(reign.starts_at, self.timeline.span.starts_at)
                if atom.at in self.timeline.span
                else atom.at,
                ends_at=min(reign.ends_at, self.timeline.span.ends_at) if atom.at in self.timeline.span else None,
                dimensions=atom.group.dimensions,
                reason="usage on the customer's own key is billed by the provider",
            )
        return self._free_charge(LineKind.EXCLUDED, atom, known[key], atom.quantity, atom.events, pricer)

    def _included(self, atom: Atom, one: Inclusion, units: Decimal, pricer: Pricer) -> Charge:
        clause, contract = one.standing.at(atom.at), one.standing.version_at(atom.at)
        looked_at = set(clause.where) | self._scopes_look_at()
        terms = Terms(
            contract=contract,
            label=clause.id,
            starts_at=max(one.standing.starts_at, self.timeline.span.starts_at),
            ends_at=min(one.standing.ends_at, self.timeline.span.ends_at),
            dimensions=tuple(pair for pair in atom.group.dimensions if pair[0] in looked_at),
        )
        return self._free_charge(LineKind.INCLUDED, atom, terms, units, atom.events, pricer)

    def _free_charge(
        self, kind: LineKind, atom: Atom, terms: Terms, units: Decimal, events: int, pricer: Pricer
    ) -> Charge:
        home = pricer.home(atom.at)
        return Charge(
            kind=kind,
            group=atom.group,
            terms=terms,
            at=atom.at,
            drawn_at=atom.at,
            rank=(*atom.rank, 0),
            tier=0,
            quantity=units,
            billed=ZERO if kind is LineKind.EXCLUDED else units,
            gross=ZERO,
            events=events,
            source=atom.source,
            home=None if home is self.timeline.period else home,
        )

    def _add_fees(self, work: _Work) -> None:
        """Add the fees this close bills; a fee counts on the statement it is billed on, at the period's end."""
        first = len(work.usages) + 1_000_000
        standings = self.timeline.standings(lambda contract: contract.fees)
        for index, due in enumerate(fees.fees_due(standings, self.timeline, self.history)):
            work.charges.append(self._fee_charge(due, first + index))

    def _fee_charge(self, due: Due, index: int) -> Charge:
        group = Group(index, due.id, (), {}, due.id)
        terms = Terms(contract=due.contract, label=due.id, fee=due.fee, arithmetic=due.steps)
        at = self.timeline.last_instant
        return Charge(
            kind=LineKind.FEE,
            group=group,
            terms=terms,
            at=at,
            drawn_at=at,
            rank=(at, due.id, (), due.window.starts_on.isoformat(), 0),
            tier=0,
            quantity=Decimal(1),
            billed=Decimal(1),
            gross=due.amount,
            net=due.amount,
            service=(due.window.span.starts_at, due.window.span.ends_at),
        )

    def _reduce(self, work: _Work) -> None:
        """Take discounts and caps off, in time; count towards the minimums."""
        timeline, history = self.timeline, self.history
        work.charges.sort(key=lambda charge: charge.order)
        work.limits = reductions.discounted(timeline.standings(lambda c: c.discounts), work.charges, timeline, history)
        work.caps = reductions.capped(timeline.standings(lambda c: c.maximums), work.charges, timeline, history)
        work.minimums = reductions.floors(timeline.standings(lambda c: c.minimums), work.charges, timeline, history)

    def _commit(self, work: _Work) -> None:
        """Draw prepaid pools and count towards floors, in time; overage terms past exhaustion."""
        standings = self.timeline.standings(lambda contract: contract.commitments)
        pricers = {
            one.id: self._pricer(one.id)
            for one in standings
            if any(said.overage is not None and said.overage.prices for _, _, said in one.said)
        }
        work.ledgers = commitments_.ledgers_of(standings, self.timeline, self.history, pricers)
        work.slices = commitments_.applied(work.ledgers, work.charges)
        for ledger in work.ledgers:
            if ledger.prepaid:
                ledger.allowance.finish(self.timeline.span.ends_at)

    def _book(self, work: _Work) -> None:
        """Gather the slices into lines and round each once; give the covered ones their pool's draw."""
        timeline, currency = self.timeline, self.timeline.contract.currency
        bounds = credits_.bounds_of(timeline.standings(lambda contract: contract.credits))
        work.drafts = drafts.gathered(work.slices, bounds)
        lines.named(work.drafts, timeline, self.history)
        caps = {one.id: self._capped_by(one) for one in timeline.standings(lambda contract: contract.maximums)}
        drafts.booked(work.drafts, [*self._discount_order(), *caps], caps, currency)
        draws = drafts.drawn(work.drafts, currency)
        work.lines += [lines.usage_line(draft, timeline) for draft in work.drafts]
        work.lines += self._reduction_lines(work.drafts)
        work.lines += [line for floor in work.minimums if (line := lines.minimum_line(floor, timeline))]
        for balance, amount, covered in draws:
            line = lines.pool_draw_line(balance, amount, covered, timeline.contract, timeline)
            work.lines += [line] if line else []

    def _capped_by(self, standing: Standing[Bound]) -> Callable[[Draft], bool]:
        reach = scopes.Reach(standing)
        return lambda draft: (
            (
                draft.kind in reductions.REDUCED or draft.multiplier is not None  # overage was usage when it was capped
            )
            and reach.holds(draft.group, draft.starts_at)
        )

    def _discount_order(self) -> list[str]:
        standings = self.timeline.standings(lambda contract: contract.discounts)
        return [one.id for sort in reductions.SORTS for one in standings if getattr(one.latest, sort) is not None]

    def _reduction_lines(self, drafted: Sequence[Draft]) -> list[RatedLine]:
        timeline = self.timeline
        by_id = {one.id: one for one in timeline.standings(lambda contract: contract.discounts)}
        found = [
            lines.discount_line(by_id[name].latest, by_id[name].said[-1][1], drafted, timeline)
            for name in self._discount_order()
        ]
        found += [
            lines.cap_line(one.id, one.latest.amount, one.said[-1][1], drafted, timeline)
            for one in timeline.standings(lambda contract: contract.maximums)
        ]
        return [line for line in found if line is not None]

    def _pay(self, work: _Work) -> None:
        """Let credits pay what is due; bill what floors lack where their windows end."""
        timeline = self.timeline
        standings = timeline.standings(lambda contract: contract.credits)
        bounds = credits_.bounds_of(standings)
        work.grants = credits_.grants_of(standings, timeline, self.history, self.book)
        credits_.pay(work.grants, work.drafts, bounds, timeline)
        for grant in work.grants:
            grant.allowance.finish(timeline.span.ends_at)
        work.lines += lines.credit_draw_lines(work.grants, timeline)
        shortfalls.uncount_promotional(work.ledgers, work.grants, bounds)
        for ledger in work.ledgers:
            ledger.allowance.finish(timeline.span.ends_at)
        owed = shortfalls.shortfalls_of(work.ledgers, timeline)
        work.lines += [line for one in owed if (line := lines.shortfall_line(one, timeline))]
        back = shortfalls.late_credits(work.ledgers, work.slices, timeline, self.history)
        work.lines += [line for one in back if (line := lines.shortfall_credit_line(one, timeline))]

    def _bill(self, work: _Work) -> None:
        """Bill prepaid commitments ahead and paid credits where they begin."""
        timeline = self.timeline
        standings = timeline.standings(lambda contract: contract.commitments)
        for due in fees.commitments_due(standings, timeline, self.history):
            work.lines.append(lines.commitment_line(due, timeline))
        for grant in sorted(work.grants, key=lambda one: one.credit.id):
            contract = grant.standing.said[-1][1]
            for window in credits_.windows_of_credit(grant.credit, contract):
                billed = self.history.billed(
                    LineKind.CREDIT_PURCHASE, grant.credit.id, window.starts_on, window.ends_on
                )
                if window.span.starts_at in timeline.span and not billed:
                    line = lines.purchase_line(grant, contract, window, timeline)
                    work.lines += [line] if line else []

    def _close(self, work: _Work) -> None:
        """Let time pass to the period's end in every allowance, and list how each stands."""
        timeline, currency = self.timeline, self.timeline.contract.currency
        for inclusion in work.inclusions:
            inclusion.allowance.finish(timeline.span.ends_at)
        for allowance in [one.allowance for one in work.inclusions]:
            work.pools += [balance.pool(None) for balance in allowance.balances]
        for ledger in work.ledgers:
            unit = None if ledger.standing.latest.units is not None else currency
            work.pools += [balance.pool(unit) for balance in ledger.allowance.balances]
        for grant in work.grants:
            work.pools += [balance.pool(currency) for balance in grant.allowance.balances]
            work.pools += self._not_yet(grant)
        for limit in work.limits:
            limit.finish(timeline.span.ends_at)
            units = [one for one in limit.balances if one.unit and _outlasts(one.window, timeline.span)]
            work.pools += [one.pool(None) for one in units]
        for cap in work.caps:
            cap.finish(timeline.span.ends_at)
            work.pools += [one.pool(currency) for one in cap.balances if _outlasts(one.window, timeline.span)]
        for floor in work.minimums:
            if _outlasts(floor.balance.window, timeline.span):
                work.pools.append(floor.balance.pool(currency))

    def _not_yet(self, grant: Grant) -> list[Pool]:
        """Return a grant that is not yet in force, at its amount."""
        credit, contract = grant.credit, grant.standing.said[-1][1]
        starts_at, _ = credits_.span_of(credit, contract)
        if starts_at < self.timeline.span.ends_at:
            return []
        window = credits_.windows_of_credit(credit, contract)[0].span
        return [
            Pool(
                id=credit.id, kind=credit.kind, unit=grant.unit.name, window=window, in_force=False,
                opening=ZERO, granted=credit.amount, drawn=ZERO, expired=ZERO, closing=credit.amount,
                booked_drawn=ZERO, cost=credit.price,
            )
        ]  # fmt: skip

    def statement(self, work: _Work, prior: Sequence[Statement], reconciliation: str | None, engine: str) -> Statement:
        """Return the statement of the finished work, in the invoice's currency, taxed; its lines sum to its total."""
        contract = self.timeline.contract
        rate = exchange.rate_for(self.timeline, self.book)
        currency = rate.currency if rate else contract.currency
        sold = exchange.converted(work.lines, rate) if rate else work.lines
        taxes = lines.tax_lines(sold, self.timeline, currency)
        tax = total(line.amount for line in taxes)
        whole = total(line.amount for line in sold) + tax
        if whole < 0:
            raise NegativeStatement("the total is below zero", contract=contract.version, total=whole)
        same = [one.revision for one in prior if one.period == self.timeline.month]
        return Statement(
            customer=contract.customer,
            contract=contract.contract,
            contract_version=contract.version,
            period=self.timeline.month,
            timezone=contract.timezone,
            currency=currency,
            exchange=exchange.shown(rate, contract.currency) if rate else None,
            revision=max(same, default=0) + 1,
            bill_to=BillTo(
                net_days=contract.invoice.net_days,
                purchase_order=contract.invoice.purchase_order,
                group_by=contract.invoice.group_by,
            ),
            lines=(*sold, *taxes),
            pools=exchange.costed(work.pools, rate, self.history, self.timeline.span) if rate else tuple(work.pools),
            reconciliation=reconciliation,
            usage_digest=digest_of(work.usages),
            rate_versions=tuple(
                sorted({one.terms.rate_id for one in work.drafts if one.terms.rate_id} | ({rate.id} if rate else set()))
            ),
            engine=engine,
            subtotal=whole - tax,
            tax=tax,
            total=whole,
        )


def _all_prices(contract: Contract) -> list[PriceClause]:
    return [*contract.prices, *(price for one in contract.commitments if one.overage for price in one.overage.prices)]


def _outlasts(window: Period, span: Period) -> bool:
    return window.starts_at < span.starts_at or window.ends_at > span.ends_at
