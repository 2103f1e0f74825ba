"""Earning: one statement's movements, line kind by line kind; the order of its methods is the order of a month."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from billing import grants
from billing.grants import Costs, CostUnknown, Grant, Purse, Use
from billing.net_lines import NetLine, NoRule
from billing.ratable import Ratable
from billing.rating.exact import exactly
from billing.revenue_terms import RevenueTerms
from models.event import Estimate
from models.journal import Account, Rule
from models.money import ZERO, rounded, split, total
from models.period import first_day, midnight, next_month
from models.revenue import GrantPosition, Movement, RevenueSchedule
from models.statement import LineKind, Pool, RatedLine, Statement

_ARREARS = {
    LineKind.USAGE: (Rule.B2, Account.USAGE, "usage of the month"),
    LineKind.MINIMUM: (Rule.B2, Account.USAGE, "what lifts usage to its floor"),
    LineKind.OVERAGE: (Rule.B5, Account.OVERAGE, "usage past its commitment"),
    LineKind.SHORTFALL: (Rule.C1, Account.SHORTFALL, "a commitment's unused part, where its period ends"),
}
_PURCHASES = frozenset({LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE})
_ELSEWHERE = _PURCHASES | {LineKind.FEE, LineKind.TAX, LineKind.INCLUDED, LineKind.EXCLUDED, LineKind.CORRECTION}
_LONGEST_MONTH_DAYS = 31

_Ahead = tuple[tuple[Ratable, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Estimated:
    """What of an estimate is booked, and what it is measured against, over its window."""

    window: datetime | date
    whole: Decimal = ZERO  # of a floor: what is promised; of a price: what was billed
    used: Decimal = ZERO
    booked: Decimal = ZERO


class Earning:
    """The movements of one statement, collected line by line; `grants` stand where this statement leaves them."""

    def __init__(
        self,
        statement: Statement,
        before: Mapping[str, Grant],
        costs: Costs,
        terms: RevenueTerms,
        estimated: Mapping[str, Estimated],
    ) -> None:
        self.statement = statement
        self.terms = terms
        self.estimated = dict(estimated)
        self.grants = dict(before)
        self._before = before
        self._costs = costs
        self._end = first_day(next_month(statement.period))
        self._rows: list[Movement] = []
        self._moved: list[Movement] = []
        self._billed: list[Movement] = []
        self._uses: dict[str, Use] = {}
        self._streams: list[tuple[Ratable, Decimal]] = []

    def bill_purchases(self, lines: Sequence[NetLine], bundles: Mapping[str, str]) -> None:
        """Owe what is bought (A1), spread over credits bought together; what was drawn ahead of it is paid first."""
        costs = self._costs.bundled
        for one in lines:
            if one.line.kind not in _PURCHASES:
                continue
            grant = one.line.grant
            if grant is None:
                raise NoRule("a purchase does not name its grant", line=one.line.id)
            if one.line.kind is LineKind.CREDIT_PURCHASE and grant not in costs:
                self._refuse_other_cost(one, grant)
            members = [bonus for bonus, purchase in bundles.items() if purchase == grant and bonus in costs]
            for member in members:
                self._owe(one.line, member, costs[member])
            self._owe(one.line, grant, one.billed - total(costs[member] for member in members))

    def _refuse_other_cost(self, one: NetLine, grant: str) -> None:
        for pool in self.statement.pools:
            if pool.id == grant and pool.cost not in (None, one.billed):
                raise CostUnknown("a credit is billed at another cost", grant=grant, billed=one.billed, cost=pool.cost)

    def _owe(self, line: RatedLine, grant: str, amount: Decimal) -> None:
        known = self.grants.get(grant, Grant(id=grant, unit=self.statement.currency))
        drawn_ahead = min(amount, max(-known.balance, ZERO)) if amount > 0 else ZERO
        self._bill(Rule.A1, Account.CONTRACT_ASSET, drawn_ahead, line, "clears what was drawn ahead of it", grant)
        self._bill(Rule.A1, Account.PREPAID, amount - drawn_ahead, line, "paid before use", grant)
        self.grants[grant] = replace(known, balance=known.balance + amount)

    def bill_tax(self, lines: Sequence[NetLine]) -> None:
        """Owe the tax, which was never ours."""
        for one in lines:
            if one.line.kind is LineKind.TAX:
                self._bill(Rule.B3, Account.SALES_TAX, one.billed, one.line, "tax, collected for others")

    def bill_corrections(self, lines: Sequence[NetLine]) -> None:
        """Bill corrections of earlier invoices (B3): what they earn was posted when they were approved (F2, F4)."""
        for one in lines:
            if one.line.kind is LineKind.CORRECTION:
                self._bill(Rule.B3, Account.UNBILLED, one.billed, one.line, "a correction of an earlier invoice")

    def use_grants(self, lines: Sequence[NetLine], free: frozenset[str]) -> None:
        """Earn what draws used (A3) and what expired (A5), at what was paid for the grant."""
        drawn_on = {grant for one in lines for grant in one.paid}
        windows: dict[str, list[Pool]] = {}
        for pool in self.statement.pools:
            if pool.kind in grants.COSTED and pool.id not in free and pool.in_force:
                windows.setdefault(pool.id, []).append(pool)
        if drawn_on - set(windows):
            raise NoRule(
                "a draw is on a grant that the statement does not show", grants=sorted(drawn_on - set(windows))
            )
        for grant, pools in windows.items():
            before = self.grants.get(grant)
            drawn, expired, broken = ZERO, ZERO, ZERO
            for pool in pools:  # several where one window ends and the next begins inside the month
                use, early = self._use(pool)
                self.grants[grant] = use.after
                drawn, expired, broken = drawn + use.drawn, expired + use.expired, broken + early
            self._uses[grant] = Use(after=self.grants[grant], drawn=drawn, expired=expired + broken)
            self._draw(
                grant, before.balance if before else ZERO, Use(self.grants[grant], drawn, expired), broken, lines
            )

    def _use(self, pool: Pool) -> tuple[Use, Decimal]:
        """Return what a pool earns by use and by expiry, and what of its breakage is earned before it expires (A6)."""
        known = self.grants.get(pool.id)
        if not self.terms.of(pool.id).expected:
            return grants.use_of(pool, known, self.statement, self._costs), ZERO
        if known is not None and known.window != pool.window.starts_at and known.remaining == 0:
            known = Grant(id=known.id, unit=known.unit, balance=known.balance)  # each window has its own estimate
        use = grants.use_of(pool, known, self.statement, self._costs)
        after = use.after
        if pool.window.ends_at <= midnight(self._end, self.statement.timezone):
            left = replace(after, broken=ZERO, balance=after.balance + after.broken)
            rest = use.expired - after.broken  # below zero where more was used than expected: breakage comes back
            return Use(left, use.drawn, max(rest, ZERO)), min(rest, ZERO)
        target = after.breakage(self.terms.expected_use(pool.id, self.statement.period), self.statement.currency)
        early = target - after.broken
        return Use(replace(after, broken=target, balance=after.balance - early), use.drawn, use.expired), early

    def _draw(self, grant: str, balance: Decimal, use: Use, broken: Decimal, lines: Sequence[NetLine]) -> None:
        back = min(broken, ZERO)  # breakage that a new estimate takes back is owed again before anything is drawn
        purse = Purse(max(balance, ZERO) - back)
        for line, amount in self._portions(grant, use.drawn, lines):
            if line is not None and line.kind is LineKind.FEE:
                self._draw_for_fee(grant, purse, line, amount)
                continue
            account = Account.SHORTFALL if line and line.kind is LineKind.SHORTFALL else Account.USAGE_PREPAID
            for debit, part in purse.take(amount):
                rule = Rule.A3 if debit is Account.PREPAID else Rule.C6
                self._earn(rule, debit, account, part, line, f"drawn from {grant} at what it cost", grant)
        self._expire(grant, purse, use.expired)
        for debit, part in [(Account.PREPAID, back), *purse.take(broken - back)]:
            why = f"expected breakage of {grant}, in proportion to its use"
            self._earn(Rule.A6, debit, Account.BREAKAGE, part, None, why, grant)

    def _expire(self, grant: str, purse: Purse, amount: Decimal) -> None:
        """Earn what expired (A5, A7), unless it is owed still: back to the customer, or to the state (A8)."""
        terms = self.terms.of(grant)
        rule, account, into = (Rule.A7 if terms.rolls_over else Rule.A5), Account.BREAKAGE, self._rows
        if terms.refundable:
            account, into = Account.REFUND_LIABILITY, self._moved
        elif terms.unclaimed:
            rule, account, into = Rule.A8, Account.UNCLAIMED, self._moved
        for debit, part in purse.take(amount):
            self._add(into, rule, debit, account, part, None, f"what expired of {grant}, at what it cost", grant)

    def _draw_for_fee(self, grant: str, purse: Purse, line: RatedLine, amount: Decimal) -> None:
        """Earn a fee that a credit paid by its days: what lies ahead stays owed, as the fee's, not the credit's."""
        fee = Ratable(
            line,
            amount,
            self.statement.currency,
            (Rule.A3, Account.PREPAID),
            (Rule.B1_EARNED, Account.DEFERRED_TIME),
            monthly=self.terms.is_monthly(line.obligation),
        )
        now = fee.earned_by(self._end)
        for debit, part in purse.take(now):
            self._earn(Rule.A3, debit, Account.PLATFORM_FEE, part, line, f"a fee paid by {grant}", grant)
        for debit, part in purse.take(amount - now):
            why = f"{grant} paid a fee that is not earned yet"
            self._add(self._moved, Rule.A3_DEFERRED, debit, Account.DEFERRED_TIME, part, line, why, grant)
        self._streams.append((fee, now))

    def _portions(
        self, grant: str, drawn: Decimal, lines: Sequence[NetLine]
    ) -> Iterator[tuple[RatedLine | None, Decimal]]:
        """Yield what a grant's draws earn by line: as booked where the credits cost their face, else in proportion."""
        paid = [(one.line, one.paid[grant]) for one in lines if one.paid.get(grant)]
        amounts = [amount for _, amount in paid]
        if total(amounts) == drawn:
            yield from paid
        elif not paid:
            yield None, drawn
        elif min(amounts) >= 0 or max(amounts) <= 0:
            shares = split(drawn, [abs(amount) for amount in amounts], self.statement.currency)
            yield from zip((line for line, _ in paid), shares, strict=True)
        else:
            raise NoRule("draws and their return in one month, at a cost that is not their face", grant=grant)

    def earn_arrears(self, lines: Sequence[NetLine]) -> None:
        """Earn what is billed after use (B2, B5, C1, C2), and show what was given away gross (D2)."""
        for one in lines:
            if one.line.kind in _ELSEWHERE:
                continue
            if one.line.kind not in _ARREARS:
                raise NoRule("a line's kind has no rule", line=one.line.id, kind=one.line.kind.value)
            rule, account, why = _ARREARS[one.line.kind]
            if rule is Rule.C1 and (one.line.service_until - one.line.service_from).days > _LONGEST_MONTH_DAYS:
                rule = Rule.C2
            if rule is Rule.B2 and one.line.service_until <= first_day(self.statement.period):
                rule, why = Rule.F2, "late_usage: usage of an earlier month, received after its close"
            if rule in (Rule.C1, Rule.C2) and self.terms.of(one.line.grant).carries_forward:
                why = "a shortfall that may be used later is owed, not earned"
                args = (Rule.C7, Account.UNBILLED, Account.PREPAID, one.billed, one.line, why, one.line.grant)
                self._add(self._moved, *args)
                self._bill(Rule.B3, Account.UNBILLED, one.billed, one.line, why)
                continue
            self._earn(rule, Account.UNBILLED, account, one.billed, one.line, why)
            self._bill(Rule.B3, Account.UNBILLED, one.billed, one.line, why)
            for grant, amount in one.given.items():
                why_free = f"list value; {grant} is promotional, so the net is 0"
                self._add(self._moved, Rule.D2, Account.PROMOTIONAL, account, amount, one.line, why_free, grant)

    def expect_shortfalls(self, lines: Sequence[NetLine]) -> None:
        """Earn a floor's expected shortfall in proportion to its use (C3); at its end what was billed takes its place.

        What is accrued is a contract asset until then: it depends on more than time.
        """
        for pool in self.statement.pools:
            if pool.kind != "postpaid" or not pool.in_force or not self.terms.of(pool.id).expected:
                continue
            known = self._floor(pool)
            over = pool.window.ends_at <= midnight(self._end, self.statement.timezone)
            target = ZERO if over else self._expected_shortfall(pool.id, known)
            line = next((one.line for one in lines if one.line.grant == pool.id), None)
            why = f"expected shortfall of {pool.id}, in proportion to its use"
            change = target - known.booked
            self._earn(Rule.C3, Account.CONTRACT_ASSET, Account.SHORTFALL, change, line, why, pool.id)
            self.estimated[pool.id] = replace(known, booked=target)

    def _floor(self, pool: Pool) -> Estimated:
        known = self.estimated.get(pool.id)
        if known is None or known.window != pool.window.starts_at:
            if pool.window.starts_at < midnight(first_day(self.statement.period), self.statement.timezone):
                raise NoRule("an expected shortfall needs every statement of its window", commitment=pool.id)
            known = Estimated(window=pool.window.starts_at, whole=pool.opening)
        return replace(known, whole=known.whole + pool.granted, used=known.used + pool.drawn)

    def _expected_shortfall(self, commitment: str, known: Estimated) -> Decimal:
        expected = self.terms.expected_use(commitment, self.statement.period)
        with exactly():
            short = max(known.whole - expected, ZERO) * min(known.used, expected) / expected
            short = min(short, max(known.whole - known.used, ZERO))
            return rounded(short * self.terms.of(commitment).unit_amount, self.statement.currency)

    def expect_prices(self, lines: Sequence[NetLine]) -> None:
        """Owe what a retroactive tier is expected to give back (D3): billed so far less the expected price of it."""
        for estimate in self.terms.expected_prices(self.statement.period):
            since, until = estimate.window
            own = [
                one
                for one in lines
                if one.line.meter == estimate.subject
                and one.line.kind is LineKind.USAGE
                and since <= one.line.service_from < until
            ]
            key = f"price:{estimate.subject}:{since}"
            known = self.estimated.get(key, Estimated(window=since))
            known = replace(
                known,
                whole=known.whole + total(one.billed for one in own),
                used=known.used + total(one.line.billed_quantity for one in own),
            )
            target = self._owed_back(estimate, known)
            line = own[-1].line if own else None
            why = f"{estimate.subject} at its expected price of {estimate.expected_price}, by {estimate.id}"
            change = known.booked - target
            grant = None if line else key
            self._earn(Rule.D3, Account.REFUND_LIABILITY, Account.USAGE, change, line, why, grant)
            self.estimated[key] = replace(known, booked=target)

    def _owed_back(self, estimate: Estimate, known: Estimated) -> Decimal:
        if estimate.expected_price is None or estimate.window[1] <= self._end:
            return ZERO  # the window is over: its price is known
        with exactly():
            owed = known.whole - estimate.expected_price * known.used
        return max(rounded(owed, self.statement.currency), ZERO)

    def earn_fees(self, lines: Sequence[NetLine], before: _Ahead) -> _Ahead:
        """Earn fees by days (B1): of this statement, and of those billed ahead before; return what is still ahead."""
        month = self.statement.period
        for stream, earned in before:
            amount = stream.earned_by(self._end) - earned
            rule, debit = stream.ahead
            self._earn_stream(stream, month, first_day(month), amount, rule, debit)
            self._streams.append((stream, earned + amount))
        for one in lines:
            if one.line.kind is LineKind.FEE:
                self._earn_fee(one)
        return tuple((stream, earned) for stream, earned in self._streams if stream.line.service_until > self._end)

    def _earn_fee(self, one: NetLine) -> None:
        line, currency = one.line, self.statement.currency
        billed = Ratable(
            line,
            one.billed,
            currency,
            (Rule.B1_EARNED, Account.UNBILLED),
            (Rule.B1_EARNED, Account.DEFERRED_TIME),
            monthly=self.terms.is_monthly(line.obligation),
        )
        given = (Rule.D2, Account.PROMOTIONAL)
        fees = [
            billed,
            *(Ratable(line, amount, currency, given, given, monthly=billed.monthly) for amount in one.given.values()),
        ]
        for fee in fees:
            now = fee.earned_by(self._end)
            rule, debit = fee.now
            self._earn_stream(fee, self.statement.period, line.service_from, now, rule, debit)
            self._streams.append((fee, now))
        now = billed.earned_by(self._end)
        self._bill(Rule.B3, Account.UNBILLED, now, line, "the part of a fee that is earned")
        self._bill(Rule.B1_BILLED, Account.DEFERRED_TIME, one.billed - now, line, "the part of a fee that lies ahead")

    def schedule(self, before: _Ahead, after: _Ahead) -> RevenueSchedule:
        """Return all that was collected as a schedule, with what later months earn of amounts billed ahead."""
        for stream, _ in after:
            rule, debit = stream.ahead
            for month in stream.months_after(self.statement.period):
                first = first_day(month)
                amount = stream.earned_by(first_day(next_month(month))) - stream.earned_by(first)
                self._earn_stream(stream, month, first, amount, rule, debit)
        return RevenueSchedule(
            customer=self.statement.customer,
            contract=self.statement.contract,
            period=self.statement.period,
            currency=self.statement.currency,
            statement=self.statement.fingerprint(),
            rows=tuple(self._rows),
            moved=tuple(self._moved),
            billed=tuple(self._billed),
            grants=tuple(self._position(grant) for grant in sorted(self.grants)),
            deferred_opening=_deferred(before),
            deferred_closing=_deferred(after),
        )

    def _position(self, grant: str) -> GrantPosition:
        before, after, use = self._before.get(grant), self.grants[grant], self._uses.get(grant)
        opening = before.balance if before else ZERO
        drawn, expired = (use.drawn, use.expired) if use else (ZERO, ZERO)
        return GrantPosition(
            grant=grant,
            unit=after.unit,
            credits_left=after.remaining,
            opening=opening,
            billed=after.balance - opening + drawn + expired,
            drawn=drawn,
            expired=expired,
            closing=after.balance,
        )

    def _earn_stream(
        self, stream: Ratable, month: str, since: date, amount: Decimal, rule: Rule, debit: Account
    ) -> None:
        if amount:
            why = "a fee, by its days"
            if rule is Rule.D2:
                why = "a fee's list value that a promotional credit paid"
            elif since < first_day(month):
                why = "a fee that began in earlier months, earned where it is billed"
            rows = self._moved if rule is Rule.D2 else self._rows
            rows.append(stream.movement(month, since, amount, (rule, debit), why))

    def _earn(
        self,
        rule: Rule,
        debit: Account,
        credit: Account,
        amount: Decimal,
        line: RatedLine | None,
        why: str,
        grant: str | None = None,
    ) -> None:
        self._add(self._rows, rule, debit, credit, amount, line, why, grant)

    def _bill(
        self, rule: Rule, credit: Account, amount: Decimal, line: RatedLine, why: str, grant: str | None = None
    ) -> None:
        self._add(self._billed, rule, Account.RECEIVABLE, credit, amount, line, why, grant)

    def _add(
        self,
        into: list[Movement],
        rule: Rule,
        debit: Account,
        credit: Account,
        amount: Decimal,
        line: RatedLine | None,
        why: str,
        grant: str | None = None,
    ) -> None:
        if not amount:
            return
        into.append(
            Movement(
                rule=rule,
                period=self.statement.period,
                debit=debit,
                credit=credit,
                amount=amount,
                obligation=line.obligation if line else grant or "",
                grant=grant,
                meter=line.meter if line else None,
                model=line.dimensions.get("model") if line else None,
                rated_line=line.id if line else None,
                service_from=line.service_from if line else None,
                service_until=line.service_until if line else None,
                why=why,
            )
        )


def _deferred(ahead: _Ahead) -> Decimal:
    return total(stream.amount - earned for stream, earned in ahead if stream.ahead[1] is Account.DEFERRED_TIME)
