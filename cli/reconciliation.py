"""tieout close reconciliation: a month as it was reconciled, by the authority as it stood then."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import typer

from adapters.postgres.books import Books
from adapters.postgres.terms import PostgresTerms
from cli.door import Door
from cli.output import AsJson, Exit, Month, leave, print_json, print_table, say
from models.authority import Authority
from models.reports import ReconciliationView
from models.value import decimal_text, instant_text


def reconciliation(
    month: Month,
    customer: Annotated[str | None, typer.Option(help="Only this customer.")] = None,
    revision: Annotated[int, typer.Option(help="The close's revision.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show what each source says of each meter, who spoke, and the authority declared by then. Exit code 1 if none."""
    door = Door()
    report(door.books, PostgresTerms(door.console), month, revision, customer, as_json)


def report(books: Books, terms: PostgresTerms, month: str, revision: int, customer: str | None, as_json: bool) -> None:
    """Print the report; what was declared after a customer was reconciled is not in it."""
    views = books.reconciliations(month, revision, customer)
    known = {at: terms.authorities(at) for at in sorted({one.at for one in views})}
    if as_json:
        print_json([{**one.model_dump(mode="json"), "authorities": known[one.at]} for one in views])
    elif not views:
        say(f"Nothing of {month} was reconciled.")
    else:
        print_table(
            f"Reconciliation of {month}",
            ("customer", "meter", "sources say", "spoke", "findings", "reconciled at"),
            [row for one in views for row in _rows(one)],
        )
        _print_rules(known)
    if not views:
        leave(Exit.CHECK_FAILED)


def _rows(view: ReconciliationView) -> list[tuple[str, ...]]:
    found = view.reconciliation
    return [
        (
            found.customer,
            meter,
            ", ".join(f"{one.source} {decimal_text(one.quantity)}" for one in found.totals if one.meter == meter),
            source,
            ", ".join(sorted({one.cause.value for one in found.findings if one.meter == meter})),
            instant_text(view.at),
        )
        for meter, source in sorted(found.authority.items())
    ]


def _print_rules(known: Mapping[datetime, Sequence[Authority]]) -> None:
    """Print each rule once, with the first of these reconciliations that knew it."""
    first: dict[str, tuple[datetime, Authority]] = {}
    for at, rules in known.items():
        for rule in rules:
            first.setdefault(rule.fingerprint(), (at, rule))
    print_table(
        "Authority as it stood",
        ("customer", "meter", "from", "until", "order", "tolerance", "declared by", "reason", "known since"),
        [
            (
                rule.customer or "everyone",
                rule.meter or "every meter",
                rule.starts_on.isoformat(),
                rule.ends_on.isoformat() if rule.ends_on else "further notice",
                ", then ".join(rule.order),
                f"{decimal_text(rule.tolerance.absolute)} or {decimal_text(rule.tolerance.ratio)} of it",
                rule.declared_by,
                rule.reason,
                f"by {instant_text(at)}",
            )
            for at, rule in first.values()
        ],
    )
