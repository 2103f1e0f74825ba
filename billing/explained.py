"""Explained: a line as programs and pages read it, with the pools it names and what other lines took off or paid."""

from collections.abc import Iterator
from typing import Any

from models.statement import Applied, Pool, RatedLine, Statement


def explanation_of(line: RatedLine, statement: Statement) -> dict[str, Any]:
    """Return a line's explanation: what `tieout invoice explain --json`, the page and the API all show."""
    return {
        **line.model_dump(mode="json"),
        "currency": statement.currency,
        "pools": [pool.model_dump(mode="json") for pool in pools_of(line, statement)],
        "reduced_by": [{"line": other.id, "amount": part.amount} for other, part in off(line, statement)],
    }


def pools_of(line: RatedLine, statement: Statement) -> list[Pool]:
    """Return the pools a line names, or that paid of it."""
    named = {line.covered_by, line.grant, line.clause} - {None}
    paying = {other.grant for other, _ in off(line, statement)}
    return [pool for pool in statement.pools if pool.id in named | paying]


def off(line: RatedLine, statement: Statement) -> Iterator[tuple[RatedLine, Applied]]:
    """Yield what other lines took off or paid of a line."""
    for other in statement.lines:
        for part in other.applied:
            if part.line == line.id:
                yield other, part
