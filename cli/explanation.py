"""How a line's explanation is printed, alike for a file's statement and an issued invoice."""

from collections.abc import Iterator
from typing import Any

from cli.output import money, say
from models.statement import Applied, Pool, RatedLine, Statement
from models.value import decimal_text


def explanation_of(line: RatedLine, statement: Statement) -> dict[str, Any]:
    """Return a line as programs read it: the line, the pools it names, and what other lines took off or paid of it."""
    return {
        **line.model_dump(mode="json"),
        "currency": statement.currency,
        "pools": [pool.model_dump(mode="json") for pool in _pools(line, statement)],
        "reduced_by": [{"line": other.id, "amount": part.amount} for other, part in _off(line, statement)],
    }


def print_explanation(line: RatedLine, statement: Statement) -> None:
    """Print one line's explanation, from sentence to rounding residue, with the pools before and after."""
    told, currency = line.explanation, statement.currency
    say(f"{line.id}  {money(line.amount, currency)}")
    say(f"  {told.sentence}")
    if told.source:
        say(f"  quantity  {decimal_text(line.quantity)} from {told.source}, {told.events} events")
    if told.rate_version:
        say(f"  rate      {told.rate_version}{f' ({told.rate_source})' if told.rate_source else ''}")
    say(f"  clause    {told.clause} of {told.contract_version}")
    for step in told.steps:
        say(f"  row {'':5} {step.text}{f' = {decimal_text(step.amount)}' if step.amount is not None else ''}")
    say(f"  rounding  {decimal_text(told.rounding_residue)}")
    for other, part in _off(line, statement):
        say(f"  less      {decimal_text(part.amount)} by {other.id}")
    for pool in _pools(line, statement):
        flow = (pool.opening, pool.granted, pool.drawn, pool.expired, pool.closing)
        opening, granted, drawn, expired, closing = map(decimal_text, flow)
        say(
            f"  pool      {pool.id}: {opening} opening + {granted} granted - {drawn} drawn - {expired} expired"
            f" = {closing} {pool.unit}"
        )


def _pools(line: RatedLine, statement: Statement) -> list[Pool]:
    named = {line.covered_by, line.grant, line.clause} - {None}
    paying = {other.grant for other, _ in _off(line, statement)}
    return [pool for pool in statement.pools if pool.id in named | paying]


def _off(line: RatedLine, statement: Statement) -> Iterator[tuple[RatedLine, Applied]]:
    for other in statement.lines:
        for part in other.applied:
            if part.line == line.id:
                yield other, part
