"""Facts: all that a month's reports are computed from, as known at its lock, and how cells are written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from models.close import Standing
from models.contract import Contract
from models.entity import DEFAULT, Entity
from models.event import Estimate
from models.facts import Billed, Booked, LineFacts, Part, ScheduleFacts, StatementFacts
from models.journal import Account, JournalEntry, Posting
from models.money import ZERO, rounded
from models.period import next_month
from models.reports import Report
from models.value import decimal_text, instant_text


class Fact(StrEnum):
    """What a report may be computed from; `billing.reports.registry` says which each one reads."""

    ENTRIES = "entries"
    STATEMENTS = "statements"
    LINES = "lines"
    SCHEDULES = "schedules"
    INVOICES = "invoices"
    CONTRACTS = "contracts"
    ESTIMATES = "estimates"
    STANDINGS = "standings"
    FINDINGS = "findings"
    BY_HAND = "by_hand"


@dataclass(frozen=True)
class Facts:
    """A month's facts: its own and every earlier one's entries, statements, invoices; nothing after the lock."""

    month: str
    entries: Sequence[Booked] | Sequence[JournalEntry] = ()
    statements: Sequence[StatementFacts] = ()  # issued, by fingerprint
    lines: Mapping[str, LineFacts] = field(default_factory=dict)  # of the month's statements and the month's before
    schedules: Sequence[ScheduleFacts] = ()  # of each contract, as its last statement leaves it
    invoices: Sequence[Billed] = ()
    contracts: Sequence[Contract] = ()
    standings: Sequence[Standing] = ()
    open_findings: Mapping[str, int] = field(default_factory=dict)  # by customer
    causes: Mapping[str, int] = field(default_factory=dict)  # findings of the month by cause
    by_hand: frozenset[str] = frozenset()  # customers for whom a person decided something but the approval
    locked_at: datetime | None = None
    entity: Entity = DEFAULT
    estimates: Sequence[Estimate] = ()

    @cached_property
    def before(self) -> str:
        """The month before."""
        return next_month(self.month, -1)

    def postings(self, *accounts: Account) -> Iterator[tuple[Booked | JournalEntry, Part | Posting]]:
        """Yield the postings on some accounts (on all where none is named) with their entries."""
        for entry in self.entries:
            for one in entry.postings:
                if not accounts or one.account in accounts:
                    yield entry, one

    def statements_of(self, contract: str) -> Sequence[StatementFacts]:
        """Return a contract's issued statements, oldest first."""
        return self._statements.get(contract, ())

    def versions_of(self, contract: str) -> Sequence[Contract]:
        """Return a contract's versions, oldest first."""
        return self._versions.get(contract, ())

    @cached_property
    def _statements(self) -> Mapping[str, Sequence[StatementFacts]]:
        found: dict[str, list[StatementFacts]] = {}
        for one in sorted(self.statements, key=lambda one: one.period):
            found.setdefault(one.contract, []).append(one)
        return found

    @cached_property
    def _versions(self) -> Mapping[str, Sequence[Contract]]:
        found: dict[str, list[Contract]] = {}
        for one in self.contracts:
            found.setdefault(one.contract, []).append(one)
        return found

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
    if type(cell) is str:  # most are text by now
        return cell
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
