"""Net lines: what of each rated line is billed, what a pool or credit paid, and what was given away."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from models.money import ZERO, total
from models.refusal import Refusal
from models.statement import LineKind, RatedLine, Statement

_REDUCES = frozenset({LineKind.DISCOUNT, LineKind.MAXIMUM})
_DRAWS = frozenset({LineKind.POOL_DRAW, LineKind.CREDIT_DRAW})
_FREE = frozenset({LineKind.INCLUDED, LineKind.EXCLUDED})
_BOUGHT = frozenset({LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE})


class NoRule(Refusal):
    """A line has no row in the entries table: nothing is recognized by default."""

    remedy = "Ask the controller which rule holds (docs/accounting.md), then correct the contract or the statement."


@dataclass(frozen=True, slots=True)
class NetLine:
    """A line after what was taken off it: amount = taken_off + billed + paid by grants + given away.

    Amounts are booked ones in the statement's currency. `paid` and `given` are at list value, by grant: what credits
    bought at a cost paid, and what promotional ones did.
    """

    line: RatedLine
    net: Decimal
    paid: dict[str, Decimal] = field(default_factory=dict)
    given: dict[str, Decimal] = field(default_factory=dict)

    @property
    def billed(self) -> Decimal:
        """What the customer is asked for."""
        return self.net - total(self.paid.values()) - total(self.given.values())


def net_lines(statement: Statement, free_grants: frozenset[str]) -> tuple[NetLine, ...]:
    """Return every line that is sold, in the statement's order, net of discounts and caps, with who paid what of it.

    `free_grants` are the grants nothing was paid for. A line that discounts, caps or draws names what it was applied
    to, so it has no revenue of its own (D1: it stays in the account of what it reduces).

    Raises:
        NoRule: a draw, discount or cap does not name its lines, or names one that can't be reduced.
    """
    sold = {line.id: line for line in statement.lines if line.kind not in _REDUCES | _DRAWS}
    nets = {key: line.amount for key, line in sold.items()}
    paid: dict[str, dict[str, Decimal]] = {key: {} for key in sold}
    given: dict[str, dict[str, Decimal]] = {key: {} for key in sold}
    for line in statement.lines:
        for target, amount in _parts(line, sold):
            if line.kind in _REDUCES:
                nets[target] -= amount
                continue
            grant = _grant(line)
            payer = given if grant in free_grants else paid
            payer[target][grant] = payer[target].get(grant, ZERO) + amount
    lines = tuple(NetLine(sold[key], nets[key], paid[key], given[key]) for key in sold)
    for one in lines:
        _refuse_what_has_no_rule(one)
    return lines


def _parts(line: RatedLine, sold: dict[str, RatedLine]) -> Iterator[tuple[str, Decimal]]:
    if line.kind not in _REDUCES | _DRAWS or line.amount == 0 == len(line.applied):
        return
    if not line.applied:
        raise NoRule("a line does not say which lines it was applied to", line=line.id, kind=line.kind)
    for part in line.applied:
        if part.line not in sold or sold[part.line].kind is LineKind.TAX:
            raise NoRule("a line is applied to one that it can't reduce", line=line.id, applied_to=part.line)
        yield part.line, part.amount


def _grant(line: RatedLine) -> str:
    if line.grant is None:
        raise NoRule("a draw does not name its grant", line=line.id)
    return line.grant


def _refuse_what_has_no_rule(one: NetLine) -> None:
    if one.line.kind in _FREE and (one.line.amount or one.net or one.paid or one.given):
        raise NoRule("usage that is not charged has an amount", line=one.line.id, amount=one.line.amount)
    if one.line.kind in _BOUGHT and (one.paid or one.given):
        raise NoRule("a credit paid for another credit", line=one.line.id)
