"""Recognition: what a statement earns now and later, for which obligation and why (the rules of docs/accounting.md).

A contract's statements are read from the first to the one asked for; each leaves where its grants and its fees billed
ahead stand. So a schedule depends on nothing but the statements (and the clauses that name bundles), and anyone who
has them arrives at the same cents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from billing import grants
from billing.earning import Earning, Estimated
from billing.grants import Costs, Grant, StatementsMissing
from billing.net_lines import NetLine, NoRule, net_lines
from billing.openings import position_of
from billing.ratable import Ratable
from billing.rating.exact import exactly
from billing.revenue_terms import RevenueTerms
from models.contract import Contract
from models.entity import DEFAULT, Entity
from models.event import Estimate
from models.money import ZERO
from models.opening import Opening
from models.period import Period, first_day, next_month
from models.revenue import RevenueSchedule
from models.statement import LineKind, Statement

_BILLED_AHEAD = frozenset({LineKind.FEE, LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE, LineKind.TAX})


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a contract stands after a statement: its grants, what was paid for them, amounts billed ahead.

    Each amount billed ahead comes with what of it is earned so far.
    """

    grants: Mapping[str, Grant] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)
    ahead: tuple[tuple[Ratable, Decimal], ...] = ()
    estimated: Mapping[str, Estimated] = field(default_factory=dict)


def schedule_for(
    statement: Statement,
    prior: Sequence[Statement] = (),
    contracts: Sequence[Contract] = (),
    opening: Opening | None = None,
    entity: Entity = DEFAULT,
    estimates: Sequence[Estimate] = (),
) -> RevenueSchedule:
    """Return the revenue schedule of a statement: rows of its month, rows of later months, the invoice, the grants.

    `prior` are the contract's earlier statements, oldest first: fees billed ahead are earned from them, and grants
    stand where they left them. `contracts` are the contract's versions; they say which credits were bought together
    and which policy a clause has of its own; `entity` has the policies of all others. `opening` is where the contract
    stood when it was taken over. Each month sees the `estimates` recorded by its end: a new one is caught up in its own
    month, and no earlier month changes.

    Raises:
        NoRule, StatementsMissing, CostUnknown: nothing is recognized by default.
    """
    for contract in contracts:
        refuse_unsupported(contract)
    terms = RevenueTerms(contracts, entity, estimates)
    _refuse_disorder(statement, prior)
    with exactly():
        standing = _opened(opening, contracts) if opening is not None else _Standing()
        for earlier in prior:
            standing, _ = _read(earlier, standing, terms)
        return _read(statement, standing, terms)[1]


def _opened(opening: Opening, contracts: Sequence[Contract]) -> _Standing:
    position = position_of(opening, contracts)
    return _Standing(grants=position.grants, costs=position.costs, ahead=position.ahead)


def refuse_unsupported(contract: Contract) -> None:
    """Refuse a clause that asks for recognition which needs more than statements.

    Raises:
        NoRule: a billing period that is no calendar month (it needs amounts by day of use).
    """
    if contract.invoice.anchor not in (None, 1):
        raise NoRule(
            "a billing period that is no calendar month needs amounts by day of use",
            contract=contract.version,
            anchor=contract.invoice.anchor,
        )


def _refuse_disorder(statement: Statement, prior: Sequence[Statement]) -> None:
    before = ""
    for earlier in prior:
        same = (earlier.contract, earlier.currency) == (statement.contract, statement.currency)
        if not same or not before <= earlier.period < statement.period:
            raise StatementsMissing(
                "earlier statements are of the same contract and currency, of earlier months, oldest first",
                contract=earlier.contract,
                period=earlier.period,
                currency=earlier.currency,
            )
        before = earlier.period


def _read(statement: Statement, before: _Standing, terms: RevenueTerms) -> tuple[_Standing, RevenueSchedule]:
    """Return what a statement earns, and where the contract stands after it."""
    bundles = terms.bundles
    lines = net_lines(statement, grants.free_grants(statement, bundles))
    for one in lines:
        _refuse_later_service(one, statement.period)
    costs = Costs(
        bundled={**before.costs.bundled, **grants.bundled_costs(statement, bundles, _purchases(lines))},
        windows=_billed_windows(before.costs.windows, lines),
    )
    earning = Earning(statement, before.grants, costs, terms, before.estimated)
    earning.bill_purchases(lines, bundles)
    earning.bill_tax(lines)
    earning.bill_corrections(lines)
    earning.use_grants(lines, grants.free_grants(statement, bundles))
    earning.earn_arrears(lines)
    earning.expect_shortfalls(lines)
    earning.expect_prices(lines)
    ahead = earning.earn_fees(lines, before.ahead)
    after = _Standing(grants=earning.grants, costs=costs, ahead=ahead, estimated=earning.estimated)
    return after, earning.schedule(before.ahead, ahead)


def _purchases(lines: Sequence[NetLine]) -> dict[str, Decimal]:
    """Return what is paid in a statement for each credit bought, net of discounts."""
    bought: dict[str, Decimal] = {}
    for one in lines:
        if one.line.kind is LineKind.CREDIT_PURCHASE and one.line.grant is not None:
            bought[one.line.grant] = bought.get(one.line.grant, ZERO) + one.billed
    return bought


def _billed_windows(
    before: Mapping[tuple[str, Period], Decimal], lines: Sequence[NetLine]
) -> dict[tuple[str, Period], Decimal]:
    """Return what was billed so far of each commitment, by the window it was billed for."""
    billed = dict(before)
    for one in lines:
        if one.line.kind is LineKind.COMMITMENT and one.line.grant is not None:
            key = (one.line.grant, one.line.service)
            billed[key] = billed.get(key, ZERO) + one.billed
    return billed


def _refuse_later_service(one: NetLine, month: str) -> None:
    line = one.line
    if line.kind not in _BILLED_AHEAD and line.service_until > first_day(next_month(month)):
        raise NoRule(
            "usage of a later month is in this one's statement",
            line=line.id,
            service=f"{line.service_from}..{line.service_until}",
            period=month,
        )
