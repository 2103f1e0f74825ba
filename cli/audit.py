"""tieout audit: re-perform a closed month from its evidence; take one control's evidence away."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from activities.witness import heads_of
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.support import PostgresSupport
from billing.reperform import Check
from cli.output import AsJson, Exit, Month, leave, print_json, print_table, say
from runtime import control_evidence, settings, wiring
from runtime.audit import Audit, Verified, chain_verified, vouched
from runtime.clock import SystemClock
from runtime.control_evidence import ControlName
from runtime.engine import engine_id

app = typer.Typer(no_args_is_help=True, help="Verify a month from its evidence; export one control's.")


@app.command()
def verify(
    month: Month,
    root: Annotated[str | None, typer.Option(help="The root you hold from outside the evidence.")] = None,
    revision: Annotated[int, typer.Option(help="The close's revision.")] = 1,
    journal: Annotated[
        bool, typer.Option(help="Hold the journal against its heads and each entry's document too.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Recompute every stage of every customer from sealed inputs and compare fingerprints. Exit code 1 on a difference.

    What the month's journal holds beside the closes is recomputed from corrections, platform events and booked events.
    Reads the object store and, as the auditor, the books; with --no-journal no database at all. No usage source.
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
        auditor = wiring.database(config, "auditor")
        found.append(chain_verified(PostgresJournal(auditor).verify_chain(heads_of(store))))
        found += map(vouched, PostgresSupport(auditor, wiring.entity_of(config)).of_month(month))
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
        _say_differences(wrong)
        say(f"root {manifest.fingerprint()}")
        if kind == "engine":
            say(f"Re-performed by another engine ({engine_id()}) than made it ({manifest.engine}).")
        say("The evidence agrees." if not wrong else f"{len(wrong)} checks differ ({kind}).")
    if wrong:
        leave(Exit.CHECK_FAILED)


@app.command()
def export(
    month: Month,
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet; a zip is written beside it.")],
    control: Annotated[ControlName, typer.Option(help="Which control.")],
    as_json: AsJson = False,
) -> None:
    """Export one control's evidence as files with their SHA-256, read as the auditor's role: it can change nothing."""
    config = settings.load()
    auditor, entity = wiring.database(config, "auditor"), wiring.entity_of(config)
    manifest = control_evidence.export(auditor, control, month, folder, SystemClock().now(), entity)
    if as_json:
        print_json({**manifest.model_dump(mode="json"), "fingerprint": manifest.fingerprint()})
        return
    print_table(
        f"{control.value} of {month}",
        ("file", "rows", "sha256"),
        [(one.name, str(one.rows), one.sha256) for one in manifest.files],
        right=("rows",),
    )
    say(f"manifest {manifest.fingerprint()}, journal head {manifest.chain_head}; keep both elsewhere")


@app.command("check-export")
def check_export(folder: Annotated[Path, typer.Argument(help="An exported folder.")], as_json: AsJson = False) -> None:
    """Check an export's files against its manifest; of the journal's, recompute each entry from its document.

    Reads the folder alone. Exit code 1 where a file was changed, added or is missing, or an entry is another.
    """
    wrong = control_evidence.differing(folder)
    found = [vouched(one) for one in control_evidence.supports(folder)]
    differ = [(one.subject, check) for one in found for check in one.differing]
    if as_json:
        print_json({"differing": wrong, "verified": found})
    else:
        _say_differences(differ)
        if found:
            checks = [check for one in found for check in one.checks]
            say(f"Made again: {len(checks)} checks (customers: {len(found)}), {len(differ)} differ.")
        say("The export is as its manifest says." if not wrong else f"not as exported: {', '.join(wrong)}")
    if wrong or differ:
        leave(Exit.CHECK_FAILED)


def _say_differences(wrong: Iterable[tuple[str, Check]]) -> None:
    for subject, check in wrong:
        say(f"{subject}: {check.name} differs: evidence {check.evidence[:160]}, recomputed {check.recomputed[:160]}")
