"""Draft: a running month rated with what was used so far, between closes; overwritten by the next one, no evidence."""

from models.statement import Statement
from models.usage import Dimensions, Identifier
from models.value import Day, Exact, Instant, Value


class DayOfLine(Value):
    """A line's share of a day."""

    line: Identifier
    since: Instant  # of the line's slice
    day: Day
    meter: Identifier
    dimensions: Dimensions
    quantity: Exact
    events: int
    amount: Exact


class Draft(Value):
    """What a month would be billed were nothing more used: its statement, its usage by day, and how far it counts."""

    statement: Statement
    days: tuple[DayOfLine, ...]
    complete_up_to: Instant  # what the sources that speak for it had by then
    refreshed_at: Instant
