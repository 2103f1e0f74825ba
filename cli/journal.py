"""tieout journal: entries, trial balance, and files for other ledgers."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from adapters.files import read_entity
from adapters.general_ledger.file_drop import NETSUITE, QUICKBOOKS, FileDrop
from adapters.general_ledger.netsuite import netsuite_text
from adapters.general_ledger.quickbooks import quickbooks_text
from adapters.postgres.books import Books
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.terms import PostgresTerms
from billing.functional import Rates
from cli.output import AsJson, Exit, Month, leave, money, print_json, print_table, say
from models.entity import DEFAULT
from models.value import Day, Instant
from runtime import exports, ledger_push, settings, wiring

app = typer.Typer(no_args_is_help=True, help="The journal: entries, trial balance, exports.")


def _books() -> Books:
    return Books(wiring.database(settings.load(), "auditor"))


AsOf = Annotated[str | None, typer.Option(help="Effective up to and with this day, such as 2026-10-31.")]
KnownAt = Annotated[str | None, typer.Option(help="As recorded by this instant, such as 2026-11-03T12:00:00Z.")]
_DAY, _INSTANT = TypeAdapter(Day), TypeAdapter(Instant)


def _times(as_of: str | None, known_at: str | None) -> tuple[date | None, datetime | None]:
    try:
        day = _DAY.validate_python(as_of) if as_of else None
        return day, _INSTANT.validate_python(known_at) if known_at else None
    except ValidationError as error:
        raise typer.BadParameter(str(error.errors()[0]["msg"]), param_hint="--as-of, --known-at") from error


@app.command()
def show(
    month: Month,
    customer: Annotated[str | None, typer.Option(help="One customer.")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Show a month's postings in the order they were recorded."""
    day, instant = _times(as_of, known_at)
    lines = _books().journal(month, customer, known_at=instant, as_of=day)
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
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Show each account's balance. Exit code 1 when they do not sum to zero."""
    day, instant = _times(as_of, known_at)
    balances = _books().trial_balance(through, known_at=instant, as_of=day)
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
    entity: Annotated[Path | None, typer.Option(help="Write its functional-currency book too (YAML).")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the journal as Beancount and hledger files and have them checked. Exit code 1 when one is refused."""
    database = wiring.database(settings.load(), "auditor")
    company = read_entity(entity) if entity is not None else None
    rates = PostgresTerms(database).rates() if company is not None else ()
    checked = exports.check(exports.write(PostgresJournal(database), _books(), folder, company, rates))
    if as_json:
        print_json([{"file": str(one.path), "accepted": one.accepted, "said": one.said} for one in checked])
    else:
        for one in checked:
            say(f"{one.path}: {one.words}")
    if any(one.accepted is False for one in checked):
        leave(Exit.CHECK_FAILED)


@app.command()
def push(
    target: Annotated[str, typer.Argument(help="netsuite or quickbooks")],
    month: Month,
    folder: Annotated[Path, typer.Argument(help="The folder both sides share: out/ is ours, back/ is what it holds.")],
    subsidiary: Annotated[str, typer.Option(help="NetSuite's subsidiary.")] = "Parent Company",
    entity: Annotated[Path | None, typer.Option(help="Whose functional currency the rates lead to (YAML).")] = None,
    as_json: AsJson = False,
) -> None:
    """Hand a month's entries to another ledger, once. Exit code 3 until all of it was read back by its external id."""
    database = wiring.database(settings.load(), "auditor")
    entries = PostgresJournal(database).entries(month)
    company = read_entity(entity) if entity is not None else DEFAULT
    rates = Rates(company, PostgresTerms(database).rates())
    if target == "netsuite":
        by_key = {entry.key: entry for entry in entries}
        ledger = FileDrop(folder, NETSUITE)
        found = ledger_push.push(
            ledger,
            month,
            tuple(by_key),
            lambda keys: netsuite_text([by_key[key] for key in keys], subsidiary, rates.on),
        )
    elif target == "quickbooks":
        ledger = FileDrop(folder, QUICKBOOKS)
        found = ledger_push.push(ledger, month, (month,), lambda _: quickbooks_text(entries, month))
    else:
        raise typer.BadParameter("expected netsuite or quickbooks", param_hint="TARGET")
    if as_json:
        print_json(found)
    else:
        say(f"{month} to {target}: {found.state}, {found.matched} entries read back, {len(found.waiting)} not yet")
    if found.state == "waiting":
        leave(Exit.WAITING)


@app.command()
def focus(
    month: Month,
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    issuer: Annotated[str, typer.Option(help="Who sends the invoices.")] = "Tieout",
) -> None:
    """Write the month's usage and cost in FOCUS columns, from the statements that were issued."""
    books = _books()
    found = [books.statement(view.invoice.statement) for view in books.invoices(month) if view.issued is not None]
    statements = [one for one in found if one is not None]
    file.write_text(exports.focus_text(statements, issuer))
    say(f"{file}: {len(statements)} statements")
