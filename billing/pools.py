"""Pools as ledgers: each commitment and grant over the contract's life, read from what was issued, never recomputed."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from billing.rating.openings import taken_over
from models.contract import Contract
from models.money import ZERO
from models.opening import Opening
from models.period import Period
from models.statement import Pool, Statement
from models.usage import Identifier
from models.value import Exact, Value

OPENING = "opening"
"""In place of a period: the line of a contract that was taken over."""

FLOORS = frozenset({"postpaid", "minimum", "maximum", "discount"})
"""Counts: what they lack is billed where their window ends; they hand nothing on."""


class PoolRow(Value):
    """A pool's window over one period: opening + granted - drawn - expired = closing.

    `period` is a month, or the word `opening` for what was taken over. Amounts for money, units for units; a floor is
    a count, and its closing is what is still missing.
    """

    pool: Identifier
    kind: str
    unit: str
    window: Period
    period: str
    opening: Exact
    granted: Exact
    drawn: Exact
    expired: Exact
    closing: Exact


def ledger_of(
    statements: Sequence[Statement], opening: Opening | None = None, contracts: Sequence[Contract] = ()
) -> tuple[PoolRow, ...]:
    """Return every pool's rows by pool, window and period: the opening line, then each issued month's own.

    `statements` are the contract's issued ones, oldest first, of which the last of a month counts; `contracts` are
    needed for an opening position alone.
    """
    latest = {one.period: one for one in statements}
    taken = taken_over(opening, contracts).pools if opening is not None else ()
    rows = [_row(pool, OPENING) for pool in taken]
    rows += [_row(pool, one.period) for one in latest.values() for pool in one.pools if pool.in_force]
    order = {period: place for place, period in enumerate([OPENING, *latest])}
    return tuple(sorted(rows, key=lambda row: (row.pool, row.window.starts_at, order[row.period])))


def brought_forward(rows: Iterable[PoolRow]) -> list[tuple[PoolRow, Decimal]]:
    """Return the rows that go on from another, each with what it must open with.

    That is the closing of its window's row before, or, for a window's first row, what the window that ends where it
    begins handed on. A window that begins before the ledger does has nothing before it to be held against.
    """
    found: list[tuple[PoolRow, Decimal]] = []
    last: dict[tuple[str, Period], PoolRow] = {}
    for row in rows:
        before = last.get((row.pool, row.window))
        if before is not None:
            found.append((row, before.closing))
        elif row.period != OPENING:
            ended = [one for one in last.values() if _ends_where(one, row)]
            handed_on = [one.closing for one in ended if one.kind not in FLOORS]
            if ended:
                found.append((row, handed_on[-1] if handed_on else ZERO))
        last[row.pool, row.window] = row
    return found


def _ends_where(before: PoolRow, row: PoolRow) -> bool:
    return before.pool == row.pool and before.window.ends_at == row.window.starts_at


def _row(pool: Pool, period: str) -> PoolRow:
    return PoolRow(
        pool=pool.id,
        kind=pool.kind,
        unit=pool.unit,
        window=pool.window,
        period=period,
        opening=pool.opening,
        granted=pool.granted,
        drawn=pool.drawn,
        expired=pool.expired,
        closing=pool.closing,
    )
