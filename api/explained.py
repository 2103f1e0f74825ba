"""Explained: a statement's lines, each with its explanation and the pools and lines that paid of it."""

from collections.abc import Iterator

from billing.explained import off, pools_of
from models.money import Currency
from models.statement import Applied, Pool, RatedLine, Statement
from models.value import Frozen


class ExplainedLine(Frozen):
    """What `tieout invoice explain --json` and the page show of a line."""

    number: int
    line: RatedLine
    currency: Currency
    pools: tuple[Pool, ...]
    reduced_by: tuple[Applied, ...]  # which line took off or paid how much of this one


def lines_of(statement: Statement) -> Iterator[ExplainedLine]:
    """Yield a statement's lines in their order."""
    for number, line in enumerate(statement.lines, 1):
        yield ExplainedLine(
            number=number,
            line=line,
            currency=statement.currency,
            pools=tuple(pools_of(line, statement)),
            reduced_by=tuple(Applied(line=other.id, amount=part.amount) for other, part in off(line, statement)),
        )
