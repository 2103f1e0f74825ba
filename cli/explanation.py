"""How a line's explanation is printed, alike for a file's statement and an issued invoice."""

from billing.explained import off, pools_of
from cli.output import money, say
from models.statement import RatedLine, Statement
from models.value import decimal_text


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
    for other, part in off(line, statement):
        say(f"  less      {decimal_text(part.amount)} by {other.id}")
    for pool in pools_of(line, statement):
        flow = (pool.opening, pool.granted, pool.drawn, pool.expired, pool.closing)
        opening, granted, drawn, expired, closing = map(decimal_text, flow)
        say(
            f"  pool      {pool.id}: {opening} opening + {granted} granted - {drawn} drawn - {expired} expired"
            f" = {closing} {pool.unit}"
        )
