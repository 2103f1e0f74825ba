"""How a line's explanation is printed, alike for a file's statement and an issued invoice."""

from cli.output import money, say
from models.statement import RatedLine
from models.value import decimal_text


def print_explanation(line: RatedLine, currency: str) -> None:
    """Print one line's explanation, from sentence to rounding residue."""
    told = line.explanation
    say(f"{line.id}  {money(line.amount, currency)}")
    say(f"  {told.sentence}")
    if told.source:
        say(f"  quantity  {decimal_text(line.quantity)} from {told.source}, {told.events} events")
    if told.rate_version:
        say(f"  rate      {told.rate_version}{f' ({told.rate_source})' if told.rate_source else ''}")
    say(f"  clause    {told.clause} of {told.contract_version}")
    for step in told.steps:
        say(f"  {'':9} {step.text}{f' = {decimal_text(step.amount)}' if step.amount is not None else ''}")
    say(f"  rounding  {decimal_text(told.rounding_residue)}")
