"""tieout invoice aging: what is owed of a month's invoices, how late, and days sales outstanding."""

from datetime import datetime
from typing import Annotated

import typer

from adapters.postgres.controls import PostgresControls
from billing import receivables
from cli.door import Door
from cli.output import AsJson, Month, money, print_json, print_table, say
from models.period import first_day, next_month


def aging(
    month: Month,
    on: Annotated[
        datetime | None, typer.Option(help="As of this day; today, when left out.", formats=["%Y-%m-%d"])
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is owed of a month's invoices by the journal, how many days past due, and days sales outstanding."""
    door = Door()
    book = PostgresControls(door.console)
    invoices, balances = book.issued(month), book.receivables(month)
    day = on.date() if on else door.clock.now().date()
    aged = receivables.aging(invoices, balances, day)
    days = (first_day(next_month(month)) - first_day(month)).days
    outstanding = receivables.days_outstanding(invoices, balances, days)
    if as_json:
        print_json({"invoices": aged, "days_outstanding": outstanding})
        return
    print_table(
        f"Receivables of {month} on {day.isoformat()}",
        ("invoice", "total", "owed", "due", "days past due", "bucket"),
        [
            (
                one.reference,
                money(one.total, one.currency),
                money(one.balance, one.currency),
                one.due_on.isoformat(),
                str(one.days_past_due),
                one.bucket,
            )
            for one in aged
        ],
        right=("total", "owed", "days past due"),
    )
    for row in outstanding:
        owed, billed = money(row.receivable, row.currency), money(row.billed, row.currency)
        say(f"DSO {row.dso if row.dso is not None else 'none'} days: {owed} of {billed} billed in {row.days} days")
