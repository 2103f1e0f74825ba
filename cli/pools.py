"""tieout pool: each commitment and grant as one ledger over the contract's life, from what was issued."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.files import read_contract, read_statements
from adapters.postgres.books import Books
from adapters.postgres.terms import PostgresTerms
from billing import invariants
from billing.pools import PoolRow, ledger_of
from cli.contract import opening_of
from cli.output import AsJson, Exit, leave, print_json, print_table, say
from models.contract import Contract
from models.opening import Opening
from models.refusal import Refusal
from models.statement import Statement
from runtime import settings, wiring

app = typer.Typer(no_args_is_help=True, help="Commitments and grants as ledgers over a contract's life.")


class NothingIssued(Refusal):
    """The contract has neither an issued statement nor an opening position."""

    remedy = "Close a month of it first, or take it over: tieout contract open FILE."


@app.callback()
def pool() -> None:
    """Commitments and grants as ledgers over a contract's life."""


@app.command()
def show(
    contract: Annotated[str, typer.Argument(help="The contract's id, such as acme-2026.")],
    through: Annotated[str | None, typer.Option(help="Up to and with this month.")] = None,
    statement: Annotated[
        list[Path] | None, typer.Option(help="Read these statements (JSON) in place of the books; repeat for each.")
    ] = None,
    terms: Annotated[
        list[Path] | None, typer.Option("--contract", help="With --opening: its contract versions (YAML).")
    ] = None,
    opening: Annotated[Path | None, typer.Option(help="With --statement: where the contract was taken over.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every pool by period from the issued statements. Exit code 1 where a month does not open as one closed."""
    if statement or opening:
        given = _from_files(contract, statement or (), terms or (), opening)
    else:
        given = _from_books(contract)
    statements, taken, versions = given
    statements = [one for one in statements if through is None or one.period <= through]
    if not statements and taken is None:
        raise NothingIssued("nothing was issued", contract=contract)
    rows = ledger_of(statements, taken, versions)
    broken = invariants.broken(invariants.pools_follow(rows))
    if as_json:
        print_json({"contract": contract, "rows": rows, "broken": broken})
    else:
        _print(contract, rows)
        for one in broken:
            say(f"broken: {one.name}: {one.left:f} is not {one.right:f}, the difference is {one.difference:f}")
    if broken:
        leave(Exit.CHECK_FAILED)


_Given = tuple[list[Statement], Opening | None, Sequence[Contract]]


def _from_books(contract: str) -> _Given:
    database = wiring.database(settings.load(), "auditor")
    books = Books(database)
    opening = books.opening(contract)
    every = PostgresTerms(database).contracts(opening.customer) if opening else ()
    return list(books.issued_statements(contract)), opening, [one for one in every if one.contract == contract]


def _from_files(contract: str, statements: Sequence[Path], terms: Sequence[Path], opening: Path | None) -> _Given:
    versions = [one for one in map(read_contract, terms) if one.contract == contract]
    read = [one for path in statements for one in read_statements(path) if one.contract == contract]
    taken = opening_of(opening, versions) if opening is not None else None
    return sorted(read, key=lambda one: one.period), taken, versions


def _print(contract: str, rows: Sequence[PoolRow]) -> None:
    columns = ("pool", "kind", "unit", "window", "period", "opening", "granted", "drawn", "expired", "closing")
    print_table(
        f"Pools of {contract}",
        columns,
        [
            (
                row.pool,
                row.kind,
                row.unit,
                row.window.starts_at.date().isoformat(),
                row.period,
                *(f"{x:,.2f}" for x in (row.opening, row.granted, row.drawn, row.expired, row.closing)),
            )
            for row in rows
        ],
        right=columns[5:],
    )
