"""tieout compare: statements beside the invoices another system sent, every cent of difference named. No server."""

from pathlib import Path
from typing import Annotated

import typer

from adapters.files import read_billed, read_statements
from billing.parallel import compared
from cli.output import AsJson, Exit, leave, money, print_json, print_table, say
from models.parallel import Comparison

Against = Annotated[
    Path | None,
    typer.Option(help="What was billed (CSV: customer,line,amount,currency); line is a meter, clause or description."),
]


def compare(
    statement: Annotated[list[Path], typer.Argument(help="Statements (JSON) of one month; one or a list in each.")],
    against: Annotated[Path, typer.Option(help="What was billed (CSV: customer,line,amount,currency).")],
    as_json: AsJson = False,
) -> None:
    """Compare a month's statements with what was really billed. Exit code 1 where a line differs."""
    comparison = compared([one for path in statement for one in read_statements(path)], read_billed(against))
    if as_json:
        print_json(shown(comparison))
    else:
        print_comparison(comparison)
    if comparison.differing:
        leave(Exit.CHECK_FAILED)


def shown(comparison: Comparison) -> dict[str, object]:
    """Return a comparison as programs read it."""
    return {**comparison.model_dump(mode="json"), "equal": not comparison.differing}


def print_comparison(comparison: Comparison) -> None:
    """Print the lines that differ and the totals by currency."""
    if comparison.differing:
        columns = ("customer", "line", "rated", "billed", "difference", "why")
        rows = [
            (
                one.customer,
                one.line,
                *(money(x, one.currency) for x in (one.rated, one.billed, one.difference)),
                one.why,
            )
            for one in comparison.differing
        ]
        print_table(f"{len(rows)} lines differ", columns, rows, right=("rated", "billed", "difference"))
    for currency, difference in comparison.difference.items():
        equal = "every line is equal" if not comparison.differing else "named above to the cent"
        rated, billed = (money(side[currency], currency) for side in (comparison.rated, comparison.billed))
        say(f"rated {rated}, billed {billed}, difference {money(difference, currency)}: {equal}")
