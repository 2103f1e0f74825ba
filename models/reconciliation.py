"""Reconciliation: the sources of one customer's month compared, with every difference named."""

from enum import StrEnum

from pydantic import Field

from models.money import Currency
from models.period import Month
from models.snapshot import Artifact
from models.usage import Dimensions, Identifier
from models.value import Exact, Instant, Value


class Cause(StrEnum):
    """Why two sources differ, by name."""

    MISSING = "missing"
    EXTRA = "extra"
    DUPLICATE = "duplicate"
    COPY = "copy"
    LATE = "late"
    RETRY_OVER_BOUNDARY = "retry_over_boundary"  # billed in an earlier month, delivered again in this one
    DROPPED_BATCH = "dropped_batch"
    TRUNCATED = "truncated"
    UNIT = "unit"
    ZONE_SHIFT = "zone_shift"
    ALIAS = "alias"
    DIMENSION_MAPPING = "dimension_mapping"
    ALTERED = "altered"
    ROUNDING = "rounding"
    CHANGED_SINCE_SEAL = "changed_since_seal"  # a source no longer says what was sealed; the seal stands
    INCOMPLETE = "incomplete"  # a source is not complete past the instant that it is asked for


class Severity(StrEnum):
    """Whether a finding is only recorded, or holds the customer until a person answers."""

    RECORDED = "recorded"
    HOLDS = "holds"


class Finding(Value):
    """One difference between sources, with its cause, evidence and both sides' numbers."""

    id: Identifier
    customer: Identifier
    period: Month
    cause: Cause
    severity: Severity
    source: Identifier
    against: Identifier
    meter: Identifier
    dimensions: Dimensions = {}
    starts_at: Instant
    ends_at: Instant
    quantity: Exact
    against_quantity: Exact
    evidence: str
    suggestion: str


class Exposure(Value):
    """Money at risk: what a finding moves at the customer's own rates, were the other source taken for its span.

    `amount` is what the month's usage is then worth, less as it stands, before pools, credits, floors and tax, in
    `currency`: above zero where the other source would bill more. None where it cannot be rated; `why` says why.
    """

    finding: Identifier
    amount: Exact | None = None
    currency: Currency | None = None
    why: str = ""


class SourceTotal(Value):
    """What one source says of one meter over the whole month; shown, never used to pass."""

    source: Identifier
    meter: Identifier
    quantity: Exact
    events: int = Field(ge=0)


class Reconciliation(Value):
    """The answer of stage two: totals by source, findings, and the authoritative usage lines by reference."""

    customer: Identifier
    period: Month
    snapshots: tuple[str, ...]
    totals: tuple[SourceTotal, ...]
    findings: tuple[Finding, ...]
    authority: dict[str, str]
    usage: Artifact

    @property
    def holding(self) -> tuple[Finding, ...]:
        """The findings that hold the customer until a person answers."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.HOLDS)


class Answer(StrEnum):
    """How a person may resolve a finding."""

    ACCEPT = "accept"  # take the named source's quantity for this finding's cells
    CORRECT = "correct"  # take a given quantity, with evidence
    DEFER = "defer"  # leave as it stands, the difference goes to the next period
    EXCLUDE = "exclude"  # leave the cells out, with a reason


class Resolution(Value):
    """A person's answer to a finding."""

    finding: Identifier
    answer: Answer
    source: Identifier | None = None
    quantity: Exact | None = None
    reason: str = Field(min_length=1)
    person: Identifier
    decision: str
