"""The nightly watch: what was wrong with a month so far, as one night saw it, and what was new in it."""

from enum import StrEnum

from pydantic import Field

from models.money import Currency
from models.period import Month
from models.usage import Identifier
from models.value import Day, Exact, Instant, Value


class ConcernKind(StrEnum):
    """What a night may find."""

    HOLE = "hole"  # a source lost a batch, or ends too early
    DIFFERENCE = "difference"  # sources differ beyond tolerance in any other way
    SILENT = "silent"  # a source is not complete up to a day before the night
    CHANGED = "changed_since_seal"  # a source no longer says what was sealed of it
    COST_DRIFT = "cost_drift"  # a source's own cost left the catalog's
    UNKNOWN_ACCOUNT = "unknown_account"  # usage of an account that is no customer and no alias
    REFUSED = "refused"  # a source or a customer that could not be read or compared, by a rule


class Concern(Value):
    """One thing that is wrong with a month so far; the same thing has the same subject every night."""

    kind: ConcernKind
    subject: str = Field(min_length=1)  # a finding's id, a source, an account, a drift's source, model and first day
    customer: Identifier | None = None
    words: str
    size: Exact = Field(ge=0)  # how much it is, to tell whether it grew: units, money or hours, by kind
    amount: Exact | None = None  # money at risk, in `currency`
    currency: Currency | None = None


class Watch(Value):
    """A month as one night saw it: which sources were compared up to when, and every concern."""

    month: Month
    night: Day
    up_to: Instant
    compared: tuple[str, ...]
    customers: int = Field(ge=0)
    concerns: tuple[Concern, ...]


class NightAlert(Value):
    """A concern that was new, or had grown, on a night."""

    month: Month
    night: Day
    concern: Concern
    recorded_at: Instant
