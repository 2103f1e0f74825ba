"""tieout report: one of the eleven reports at a close, as a table, CSV, Parquet or JSON."""

from pathlib import Path
from typing import Annotated

import typer

from billing.reports.registry import READS, REPORTS
from cli.output import AsJson, Month, print_json, print_table, say
from runtime import reports, settings, wiring


def report(
    name: Annotated[str, typer.Argument(help=", ".join(REPORTS))],
    month: Month,
    csv: Annotated[Path | None, typer.Option(help="Write it as CSV to this file.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write it as Parquet to this file.")] = None,
    revision: Annotated[int, typer.Option(help="The close's revision.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show a report of a month; of a locked month as it was at its lock, byte for byte, whenever it is asked for."""
    if name not in REPORTS:
        raise typer.BadParameter(f"expected one of {', '.join(REPORTS)}", param_hint="NAME")
    config = settings.load()
    facts = reports.facts_of(wiring.database(config, "auditor"), month, revision, wiring.entity_of(config), READS[name])
    found = reports.report_of(name, facts)
    if csv is not None:
        csv.write_text(reports.csv_text(found))
    if parquet is not None:
        reports.write_parquet(found, parquet)
    if as_json:
        print_json(found)
    elif csv is None and parquet is None:
        print_table(f"{name} of {month}", found.columns, found.rows)
        say(f"fingerprint {found.fingerprint()}")
