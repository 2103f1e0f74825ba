"""tieout rates: what is in force, and where the installed price table says otherwise."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from adapters.genai import FIELDS, rate_versions
from adapters.postgres.terms import PostgresTerms
from cli.output import AsJson, Exit, leave, print_json, print_table, say
from models.rate_card import RateVersion
from models.value import decimal_text, instant_text
from runtime import settings, wiring

app = typer.Typer(no_args_is_help=True, help="Rates in force, and proposals from the installed price table.")


@app.command("list")
def list_(
    card: Annotated[str | None, typer.Option(help="One rate card.")] = None,
    at: Annotated[str | None, typer.Option(help="In force at this instant, such as 2026-10-20T00:00:00Z.")] = None,
    as_json: AsJson = False,
) -> None:
    """List rate versions, each with its source and the day it was checked."""
    versions = [one for one in _known() if card in (None, one.rate)]
    if at is not None:
        versions = list(_in_force(versions, datetime.fromisoformat(at)).values())
    if as_json:
        print_json([{"id": one.id, **one.model_dump(mode="json")} for one in versions])
        return
    print_table(
        f"{len(versions)} rate versions",
        ("subject", "from", "amount", "per", "source", "checked"),
        [
            (
                one.subject,
                instant_text(one.starts_at),
                f"{decimal_text(one.amount)} {one.currency}",
                decimal_text(one.per),
                one.source,
                one.checked_on.isoformat(),
            )
            for one in versions
        ],
        right=("amount", "per"),
    )


@app.command()
def sync(
    out: Annotated[Path | None, typer.Option(help="Write the proposals to this price file (JSON lines).")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the catalog with the installed genai-prices; differences are proposals for a person, never applied.

    Exit code 3 while the table says something the catalog does not.
    """
    now = datetime.now(UTC)
    proposals = []
    for card, models in _models(_known()).items():
        kept = {(one.subject, one.starts_at): one for one in _known() if one.rate == card}
        since = min(one.starts_at for one in kept.values()).date()
        for version in rate_versions(card, sorted(models), since, now.date()):
            known = kept.get((version.subject, version.starts_at))
            if known is None or known.amount / known.per != version.amount / version.per:
                proposals.append((known, version))
    if out is not None:
        out.write_text("".join(f"{version.model_dump_json(by_alias=True)}\n" for _, version in proposals))
    if as_json:
        print_json([{"known": known, "proposed": version, "id": version.id} for known, version in proposals])
    elif not proposals:
        say("The catalog and the installed table agree.")
    else:
        print_table(
            f"{len(proposals)} proposals: a person decides",
            ("subject", "from", "catalog", "table", "source"),
            [
                (
                    version.subject,
                    instant_text(version.starts_at),
                    decimal_text(known.amount) if known else "none",
                    decimal_text(version.amount),
                    version.source,
                )
                for known, version in proposals
            ],
            right=("catalog", "table"),
        )
    if proposals:
        leave(Exit.WAITING)


def _known() -> tuple[RateVersion, ...]:
    return PostgresTerms(wiring.database(settings.load(), "console")).rates()


def _in_force(versions: list[RateVersion], at: datetime) -> dict[str, RateVersion]:
    found: dict[str, RateVersion] = {}
    for one in sorted(versions, key=lambda version: version.starts_at):
        if one.starts_at <= at:
            found[one.subject] = one
    return found


def _models(versions: tuple[RateVersion, ...]) -> dict[str, set[tuple[str, str]]]:
    """Return the (provider, model) pairs of each card whose token rates it holds."""
    found: dict[str, set[tuple[str, str]]] = {}
    for one in versions:
        if one.meter in FIELDS and {"provider", "model"} <= set(one.where):
            found.setdefault(one.rate, set()).add((one.where["provider"], one.where["model"]))
    return found
