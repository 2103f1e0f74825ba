"""Statement changes: line by line, what one statement says otherwise than an earlier one of the same month."""

from decimal import Decimal

from models.statement import Statement
from models.value import Exact, Value


class LineChange(Value):
    """A line whose amount is another one: None where there was none before, or is none any more."""

    line: str
    description: str
    before: Exact | None
    after: Exact | None


def changes(before: Statement, after: Statement) -> tuple[LineChange, ...]:
    """Return the lines whose amounts differ, in the later statement's order, then what is gone."""
    earlier, later = ({line.id: line for line in one.lines} for one in (before, after))
    found = []
    for name in [*later, *(name for name in earlier if name not in later)]:
        was, now = earlier.get(name), later.get(name)
        amounts: list[Decimal | None] = [line.amount if line else None for line in (was, now)]
        line = now or was
        if line is not None and amounts[0] != amounts[1]:
            found.append(LineChange(line=name, description=line.description, before=amounts[0], after=amounts[1]))
    return tuple(found)
