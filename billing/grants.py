"""Grants: what a prepaid commitment or credit cost, and what of that its draws and its expiry earn (rules A3, A4, A5).

The cost is spread over all credits; what is earned is the rounded share of everything used so far less what was earned
before, so the last credit takes the rest and used + expired + remaining is what was paid, to the cent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from billing.rating.exact import exactly
from models.journal import Account
from models.money import ZERO, rounded, split
from models.period import Period, month_period
from models.refusal import Refusal
from models.statement import Pool, Statement

COSTED = frozenset({"prepaid", "paid", "promotional"})


class CostUnknown(Refusal):
    """A grant is used and nobody says what was paid for it."""

    remedy = "Name the cost of the grant in the contract, or what it is bundled with."


class StatementsMissing(Refusal):
    """The statements given do not follow each other: what a grant opens with is not what it closed with before."""

    remedy = "Give every earlier statement of the contract, oldest first."


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant's running position, from statement to statement.

    `credits` and `cost` are what shares are taken of; `used` is what of the cost is drawn or expired since.
    `balance` is billed less used: what is owed, or below zero what was drawn ahead of billing.
    """

    id: str
    unit: str
    remaining: Decimal = ZERO
    credits: Decimal = ZERO
    cost: Decimal = ZERO
    used: Decimal = ZERO
    balance: Decimal = ZERO
    window: datetime | None = None
    window_cost: Decimal = ZERO  # what of `cost` came in with this window
    broken: Decimal = ZERO  # what of the cost is earned as breakage before it expires (A6)

    def breakage(self, expected_use: Decimal, currency: str) -> Decimal:
        """Return what is earned of the expected breakage by now: in proportion to use, never past what remains.

        The expected breakage is the cost of the credits nobody is expected to use; a new estimate changes all of it.
        """
        used = self.credits - self.remaining
        with exactly():
            never_used = max(self.credits - expected_use, ZERO)
            share = self.cost * never_used * min(used, expected_use) / (self.credits * expected_use)
            return min(rounded(share, currency), self.cost - self.used)

    def used_at(self, remaining: Decimal, currency: str) -> Decimal:
        """Return what of the cost is used once so many credits remain."""
        if remaining == 0 or self.credits == 0:
            return self.cost
        with exactly():
            return rounded(self.cost * (self.credits - remaining) / self.credits, currency)

    def granted(self, credits: Decimal, cost: Decimal) -> "Grant":
        """Return the position with more credits, at a cost.

        At the price of those before, the shares run on; at another price, the credits left and the new ones are
        blended from here on.
        """
        with exactly():
            if cost * self.credits == self.cost * credits:
                basis = (self.credits + credits, self.cost + cost, self.used)
            else:
                basis = (self.remaining + credits, self.cost - self.used + cost, ZERO)
            return replace(self, remaining=self.remaining + credits, credits=basis[0], cost=basis[1], used=basis[2])


@dataclass(frozen=True, slots=True)
class Costs:
    """What was paid for grants, beyond what their pools say.

    `bundled` is the share of a purchase and of each bonus bundled with it (A4). `windows` is what was billed by grant
    and window: an amendment inside it raises the cost as it raises the amount.
    """

    bundled: Mapping[str, Decimal] = field(default_factory=dict)
    windows: Mapping[tuple[str, Period], Decimal] = field(default_factory=dict)

    def of(self, pool: Pool) -> Decimal:
        """Return what was paid for a pool's window.

        Raises:
            CostUnknown: nobody says.
        """
        billed = self.windows.get((pool.id, pool.window))
        for cost in (self.bundled.get(pool.id), billed, pool.cost):
            if cost is not None:
                return cost
        raise CostUnknown("a grant does not say what was paid for it", grant=pool.id, kind=pool.kind)


@dataclass(frozen=True, slots=True)
class Use:
    """What a statement's draws and expiry of one grant earn, and the grant after them."""

    after: Grant
    drawn: Decimal
    expired: Decimal


@dataclass
class Purse:
    """Where a month's use is taken from: what is owed of the grant, then the contract asset (rule C6)."""

    left: Decimal

    def take(self, amount: Decimal) -> list[tuple[Account, Decimal]]:
        """Return the accounts an amount is debited to, in order; what comes back is owed again."""
        owed = min(amount, self.left)
        self.left -= owed
        parts = [(Account.PREPAID, owed), (Account.CONTRACT_ASSET, amount - owed)]
        return [(account, part) for account, part in parts if part]


def free_grants(statement: Statement, bundles: Mapping[str, str]) -> frozenset[str]:
    """Return the grants of a statement for which nothing was paid: their use earns nothing (rule D2).

    A bonus bundled with a purchase is not among them: it has its share of what was paid.
    """
    return frozenset(
        pool.id
        for pool in statement.pools
        if pool.id not in bundles
        and (pool.cost == 0 or (pool.cost is None and pool.kind == "promotional"))
        and pool.kind in COSTED
    )


def use_of(pool: Pool, known: Grant | None, statement: Statement, costs: Costs) -> Use:
    """Return what a statement's pool earns, given where the grant stood before.

    Raises:
        StatementsMissing, CostUnknown: nothing is earned by guess.
    """
    grant = known or Grant(id=pool.id, unit=pool.unit)
    cost = costs.of(pool)
    if pool.window.starts_at != grant.window:
        grant = replace(grant, window=pool.window.starts_at, window_cost=ZERO)
    # A window's first statement may show its amount as opened with, or as granted; both are new.
    opens_here = pool.window.starts_at >= month_period(statement.period, statement.timezone).starts_at
    with exactly():
        fresh = pool.granted + (pool.opening - grant.remaining if opens_here else ZERO)
    if fresh < 0 or (not opens_here and pool.opening != grant.remaining):
        raise StatementsMissing(
            "a grant opens with another balance than it closed with",
            grant=pool.id,
            period=statement.period,
            opening=pool.opening,
            closed_with=grant.remaining,
        )
    if fresh or cost != grant.window_cost:
        grant = replace(grant.granted(fresh, cost - grant.window_cost), window_cost=cost)
    with exactly():
        drawn_to = grant.used_at(pool.closing + pool.expired, statement.currency)
        expired_to = grant.used_at(pool.closing, statement.currency)
    after = replace(grant, remaining=pool.closing, used=expired_to, balance=grant.balance - (expired_to - grant.used))
    return Use(after=after, drawn=drawn_to - grant.used, expired=expired_to - drawn_to)


def bundled_costs(
    statement: Statement, bundles: Mapping[str, str], purchases: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Return each bundled grant's share of what was paid, by credits: bonus and bought credits cost the same (A4).

    `bundles` names the purchase of each bonus grant, `purchases` what was paid for each purchase in this statement.
    """
    sizes = {pool.id: pool.opening + pool.granted for pool in statement.pools}
    costs: dict[str, Decimal] = {}
    for purchase in sorted(set(bundles.values())):
        if purchase not in purchases:
            continue
        members = [purchase, *sorted(bonus for bonus, of in bundles.items() if of == purchase)]
        if any(member not in sizes for member in members):
            raise CostUnknown("a bundle's grants are not all in the statement that bills it", purchase=purchase)
        shares = split(purchases[purchase], [sizes[member] for member in members], statement.currency)
        costs.update(zip(members, shares, strict=True))
    return costs
