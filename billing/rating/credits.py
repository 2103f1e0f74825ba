"""Credits: grants pay what is due inside their windows, in one total order, and never more than is due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from itertools import count, pairwise

from billing.rating import scopes
from billing.rating.allowance import Allowance, Balance, allowance_of, carry_ends
from billing.rating.drafts import Draft
from billing.rating.history import History
from billing.rating.rates import RateBook, exchange_rate
from billing.rating.timeline import Standing, Timeline
from billing.rating.windows import Window, anchored
from models.contract import Contract, Credit, VirtualCurrency
from models.money import ZERO, minor_digits, rounded, split, total
from models.period import Period, local_day
from models.statement import LineKind

_FOREVER = datetime.max.replace(tzinfo=UTC)
_PAYABLE = (LineKind.USAGE, LineKind.OVERAGE, LineKind.FEE)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Unit:
    """What a credit is counted in: its name, what one is worth in the contract's currency, its digits.

    `digits` is None where it is the contract's currency itself, which is taken exactly.
    """

    name: str
    worth: Decimal = Decimal(1)
    digits: int | None = None


def unit_of(credit: Credit, timeline: Timeline, book: RateBook) -> Unit:
    """Return a credit's unit; another currency is worth its exchange rate at the period's last instant."""
    contract, currency = timeline.contract, credit.currency
    if currency is None or currency == contract.currency:
        return Unit(contract.currency)
    if isinstance(currency, VirtualCurrency):
        return Unit(currency.code, currency.unit_amount, currency.digits)
    rate = exchange_rate(contract, book, currency, contract.currency, timeline.last_instant)
    return Unit(currency, rate.amount / rate.per, minor_digits(currency))


@dataclass(slots=True)
class Grant:
    """A credit over the period: its windows' balances, and what it paid of each line, by booked amount."""

    standing: Standing[Credit]
    order: tuple[object, ...]
    reach: scopes.Reach
    allowance: Allowance
    unit: "Unit"
    paid: list[tuple[Balance, Draft, int, Decimal]] = field(default_factory=list)

    def payable(self, balance: Balance, minor: Decimal) -> Decimal:
        """Return what a balance can pay now, in whole minor units of the contract's currency."""
        return (balance.left * self.unit.worth).quantize(minor, rounding=ROUND_DOWN)

    def pay(self, at: datetime, balance: Balance, amount: Decimal) -> None:
        """Take an amount of the contract's currency out of a balance.

        Of another unit, what the period's payments together are worth is taken, at that unit's digits.
        """
        if self.unit.digits is None:
            self.allowance.take(at, amount)
            return
        assert balance.spent is not None, "a grant in a unit of its own counts what it pays"
        balance.spent += amount
        units = (balance.spent / self.unit.worth).quantize(Decimal(1).scaleb(-self.unit.digits), rounding=ROUND_HALF_UP)
        self.allowance.take(at, min(balance.left, max(ZERO, units - balance.drawn)))

    @property
    def credit(self) -> Credit:
        """The grant as it stands last."""
        return self.standing.latest


def span_of(credit: Credit, contract: Contract) -> tuple[datetime, datetime | None]:
    """Return the instants between which a grant pays: [effective, expires or voided); None is without an end."""
    ends = [contract.instant(at) for at in (credit.expires, credit.voided) if at is not None]
    return contract.instant(credit.effective), min(ends, default=None)


def windows_of_credit(credit: Credit, contract: Contract) -> tuple[Window, ...]:
    """Return a grant's windows: one, or one for each refill or reset; a window without an end ends with the term."""
    starts_at, ends_at = span_of(credit, contract)
    last = ends_at or contract.span.ends_at
    starts = [starts_at]
    starts += _refills(credit, contract, starts_at, last)
    starts += [contract.instant(reset.at) for reset in credit.resets]
    starts = sorted({at for at in starts if starts_at <= at < last})
    found = []
    for index, (first, after) in enumerate(zip(starts, [*starts[1:], last], strict=True)):
        days = local_day(first, contract.timezone), local_day(after, contract.timezone)
        exact = Period(starts_at=first, ends_at=after)
        found.append(Window(index, days[0], days[1], days[0], days[1], exact))
    return tuple(found)


def _refills(credit: Credit, contract: Contract, starts_at: datetime, last: datetime) -> Iterator[datetime]:
    if credit.every is None or credit.every == "term":
        return
    first = local_day(starts_at, contract.timezone)
    origin = first if credit.anchor is None else first.replace(year=first.year - 1, month=1, day=credit.anchor)
    for step in count(1):
        weekly = credit.every == "week"
        day = first + timedelta(weeks=step) if weekly else anchored(origin, step * _MONTHS[credit.every])
        if day > first:
            at = contract.instant(day)
            if at >= last:
                return
            yield at


