"""tieout authority: which source speaks for what, now or as it stood."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from adapters.postgres.terms import PostgresTerms
from cli.output import AsJson, print_json, print_table
from models.authority import Authority
from models.value import decimal_text
from runtime import settings, wiring

app = typer.Typer(no_args_is_help=True, help="Which source speaks for which meter, and who said so.")


@app.callback()
def _group() -> None:
    """Keep `show` a verb of its own."""


@app.command()
def show(
    at: Annotated[str | None, typer.Option(help="Only rules that hold on this day, such as 2026-10-15.")] = None,
    known_at: Annotated[str | None, typer.Option(help="As it was known at this instant.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only rules that hold for this customer.")] = None,
    meter: Annotated[str | None, typer.Option(help="Only rules that hold for this meter.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the declared authorities, the latest declared last; where several hold, the narrowest speaks."""
    day = _parsed(at, "--at")
    then = _instant(known_at)
    rules = [one for one in declared(then) if _concerns(one, day, customer, meter)]
    if as_json:
        print_json(rules)
        return
    print_table(
        f"{len(rules)} authorities",
        ("customer", "meter", "from", "until", "order", "tolerance", "declared by", "reason"),
        [
            (
                one.customer or "everyone",
                one.meter or "every meter",
                one.starts_on.isoformat(),
                one.ends_on.isoformat() if one.ends_on else "further notice",
                ", then ".join(one.order),
                f"{decimal_text(one.tolerance.absolute)} or {decimal_text(one.tolerance.ratio)} of it",
                one.declared_by,
                one.reason,
            )
            for one in rules
        ],
    )


def declared(known_at: datetime | None) -> tuple[Authority, ...]:
    """Return the authorities as known at an instant, now for None."""
    return PostgresTerms(wiring.database(settings.load(), "console")).authorities(known_at)


def _concerns(rule: Authority, day: date | None, customer: str | None, meter: str | None) -> bool:
    return (
        (day is None or (rule.starts_on <= day and (rule.ends_on is None or day < rule.ends_on)))
        and (customer is None or rule.customer in (None, customer))
        and (meter is None or rule.meter in (None, meter))
    )


def _parsed(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a day such as 2026-10-15, got {text!r}", param_hint=option) from None


def _instant(text: str | None) -> datetime | None:
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected an instant, got {text!r}", param_hint="--known-at") from None
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)
