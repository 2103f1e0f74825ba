"""tieout close flux: a month beside the one before, what arithmetic explains of it and what a person has to."""

from typing import Annotated

import typer

from adapters.postgres.terms import PostgresTerms
from billing.flux import DEFAULT_THRESHOLD, flux
from cli.door import Door
from cli.output import AsJson, Month, money, print_json, print_table
from models.flux import FluxRow
from models.period import next_month
from models.statement import Statement


def close_flux(
    month: Month,
    material: Annotated[bool, typer.Option("--material", help="Only what is past the threshold.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show why each customer's product came to another amount: volume, mix, price, new, lost, late."""
    door = Door()
    before = next_month(month, -1)
    names = {
        one.contract for customer in _customers(door, month) for one in PostgresTerms(door.console).contracts(customer)
    }
    issued = [one for name in sorted(names) for one in door.books.issued_statements(name, month)]
    found = flux(_of(issued, before), _of(issued, month), month, DEFAULT_THRESHOLD)
    rows = [row for row in found.rows if row.material or not material]
    if as_json:
        print_json([{**row.model_dump(mode="json"), "change": row.change} for row in rows])
        return
    print_table(
        f"{month} beside {before}",
        ("customer", "product", "before", "now", "change", "volume", "mix", "price", "new", "lost", "late", "explain"),
        [_cells(row) for row in rows],
        right=("before", "now", "change", "volume", "mix", "price", "new", "lost", "late"),
    )


def _customers(door: Door, month: str) -> list[str]:
    views = (*door.books.invoices(month), *door.books.invoices(next_month(month, -1)))
    return sorted({view.invoice.customer for view in views})


def _of(issued: list[Statement], month: str) -> list[Statement]:
    return [one for one in issued if one.period == month]


def _cells(row: FluxRow) -> tuple[str, ...]:
    parts = (row.prior, row.this, row.change, row.volume, row.mix, row.price, row.new, row.lost, row.late)
    return (row.customer, row.product, *(money(one, row.currency) for one in parts), "yes" if row.material else "")
