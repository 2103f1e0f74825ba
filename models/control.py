"""Controls of a period: numbers that must be the same number, who signed which, and how the period stands."""

from enum import StrEnum

from models.period import Month
from models.usage import Identifier
from models.value import Exact, Instant, NotNegative, Value


class TieOutName(StrEnum):
    """The tie-outs of a period."""

    STRIPE = "stripe"  # what the platform says is still to be paid, and 1100 by invoice
    USAGE = "usage"  # reconciled quantities, and the rated ones
    GRANTS = "grants"  # what statements say is owed of each grant, and 2110 less 1120
    EXPORT = "export"  # the sub-ledger's postings, and the entries that are exported


class TieLine(Value):
    """Two numbers about one subject, in one unit: a currency, or a meter."""

    subject: Identifier
    unit: str
    left: Exact
    right: Exact

    @property
    def difference(self) -> Exact:
        """Left less right."""
        return self.left - self.right


class TieOut(Value):
    """One tie-out of a period: its fingerprint is over its numbers, and a signature names it."""

    name: TieOutName
    month: Month
    tolerance: NotNegative  # of each line, in its unit
    lines: tuple[TieLine, ...]

    @property
    def untied(self) -> tuple[TieLine, ...]:
        """The lines whose numbers differ by more than the tolerance."""
        return tuple(line for line in self.lines if abs(line.difference) > self.tolerance)


class KeptTieOut(Value):
    """A tie-out as it was computed once; the newest of a name counts, and older ones stay."""

    tie_out: TieOut
    at: Instant


class Signature(Value):
    """Who signed a tie-out, and whether the signature still stands."""

    name: TieOutName
    person: Identifier
    at: Instant
    subject: str  # fingerprint of what was signed
    reason: str
    stands: bool
    why: str = ""  # why it does not


class Reopening(Value):
    """A locked period that is open again until an instant, by two people."""

    month: Month
    asked_by: Identifier
    approved_by: Identifier
    reason: str
    at: Instant
    expires_at: Instant
    ended_at: Instant | None = None  # locked again before it expired


class PeriodState(StrEnum):
    """How an accounting period stands; derived from what is in the books, never typed in."""

    OPEN = "open"  # no close was begun
    CLOSING = "closing"  # customers are under way
    PENDING = "pending"  # every customer ended; tie-outs or signatures are missing
    READY = "ready"  # all tie out and all are signed
    LOCKED = "locked"
    REOPENED = "reopened"


class PeriodStatus(Value):
    """A period with what it is derived from, and what stands in its way."""

    month: Month
    state: PeriodState
    customers: int
    ended: int
    tie_outs: tuple[KeptTieOut, ...]
    signatures: tuple[Signature, ...]
    reopening: Reopening | None = None
    blockers: tuple[str, ...] = ()
