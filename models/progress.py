"""Progress: what a close has done so far, beside the standings of its customers."""

from models.money import Currency
from models.snapshot import SourceCounts
from models.usage import Identifier
from models.value import Exact, Instant, Value


class Sealed(Value):
    """A source sealed for a close: up to when it is complete, and what the pass read and left out."""

    source: Identifier
    watermark: Instant
    sealed_at: Instant
    counts: SourceCounts


class RatedTotal(Value):
    """A close's statements of one currency, and what the same customers' month before came to in it."""

    currency: Currency
    statements: int
    total: Exact
    prior_total: Exact | None


class Happened(Value):
    """Something that happened in a close: when, by whom (none: by itself), in words, about which customer."""

    at: Instant
    who: str | None
    what: str
    customer: str | None = None
    why: str = ""
    taken: bool | None = None  # of a decision: what the workflow said; None where it said nothing, or nobody decided
