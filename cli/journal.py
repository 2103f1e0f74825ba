"""tieout journal: entries, trial balance, and files for other ledgers."""

from pathlib import Path
from typing import Annotated

import typer

from adapters.postgres.books import Books
from adapters.postgres.journals import PostgresJournal
from cli.output import AsJson, Exit, Month, leave, money, print_json, print_table, say
from runtime import exports, settings, wiring

app = typer.Typer(no_args_is_help=True, help="The journal: entries, trial balance, exports.")


def _books() -> Books:
    return Books(wiring.database(settings.load(), "auditor"))


@app.command()
def show(
    month: Month,
    customer: Annotated[str | None, typer.Option(help="One customer.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a month's postings in the order they were recorded."""
    lines = _books().journal(month, customer)
    if as_json:
        print_json(lines)
        return
    print_table(
        f"Journal of {month}",
        ("#", "date", "rule", "customer", "account", "debit", "credit", "entry"),
        [
            (
                str(line.position),
                line.posted_on.isoformat(),
                line.rule.value,
                line.customer,
                line.account.value,
                money(line.amount, line.currency) if line.amount > 0 else "",
                money(-line.amount, line.currency) if line.amount < 0 else "",
                line.key,
            )
            for line in lines
        ],
        right=("#", "debit", "credit"),
    )


@app.command("trial-balance")
def trial_balance(
    through: Annotated[str | None, typer.Option(help="Up to and including this month.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show each account's balance. Exit code 1 when they do not sum to zero."""
    balances = _books().trial_balance(through)
    if as_json:
        print_json(balances)
    else:
        print_table(
            f"Trial balance{f' through {through}' if through else ''}",
            ("account", "debit", "credit", "balance"),
            [
                (
                    f"{one.account.value} {one.account.name.lower().replace('_', ' ')}",
                    money(one.debit, one.currency),
                    money(one.credit, one.currency),
                    money(one.balance, one.currency),
                )
                for one in balances
            ],
            right=("debit", "credit", "balance"),
        )
    for currency in {one.currency for one in balances}:
        if sum(one.balance for one in balances if one.currency == currency):
            say(f"{currency} does not sum to zero")
            leave(Exit.CHECK_FAILED)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="The folder to write into.")],
    as_json: AsJson = False,
) -> None:
    """Write the journal as Beancount and hledger files and have them checked. Exit code 1 when one is refused."""
    journal = PostgresJournal(wiring.database(settings.load(), "auditor"))
    checked = exports.check(exports.write(journal, _books(), folder))
    if as_json:
        print_json([{"file": str(one.path), "accepted": one.accepted, "said": one.said} for one in checked])
    else:
        for one in checked:
            say(f"{one.path}: {one.words}")
    if any(one.accepted is False for one in checked):
        leave(Exit.CHECK_FAILED)
