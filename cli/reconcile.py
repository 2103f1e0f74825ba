"""tieout reconcile: sources given as files compared, offline, by the rules the close runs."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from adapters.files import read_policy, read_usage
from billing import sealing
from billing.reconciliation.cells import Slice
from billing.reconciliation.reconcile import reconcile as reconcile_sources
from cli.output import AsJson, Exit, leave, print_json, print_table
from models.columns import COLUMNS
from models.period import days_period, local_day, month_period
from models.refusal import Refusal
from models.usage import UsageEvent
from models.usage_policy import SourcePolicy


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
    month = month_period(period, declared.timezone)
    earlier = [_identities(read_usage(seen))] if seen else []
    sealed: dict[str, sealing.Sealed] = {}
    for given in source:
        name, _, path = given.partition("=")
        if name not in declared.sources:
            raise SourceUnknown("the policy declares no such source", source=name)
        rows = _columns(read_usage(Path(path)), declared.sources[name], name)
        sealed[name] = sealing.seal([rows], month, declared.sources[name], earlier)
    answers = {}
    for customer in sorted({one for each in sealed.values() for one in each.rows["customer"].to_pylist()}):
        slices = [
            Slice(name, declared.sources[name], _of(each.rows, customer), _of(each.duplicates, customer))
            for name, each in sealed.items()
        ]
        answers[customer] = reconcile_sources(customer, period, month, slices, declared)
    if as_json:
        print_json({customer: vars(found) for customer, found in answers.items()})
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


def _identities(events: Sequence[UsageEvent]) -> pa.Table:
    return pa.table({"id": [one.id for one in events], "meter": [one.meter for one in events]})


def _of(rows: pa.Table, customer: str) -> pa.Table:
    return rows.filter(pa.array([name == customer for name in rows["customer"].to_pylist()], pa.bool_()))
