"""History: what the earlier statements of a contract say was drawn, billed and used."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from billing.rating.timeline import Timeline
from models.money import ZERO, total
from models.period import next_month
from models.refusal import Refusal
from models.statement import LineKind, Pool, RatedLine, Statement


class PriorMissing(Refusal):
    """The earlier statements have a hole, or are another contract's: pools and tiers can't go on from them."""

    remedy = "Give every earlier statement of this contract, oldest first."


@dataclass(frozen=True, slots=True)
class Billed:
    """What was billed of a clause's window before our first statement."""

    kind: LineKind
    clause: str
    starts_on: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Taken:
    """An opening position (billing/rating/openings.py): the month it opens, its pools, what was billed before."""

    month: str
    pools: tuple[Pool, ...]
    billed: tuple[Billed, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The earlier statements of one contract, oldest first, and the opening position before them, if there is one.

    Empty for a contract that is taken over as it stands.
    """

    statements: tuple[Statement, ...]
    lines: tuple[RatedLine, ...] = ()
    _pools: dict[tuple[str, datetime], list[Pool]] = field(default_factory=dict)
    taken: Taken | None = None

    @property
    def begun(self) -> bool:
        """Whether anything is known of what was billed before."""
        return bool(self.statements) or self.taken is not None

    def pools(self, name: str, starts_at: datetime) -> Sequence[Pool]:
        """Return what the statements said of a pool's window, oldest first."""
        return self._pools.get((name, starts_at), ())

    def opening(self, name: str, starts_at: datetime) -> Decimal | None:
        """Return what a pool's window was left with, or None where no statement spoke of it."""
        known = self.pools(name, starts_at)
        return known[-1].closing if known else None

    def carried(self, name: str, ended_at: datetime) -> Decimal:
        """Return what the window that ended at an instant handed on."""
        found = [
            pools[-1].closing
            for (pool, _), pools in self._pools.items()
            if pool == name and pools[-1].window.ends_at == ended_at
        ]
        return found[-1] if found else ZERO

    def drawn(self, name: str, starts_at: datetime) -> Decimal:
        """Return what was drawn from a window so far, exactly."""
        return total(pool.drawn for pool in self.pools(name, starts_at))

    def booked(self, name: str, starts_at: datetime) -> Decimal:
        """Return what was booked as drawn from a window so far."""
        known = self.pools(name, starts_at)
        return known[-1].booked_drawn if known else ZERO

    def billed(self, kind: LineKind, clause: str, starts_on: date, ends_on: date) -> Decimal:
        """Return what was billed of a clause for service inside some days."""
        before = total(
            one.amount
            for one in (self.taken.billed if self.taken else ())
            if one.kind is kind and one.clause == clause and starts_on <= one.starts_on < ends_on
        )
        return before + total(
            line.amount
            for line in self.lines
            if line.kind is kind and line.clause == clause and starts_on <= line.service_from < ends_on
        )

    def spoke_of(self, kind: LineKind, clause: str) -> bool:
        """Return whether any statement billed a clause."""
        return any(line.kind is kind and line.clause == clause for line in self.lines)


def in_contract_currency(statement: Statement) -> Statement:
    """Return a statement with its lines at what they were in the contract's currency, before it was converted."""
    if statement.exchange is None:
        return statement
    lines = tuple(
        line.model_copy(update={"amount": line.contract_amount, "precise_amount": line.contract_precise})
        for line in statement.lines
        if line.contract_amount is not None
    )
    return statement.model_copy(update={"lines": lines, "currency": statement.exchange.contract_currency})


def history_of(prior: Sequence[Statement], timeline: Timeline, taken: Taken | None = None) -> History:
    """Return the history before the timeline's period; the statement of the period itself, if given, is left out.

    `taken` is the opening position, which stands before the first statement.

    Raises:
        PriorMissing: a month between the first statement (or the opening) and the period has none, another contract's
            is given, or the period lies before the opening.
    """
    contract = timeline.contract
    prior = [in_contract_currency(one) for one in prior]
    for one in prior:
        if one.contract != contract.contract or one.currency != contract.currency:
            raise PriorMissing(
                "an earlier statement is of another contract", given=one.contract, rated=contract.contract
            )
    earlier = sorted((one for one in prior if one.period < timeline.month), key=lambda one: (one.period, one.revision))
    latest = {one.period: one for one in earlier}
    kept = tuple(latest[month] for month in sorted(latest))
    if taken is not None and timeline.month < taken.month:
        raise PriorMissing("the period lies before the opening position", opening=taken.month, period=timeline.month)
    expected = taken.month if taken is not None else kept[0].period if kept else timeline.month
    for one in kept:
        if one.period != expected:
            raise PriorMissing("a month has no statement", contract=contract.contract, month=expected)
        expected = next_month(expected)
    if expected != timeline.month:
        raise PriorMissing("a month has no statement", contract=contract.contract, month=expected)
    pools = {(pool.id, pool.window.starts_at): [pool] for pool in (taken.pools if taken else ())}
    for one in kept:
        for pool in one.pools:
            if pool.in_force:
                pools.setdefault((pool.id, pool.window.starts_at), []).append(pool)
    return History(kept, tuple(line for one in kept for line in one.lines), pools, taken)
