"""tieout estimate: record what is expected of a commitment, credit or price, with its evidence."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from adapters.files import read_events
from adapters.postgres.desk import PostgresDesk
from adapters.postgres.estimates import PostgresEstimates
from cli.output import As, AsJson, print_json, print_table, say
from models.close import Role
from models.event import Estimate
from models.refusal import Refusal
from runtime import settings, wiring
from runtime.desk import token_of

app = typer.Typer(no_args_is_help=True, help="Estimates: who expects what, since when, why.")


class NotTheApprover(Refusal):
    """An estimate is recorded by the person who approves it."""

    remedy = "Let the approver named in the file record it, with a token of their own; they approve or control."


@app.command()
def record(
    file: Annotated[Path, typer.Argument(help="Estimates as JSON lines; see examples/recognize.")],
    person: As = None,
) -> None:
    """Record estimates, signed by the person each names as its approver. The same line twice is one estimate."""
    config = settings.load()
    database = wiring.database(config, "console")
    signs = PostgresDesk(database).person(token_of(config, person))
    found = [one for one in read_events(file) if isinstance(one, Estimate)]
    for one in found:
        if one.approved_by != signs.id or not {Role.APPROVER, Role.CONTROLLER} & set(signs.roles):
            raise NotTheApprover(f"{signs.id} may not record it", estimate=one.id, approved_by=one.approved_by)
    for one in found:
        PostgresEstimates(database).record(one, datetime.now(UTC))
    say(f"{len(found)} estimates recorded by {signs.id}")


@app.command()
def show(contract: Annotated[str, typer.Argument(help="The contract's id.")], as_json: AsJson = False) -> None:
    """Show a contract's estimates in the order they were recorded."""
    found = PostgresEstimates(wiring.database(settings.load(), "auditor")).estimates(contract)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id, str(one.on), one.subject, f"{one.expected_use or one.expected_price:f}", one.by, one.approved_by)
        for one in found
    ]
    print_table(f"Estimates of {contract}", ("id", "on", "subject", "expected", "by", "approved by"), rows)
