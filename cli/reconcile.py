"""tieout reconcile: sources given as files compared, offline, by the rules the close runs."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from adapters.files import read_policy, read_usage
from billing import sealing, slices
from billing.reconciliation.reconcile import Reconciled
from billing.reconciliation.reconcile import reconcile as reconcile_sources
from cli.output import AsJson, Exit, leave, print_json, print_table
from models.columns import COLUMNS
from models.period import days_period, local_day, month_period
from models.refusal import Refusal
from models.usage import UsageEvent
from models.usage_policy import SourcePolicy, UsagePolicy


class SourceUnknown(Refusal):
    """A file is given for a source that the policy does not declare."""

    remedy = "Declare the source in the policy file, or name it as the policy does."


def reconcile(
    period: Annotated[str, typer.Option(help="The month, such as 2026-10.")],
    policy: Annotated[Path, typer.Option(help="A policy file, tieout/policy/v1.")],
    source: Annotated[list[str], typer.Option(help="NAME=FILE, once for each source.")],
    seen: Annotated[Path | None, typer.Option(help="Usage seen before: its ids are left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print findings and authoritative quantities of sources given as files. Exit code 3 while a finding holds."""
    declared = read_policy(policy)
    with TemporaryDirectory(prefix="tieout-") as scratch:
        answers = _answers(period, declared, source, seen, Path(scratch))
    if as_json:
        print_json({customer: _shown(found) for customer, found in answers.items()})
    else:
        print_table(
            f"Findings of {period}",
            ("customer", "cause", "source", "against", "meter", "severity", "evidence"),
            [
                (one.customer, one.cause.value, one.source, one.against, one.meter, one.severity.value, one.evidence)
                for found in answers.values()
                for one in found.findings
            ],
        )
    if any(found.holding for found in answers.values()):
        leave(Exit.WAITING)


def _shown(found: Reconciled) -> dict[str, Any]:
    return {"totals": found.totals, "findings": found.findings, "authority": found.authority, "usage": found.lines}


def _answers(
    period: str, declared: UsagePolicy, given: Sequence[str], seen: Path | None, scratch: Path
) -> dict[str, Reconciled]:
    """Return each customer's month reconciled, from files NAME=FILE."""
    month = month_period(period, declared.timezone)
    earlier = [_identities(read_usage(seen), scratch)] if seen else []
    sealed: dict[str, sealing.Sealed] = {}
    for one in given:
        name, _, path = one.partition("=")
        if name not in declared.sources:
            raise SourceUnknown("the policy declares no such source", source=name)
        rows = _columns(read_usage(Path(path)), declared.sources[name], name)
        folder = scratch / name
        folder.mkdir()
        spooled = sealing.spool([rows], folder / "spool.parquet")
        sealed[name] = sealing.seal(spooled, month, declared.sources[name], folder, earlier=earlier)
    customers = sorted({customer for each in sealed.values() for customer in each.customers})
    bounds = (month.starts_at, month.ends_at)
    return {
        customer: reconcile_sources(
            customer,
            period,
            month,
            [
                # Which accounts are customers nobody has said, so none is a stranger.
                slices.slice_of(customer, name, each, declared.sources[name], customers, bounds)
                for name, each in sealed.items()
            ],
            declared,
        )
        for customer in customers
    }


def _columns(events: Sequence[UsageEvent], declared: SourcePolicy, source: str) -> pa.RecordBatch:
    rows: list[dict[str, Any]] = []
    for event in events:
        starts_at, ends_at = event.timestamp, None
        if declared.grain == "day":
            day: date = local_day(event.timestamp, declared.timezone)
            span = days_period(day, day + timedelta(days=1), declared.timezone)
            starts_at, ends_at = span.starts_at, span.ends_at
        rows.append(
            {
                "id": event.id,
                "account": event.customer,
                "meter": event.meter,
                "quantity": event.quantity,
                "starts_at": starts_at,
                "ends_at": ends_at,
                "received_at": event.received_at,
                "dims": json.dumps(event.dimensions, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
                "place": source,
            }
        )
    return pa.RecordBatch.from_pylist(rows, schema=COLUMNS)


def _identities(events: Sequence[UsageEvent], scratch: Path) -> Path:
    path = scratch / "seen.parquet"
    pq.write_table(pa.table({"id": [one.id for one in events], "meter": [one.meter for one in events]}), path)
    return path
