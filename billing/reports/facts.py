"""Facts: all that a month's reports are computed from, as known at its lock, and how cells are written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from models.close import Standing
from models.contract import Contract
from models.entity import DEFAULT, Entity
from models.event import Estimate
from models.journal import Account, JournalEntry, Posting
from models.money import ZERO, rounded
from models.opening import Opening
from models.period import next_month
from models.reports import InvoiceView, Report
from models.statement import Statement
from models.value import decimal_text, instant_text


@dataclass(frozen=True)
class Facts:
    """A month's facts: its own and every earlier one's entries, statements, invoices; nothing after the lock."""

    month: str
    entries: Sequence[JournalEntry] = ()
    statements: Sequence[Statement] = ()  # issued
    invoices: Sequence[InvoiceView] = ()
    contracts: Sequence[Contract] = ()
    standings: Sequence[Standing] = ()
    open_findings: Mapping[str, int] = field(default_factory=dict)  # by customer
    causes: Mapping[str, int] = field(default_factory=dict)  # findings of the month by cause
    by_hand: frozenset[str] = frozenset()  # customers for whom a person decided something but the approval
    locked_at: datetime | None = None
    entity: Entity = DEFAULT
    estimates: Sequence[Estimate] = ()
    openings: Mapping[str, Opening] = field(default_factory=dict)  # of contracts that were taken over

    @property
    def before(self) -> str:
        """The month before."""
        return next_month(self.month, -1)

    def postings(self, *accounts: Account) -> Iterator[tuple[JournalEntry, Posting]]:
        """Yield the postings on some accounts (on all where none is named) with their entries."""
        for entry in self.entries:
            for one in entry.postings:
                if not accounts or one.account in accounts:
                    yield entry, one

    def statements_of(self, contract: str) -> tuple[Statement, ...]:
        """Return a contract's issued statements, oldest first."""
        return tuple(sorted((one for one in self.statements if one.contract == contract), key=lambda one: one.period))

    def versions_of(self, contract: str) -> tuple[Contract, ...]:
        """Return a contract's versions, oldest first."""
        return tuple(one for one in self.contracts if one.contract == contract)

    def report(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Report:
        """Return a report of this month; cells are written here, and nowhere else."""
        return Report(
            name=name,
            month=self.month,
            known_at=self.locked_at,
            columns=tuple(columns),
            rows=tuple(tuple(_cell(cell) for cell in row) for row in rows),
        )


class Sums(dict[tuple[object, ...], Decimal]):
    """Sums by key; a key that is not there is zero."""

    def __missing__(self, key: tuple[object, ...]) -> Decimal:
        return ZERO

    def add(self, key: tuple[object, ...], amount: Decimal) -> None:
        """Add an amount to a key's sum."""
        self[key] = self[key] + amount


def money(amount: Decimal, currency: str) -> str:
    """Return a booked amount with all its currency's decimals: 0.00, 1234.50."""
    return f"{rounded(amount, currency):f}"


def ratio(part: Decimal, whole: Decimal, digits: int = 4) -> str:
    """Return part / whole to so many digits; nothing where the whole is nothing."""
    return f"{part / whole:.{digits}f}" if whole else ""


def _cell(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case Decimal():
            return decimal_text(cell)
        case datetime():
            return instant_text(cell)
        case _:
            return str(cell)
