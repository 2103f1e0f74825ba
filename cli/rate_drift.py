"""tieout rates drift: where a source's own cost left the catalog's in a sealed month."""

from typing import Annotated

import typer

from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.terms import PostgresTerms
from billing.cost_drift import Drift, drifts
from cli.output import AsJson, Exit, leave, money, print_json, print_table, say
from runtime import settings, wiring


def drift(
    period: Annotated[str, typer.Argument(help="The sealed month, such as 2026-10.")],
    card: Annotated[str | None, typer.Option(help="The rate card; TIEOUT_COST_CARD's when left out.")] = None,
    revision: Annotated[int, typer.Option(help="Revision of the close.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Compare each source's own cost with the catalog, by service, model and day. Exit code 1 where one drifts."""
    config = settings.load()
    books = wiring.database(config, "console")
    policy, store, rates = wiring.policy_of(config), wiring.store_of(config), PostgresTerms(books).rates()
    found: list[Drift] = []
    for source in sorted(policy.sources):
        snapshot = PostgresEvidence(books).snapshot(source, period, revision)
        if snapshot is not None:
            found += drifts(
                source, store.path(snapshot.rows), rates, card or wiring.cost_card_of(config), policy.timezone
            )
    if as_json:
        print_json([{**one.model_dump(mode="json"), "money": one.money, "ratio": one.ratio} for one in found])
    elif not found:
        say(f"Every cost that a source carries in {period} is the catalog's.")
    else:
        print_table(
            f"{len(found)} drifts",
            ("source", "service", "of", "first day", "last day", "events", "source says", "catalog says", "between"),
            [
                (
                    one.source,
                    one.service,
                    ", ".join(one.dimensions.values()),
                    one.first_day.isoformat(),
                    one.last_day.isoformat(),
                    f"{one.events:,}",
                    money(one.cost, one.currency),
                    money(one.catalog, one.currency),
                    money(one.money, one.currency),
                )
                for one in found
            ],
            right=("events", "source says", "catalog says", "between"),
        )
    if found:
        leave(Exit.CHECK_FAILED)
