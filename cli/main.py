"""tieout: every verb of the terminal, one place for refusals and exit codes."""

import os
import sys
import warnings

import typer
from pydantic import ValidationError

from cli import (
    audit,
    authority,
    close,
    compare,
    contract,
    correction,
    estimate,
    event,
    findings,
    flux,
    invoice,
    journal,
    offline,
    openings,
    period,
    pools,
    portal,
    rates,
    receivables,
    recognize,
    reconcile,
    reconciliation,
    report,
    schedule,
    simulate,
    watch,
)
from cli.doctor import doctor
from cli.output import Exit
from models.refusal import Refusal
from runtime.rooms import refuse_strangers

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Close the month of a company that bills for usage. Exit codes: 0 ok, 1 a check failed, 2 usage, "
    "3 waiting for a person or a source, 4 refused.",
)
app.add_typer(close.app, name="close")
app.add_typer(invoice.app, name="invoice")
app.add_typer(period.app, name="period")
invoice.app.command("aging")(receivables.aging)
close.app.command("flux")(flux.close_flux)
for verb in (findings.exceptions, findings.resolve, findings.assign, findings.reverse):
    close.app.command()(verb)
close.app.command()(reconciliation.reconciliation)
app.add_typer(correction.app, name="correction")
app.add_typer(rates.app, name="rates")
app.add_typer(authority.app, name="authority")
app.add_typer(schedule.app, name="schedule")
app.add_typer(watch.app, name="watch")
app.add_typer(audit.app, name="audit")
app.add_typer(journal.app, name="journal")
app.command()(doctor)
contract.contract_app.command("open")(openings.open_contract)
app.add_typer(estimate.app, name="estimate")
app.add_typer(event.app, name="event")
app.add_typer(pools.app, name="pool")
app.add_typer(contract.contract_app, name="contract")
app.add_typer(portal.app, name="portal")
app.command()(offline.rate)
app.command()(offline.explain)
app.command()(simulate.simulate)
app.command()(reconcile.reconcile)
app.command()(offline.schema)
app.command()(recognize.recognize)
app.command()(report.report)
app.command()(compare.compare)


def run() -> None:
    """Run the command and leave with its exit code."""
    refuse_strangers()
    warnings.simplefilter("ignore")
    code = int(Exit.OK)
    try:
        app(standalone_mode=True)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(Exit.USAGE)
    except Refusal as refusal:
        print(f"refused: {refusal.code}: {refusal}", file=sys.stderr)
        code = int(Exit.REFUSED)
    except ValidationError as error:
        print(f"malformed: {error}", file=sys.stderr)
        code = int(Exit.USAGE)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)
