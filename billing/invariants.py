"""Invariants: what must hold of a whole customer close, each with both sides and their difference."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from billing.pools import PoolRow, brought_forward
from billing.rating.exact import exactly
from models.invoice import Invoice
from models.journal import Account, JournalEntry
from models.money import ZERO, total
from models.revenue import RevenueSchedule
from models.statement import LineKind, Statement
from models.usage import Identifier
from models.value import Exact, Value


class Check(Value):
    """Two numbers that are the same number, or are not."""

    name: Identifier
    left: Exact
    right: Exact
    difference: Exact

    @property
    def holds(self) -> bool:
        """Whether they tie, to the cent."""
        return self.difference == 0


def checks_of(
    statement: Statement,
    invoice: Invoice,
    schedule: RevenueSchedule,
    entries: Sequence[JournalEntry],
    accruals: Sequence[JournalEntry] = (),
) -> tuple[Check, ...]:
    """Return every tie of a customer's close: statement, invoice, schedule and journal, to the cent.

    `entries` are those of the issued month; `accruals` what was posted of it before, at the period's lock.
    """
    everything = [*accruals, *entries]
    tax = total(line.amount for line in statement.lines if line.kind is LineKind.TAX)
    billed = total(line.amount for line in statement.lines)
    earned = total(row.amount for row in schedule.now)
    corrected = total(line.amount for line in statement.lines if line.kind is LineKind.CORRECTION)
    checks = [
        _check("lines:invoice", billed, invoice.total),
        _check("invoice_lines:invoice", total(line.amount for line in invoice.lines), invoice.total),
        _check("invoice:1100", invoice.total, _on(Account.RECEIVABLE, entries)),
        _check("schedule:invoice", total(each.amount for each in schedule.billed), invoice.total),
        _check("tax:2200", tax, -_on(Account.SALES_TAX, entries)),
        _check("revenue:schedule", -_revenue(everything), earned),
        _check("unbilled:corrections", _on(Account.UNBILLED, everything), -corrected),  # posted with their correction
        _check(
            "2100:deferred",
            -_on(Account.DEFERRED_TIME, everything),
            schedule.deferred_closing - schedule.deferred_opening,
        ),
        _check("entries:0", total(posting.amount for entry in everything for posting in entry.postings), Decimal(0)),
    ]
    for position in schedule.grants:
        moved = -_on(Account.PREPAID, everything, position.grant) - _on(
            Account.CONTRACT_ASSET, everything, position.grant
        )
        checks.append(_check(f"grant:{position.grant}"[:128], moved, position.closing - position.opening))
    return tuple(checks)


def pools_follow(rows: Iterable[PoolRow]) -> tuple[Check, ...]:
    """Return, for each row of a contract's pools, that it rolls forward, is not below zero and follows the row before.

    A check is named after its pool and period, so that a break says where it is: `left` is what the row says.
    """
    listed = list(rows)
    checks = []
    with exactly():
        for row in listed:
            moved = row.opening + row.granted - row.drawn - row.expired
            checks.append(_check(f"pool:{row.pool}:{row.period}:closing"[:128], row.closing, moved))
            checks.append(_check(f"pool:{row.pool}:{row.period}:below_zero"[:128], min(row.closing, ZERO), ZERO))
        for row, expected in brought_forward(listed):
            checks.append(_check(f"pool:{row.pool}:{row.period}:opening"[:128], row.opening, expected))
    return tuple(checks)


def broken(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks that do not hold."""
    return tuple(check for check in checks if not check.holds)


def _check(name: str, left: Decimal, right: Decimal) -> Check:
    return Check(name=name, left=left, right=right, difference=left - right)


def _on(account: Account, entries: Iterable[JournalEntry], grant: str | None = None) -> Decimal:
    return total(
        posting.amount
        for entry in entries
        for posting in entry.postings
        if posting.account is account and grant in (None, posting.grant)
    )


def _revenue(entries: Iterable[JournalEntry]) -> Decimal:
    return total(posting.amount for entry in entries for posting in entry.postings if posting.account.is_revenue)
