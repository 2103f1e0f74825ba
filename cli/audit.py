"""tieout audit: re-perform a closed month from its evidence."""

from typing import Annotated

import typer
from rich.progress import Progress

from activities.witness import heads_of
from adapters.postgres.journals import PostgresJournal
from cli.output import AsJson, Exit, Month, leave, print_json, print_table, say
from runtime import settings, wiring
from runtime.audit import Audit, Verified, chain_verified
from runtime.engine import engine_id

app = typer.Typer(no_args_is_help=True, help="Verify a month from its evidence.")


@app.callback()
def _group() -> None:
    """Keep `verify` a subcommand."""


@app.command()
def verify(
    month: Month,
    root: Annotated[str | None, typer.Option(help="The root you hold from outside the evidence.")] = None,
    revision: Annotated[int, typer.Option(help="The close's revision.")] = 1,
    journal: Annotated[bool, typer.Option(help="Hold the journal against the heads kept at each lock too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Recompute every stage of every customer from sealed inputs and compare fingerprints. Exit code 1 on a difference.

    Reads the object store only, and the journal; with --no-journal no database at all. No usage source.
    """
    config = settings.load()
    store = wiring.store_of(config)
    audit = Audit(store, engine_id())
    manifest = audit.manifest(month, revision, root)
    found: list[Verified] = []
    with Progress(transient=True, disable=as_json) as progress:
        task = progress.add_task(f"re-performing {month}", total=len(manifest.packs) + 1)
        for verified in audit.verify(manifest, root):
            found.append(verified)
            progress.advance(task)
    if journal:
        state = PostgresJournal(wiring.database(config, "auditor")).verify_chain(heads_of(store))
        found.append(chain_verified(state))
    wrong = [(one.subject, check) for one in found for check in one.differing]
    kind = "engine" if any(one.other_engine for one in found) else "evidence"
    if as_json:
        print_json(
            {
                "month": month,
                "root": manifest.fingerprint(),
                "agrees": not wrong,
                "kind": kind if wrong else None,
                "verified": found,
            }
        )
    else:
        print_table(
            f"Re-performance of {month}",
            ("subject", "checks", "result"),
            [(one.subject, str(len(one.checks)), "DIFFERS" if one.differing else "agrees") for one in found],
            right=("checks",),
        )
        for subject, check in wrong:
            say(f"{subject}: {check.name} differs: evidence {check.evidence[:64]}, recomputed {check.recomputed[:160]}")
        say(f"root {manifest.fingerprint()}")
        if kind == "engine":
            say(f"Re-performed by another engine ({engine_id()}) than made it ({manifest.engine}).")
        say("The evidence agrees." if not wrong else f"{len(wrong)} checks differ ({kind}).")
    if wrong:
        leave(Exit.CHECK_FAILED)
