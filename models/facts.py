"""Facts: what reports need of a statement and of its schedule. Told from them, kept beside them; they never change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import NamedTuple, Self

from models.contract import Contract
from models.entity import Entity
from models.event import Estimate
from models.invoice import Invoice, IssuedInvoice
from models.journal import Account, Rule
from models.money import ZERO, Currency, total
from models.opening import Opening
from models.period import Month, Zone
from models.revenue import RevenueSchedule
from models.statement import LineKind, Statement
from models.usage import Identifier
from models.value import Exact, Instant, Value, fingerprint_of

USED = frozenset({LineKind.USAGE, LineKind.OVERAGE, LineKind.INCLUDED})
_TAKES_OFF = frozenset({LineKind.DISCOUNT, LineKind.MAXIMUM})
_DIGITS = 120
"""Quantities are summed exactly: a draw has forty places."""


class PoolFacts(NamedTuple):
    """A pool over a statement's period, in its own unit."""

    id: str
    kind: str
    unit: str
    starts_at: Instant
    ends_at: Instant
    drawn: Exact
    expired: Exact
    closing: Exact


class LineSum(NamedTuple):
    """A statement's lines of one meter, model and kind, covered by a pool or not: units, and what was taken off."""

    meter: str
    model: str
    kind: LineKind
    covered: bool
    quantity: Exact
    taken_off: Exact
    provider: str | None  # of the last line that was used


class StatementFacts(Value):
    """What reports need of an issued statement, whatever month they are of."""

    statement: str  # its fingerprint
    customer: Identifier
    contract: Identifier
    period: Month
    timezone: Zone
    currency: Currency
    tax: Exact
    overage: Exact
    pools: tuple[PoolFacts, ...]

    @classmethod
    def of(cls, statement: Statement, fingerprint: str) -> Self:
        """Return a statement's facts; `fingerprint` is its own."""
        return cls(
            statement=fingerprint,
            customer=statement.customer,
            contract=statement.contract,
            period=statement.period,
            timezone=statement.timezone,
            currency=statement.currency,
            tax=total(line.amount for line in statement.lines if line.kind is LineKind.TAX),
            overage=total(line.amount for line in statement.lines if line.kind is LineKind.OVERAGE),
            pools=tuple(
                PoolFacts(
                    id=one.id, kind=one.kind, unit=one.unit, starts_at=one.window.starts_at,
                    ends_at=one.window.ends_at, drawn=one.drawn, expired=one.expired, closing=one.closing,
                )
                for one in statement.pools
            ),
        )  # fmt: skip


class LineFacts(Value):
    """What reports need of a statement's lines, in the month of the statement and the next."""

    sums: tuple[LineSum, ...]

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Return the sums of a statement's lines, by the last line of each."""
        lines = {line.id: line for line in statement.lines}
        found: dict[tuple[str, str, LineKind, bool], LineSum] = {}
        with localcontext() as context:
            context.prec = _DIGITS
            for line in statement.lines:
                for part in line.applied if line.kind in _TAKES_OFF else ():
                    of = lines[part.line]
                    key = (of.meter or "", of.dimensions.get("model", ""), of.kind, bool(of.covered_by))
                    known = found.get(key) or LineSum(*key, ZERO, ZERO, None)
                    found[key] = known._replace(taken_off=known.taken_off - part.amount)
                if line.kind in USED:
                    key = (line.meter or "", line.dimensions.get("model", ""), line.kind, bool(line.covered_by))
                    known = found.pop(key, LineSum(*key, ZERO, ZERO, None))
                    quantity, provider = known.quantity + line.billed_quantity, line.dimensions.get("provider", "")
                    found[key] = known._replace(quantity=quantity, provider=provider)
        return cls(sums=tuple(found.values()))


class Later(NamedTuple):
    """What an obligation earns in a later month."""

    obligation: str
    period: str
    amount: Exact


class ScheduleFacts(Value):
    """What reports need of a contract's schedule as its last issued statement leaves it."""

    contract: Identifier
    statement: str  # its fingerprint
    currency: Currency
    grants: Exact  # what all of them hold
    deferred: Exact  # fees billed and not yet earned
    later: tuple[Later, ...]

    @classmethod
    def of(cls, schedule: RevenueSchedule) -> Self:
        """Return a schedule's facts."""
        return cls(
            contract=schedule.contract,
            statement=schedule.statement,
            currency=schedule.currency,
            grants=total(one.closing for one in schedule.grants),
            deferred=schedule.deferred_closing,
            later=tuple(Later(row.obligation, row.period, row.amount) for row in schedule.later),
        )


def inputs_of(
    statements: Sequence[str],
    contracts: Sequence[Contract | str],
    opening: Opening | None,
    entity: Entity,
    estimates: Sequence[Estimate],
) -> str:
    """Return the fingerprint of all that a schedule is made of: the same inputs, the same schedule.

    `statements` are the fingerprints of the contract's statements, oldest first; a contract may be named by its own.
    """
    versions = [one if isinstance(one, str) else one.fingerprint() for one in contracts]
    parts = (
        " ".join(statements),
        " ".join(versions),
        opening.fingerprint() if opening is not None else "",
        entity.fingerprint(),
        " ".join(one.fingerprint() for one in estimates),
    )
    return fingerprint_of("\n".join(parts))


@dataclass(frozen=True, slots=True)
class Part:
    """A posting as reports read it: of a journal's entries there are many, and they are kept at hand."""

    account: Account
    amount: Decimal
    obligation: str | None = None
    grant: str | None = None
    meter: str | None = None
    model: str | None = None
    service_from: date | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """A journal entry as reports read it."""

    key: str
    rule: Rule
    customer: str
    contract: str
    period: str
    currency: str
    statement: str
    invoice: str | None
    reverses: str | None
    recorded_at: datetime
    postings: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Billed:
    """An issued invoice as reports read it."""

    reference: str
    customer: str
    contract: str
    period: str
    currency: str
    statement: str
    total: Decimal
    fingerprint: str  # of what was asked for
    stripe_id: str
    number: str
    issued_at: datetime
    due_on: date

    @classmethod
    def of(cls, asked: Invoice, issued: IssuedInvoice) -> Self:
        """Return an invoice's facts."""
        return cls(
            reference=asked.reference, customer=asked.customer, contract=asked.contract, period=asked.period,
            currency=asked.currency, statement=asked.statement, total=asked.total, fingerprint=asked.fingerprint(),
            stripe_id=issued.stripe_id, number=issued.number, issued_at=issued.issued_at, due_on=issued.due_on,
        )  # fmt: skip