def grants_of(
    standings: Sequence[Standing[Credit]], timeline: Timeline, history: History, book: RateBook
) -> list[Grant]:
    """Return the credits that can pay in the period, in their total order.

    Priority, then expiry (none last), then promotional before paid, then effective, then created (or file order),
    then id.
    """
    found = []
    for position, standing in enumerate(standings):
        credit, contract = standing.latest, standing.said[-1][1]
        starts_at, ends_at = span_of(credit, contract)
        unit = unit_of(credit, timeline, book)
        allowance = allowance_of(
            credit.id,
            credit.kind,
            unit.name,
            [(window, credit.amount, ()) for window in windows_of_credit(credit, contract)],
            credit.rollover,
            timeline,
            history,
            cost=lambda _, price=rounded(credit.price, timeline.contract.currency): price,  # type: ignore[misc]
            expires=ends_at is not None or credit.every is not None or bool(credit.resets),
        )
        if unit.digits is not None:
            for balance in allowance.balances:
                balance.spent = ZERO
        created = contract.instant(credit.created) if credit.created is not None else starts_at
        order = (
            credit.priority,
            ends_at or _FOREVER,
            credit.kind != "promotional",
            starts_at,
            created,
            position,
            credit.id,
        )
        found.append(Grant(standing, order, scopes.Reach(standing), allowance, unit))
    return sorted(found, key=lambda grant: grant.order)


def bounds_of(standings: Sequence[Standing[Credit]]) -> tuple[datetime, ...]:
    """Return every instant at which what a credit can pay changes."""
    found: set[datetime] = set()
    for standing in standings:
        credit, contract = standing.latest, standing.said[-1][1]
        for window in windows_of_credit(credit, contract):
            found |= {window.span.starts_at, window.span.ends_at}
            carried_until = carry_ends(credit.rollover, window, contract.timezone)
            found |= {carried_until} if carried_until else set()
    return tuple(sorted(found))


def pay(grants: Sequence[Grant], drafts: Sequence[Draft], bounds: Sequence[datetime], timeline: Timeline) -> None:
    """Let the credits pay what is due: segment by segment of their windows, in total order, line by line.

    A credit pays only usage inside its window, and only whole minor units: what is finer stays in the balance.
    """
    if not grants:
        return
    currency = timeline.contract.currency
    dues: dict[tuple[int, int], Decimal] = {}
    for place, draft in enumerate(drafts):
        if draft.kind in _PAYABLE and draft.due > 0:
            segments = sorted(draft.by_segment)
            weights = [max(ZERO, draft.by_segment[segment]) for segment in segments]
            for segment, part in zip(segments, split(draft.due, weights, currency), strict=True):
                dues[place, segment] = part
    _net(dues, -total(draft.due for draft in drafts if draft.kind in _PAYABLE and draft.due < 0))
    minor = Decimal(1).scaleb(-minor_digits(currency))
    preserved = [_preserved(grant) for grant in grants]
    begun = sum(1 for bound in bounds if bound < timeline.span.ends_at)
    for segment in range(1, begun + 1):
        for grant, since in zip(grants, preserved, strict=True):
            at = bounds[segment - 1]
            balance = grant.allowance.at(at)
            if balance is None or grant.payable(balance, minor) <= 0:
                continue
            first = since.get(balance.window.starts_at)
            earlier = [when for when in range(1, segment) if first is not None and bounds[when - 1] >= first]
            for when in range(segment + 1) if grant.credit.pays_earlier_overage else (*earlier, segment):
                for place, draft in enumerate(drafts):
                    due = dues.get((place, when), ZERO)
                    if due <= 0 or not grant.reach.holds(draft.group, at):
                        continue
                    amount = min(due, grant.payable(balance, minor))
                    if amount <= 0:
                        break
                    grant.pay(at, balance, amount)
                    dues[place, when] = due - amount
                    draft.paid[when] = draft.paid.get(when, ZERO) + amount
                    grant.paid.append((balance, draft, when, amount))


def _net(dues: dict[tuple[int, int], Decimal], back: Decimal) -> None:
    """Take what a later tier gives back of earlier bills off what is due, so that no credit pays it too."""
    for key in reversed(list(dues)):
        taken = min(dues[key], back)
        dues[key] -= taken
        back -= taken


def _preserved(grant: Grant) -> dict[datetime, datetime]:
    """Return the windows that begin with a reset which preserves overage, each with when the one before began."""
    credit, contract = grant.credit, grant.standing.said[-1][1]
    resets = {contract.instant(reset.at) for reset in credit.resets if reset.preserve_overage}
    windows = [window.span.starts_at for window in windows_of_credit(credit, contract)]
    return {after: before for before, after in pairwise(windows) if after in resets}
