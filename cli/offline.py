"""Offline verbs: rate, explain, schema, and those of cli/contract.py. No server; the code the close runs."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from adapters.files import (
    read_contract,
    read_prices,
    read_statement,
    read_statements,
    read_usage,
)
from billing.explained import explanation_of
from billing.rating import backlog
from billing.rating.statement import statement_for
from billing.rating.timeline import timeline_of
from billing.simulation import difference
from cli.contract import opening_of
from cli.explanation import print_explanation
from cli.moved import print_differences
from cli.output import AsJson, money, print_json, print_table, say
from models.contract import Contract
from models.opening import Opening
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.statement import Statement
from models.usage import UsageEvent, UsageLine
from models.usage_policy import UsagePolicy
from runtime.engine import engine_id

SCHEMAS: dict[str, type[BaseModel]] = {
    "contract": Contract,
    "opening": Opening,
    "policy": UsagePolicy,
    "price": RateVersion,
    "statement": Statement,
    "usage": UsageEvent,
}


class NoSuchLine(Refusal):
    """The statement has no line of this id."""

    remedy = "Take an id from the statement's `lines`."


class NothingBooked(Refusal):
    """The deltas of a period are asked for that was never rated."""

    remedy = "Give the statement that was booked: --prior STATEMENT.json."


def rate(
    contract: Annotated[list[Path], typer.Option(help="A contract version (YAML); repeat for each.")],
    usage: Annotated[Path, typer.Option(help="All usage known now: CSV, JSON lines or Parquet.")],
    period: Annotated[str, typer.Option(help="The month, such as 2026-10; with an anchor, the day it begins.")],
    prices: Annotated[list[Path] | None, typer.Option(help="Rate versions: JSON lines or a YAML list.")] = None,
    prior: Annotated[list[Path] | None, typer.Option(help="Earlier statements (JSON), oldest first.")] = None,
    opening: Annotated[Path | None, typer.Option(help="Where a contract taken over stood (YAML).")] = None,
    deltas: Annotated[bool, typer.Option(help="Print what differs from what was booked of this period.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rate a period: the statement, its lines with their explanations, its pools before and after."""
    versions = [read_contract(path) for path in contract]
    rates = [version for path in prices or () for version in read_prices(path)]
    earlier = [one for path in prior or () for one in read_statements(path)]
    taken = opening_of(opening, versions) if opening is not None else None
    statement, rivals = rated(versions, read_usage(usage), rates, earlier, period, taken)
    for event in rivals:
        print(f"conflicting copy left out: {event.id} {event.meter} {event.quantity}", file=sys.stderr)
    if deltas:
        booked = difference(_booked(earlier, statement), statement)
        if as_json:
            print_json(booked)
        else:
            print_differences([booked], statement.period)
    elif as_json:
        print_json(statement)
    else:
        print_statement(statement)


def _booked(earlier: Sequence[Statement], statement: Statement) -> Statement:
    """Return the latest statement of the period that is rated again; raises NothingBooked."""
    same = [one for one in earlier if (one.contract, one.period) == (statement.contract, statement.period)]
    if not same:
        raise NothingBooked("no statement of the period is among the earlier ones", period=statement.period)
    return max(same, key=lambda one: one.revision)


def explain(
    statement: Annotated[Path, typer.Argument(help="A statement (JSON).")],
    line: Annotated[str, typer.Argument(help="The id of one of its lines.")],
    as_json: AsJson = False,
) -> None:
    """Explain one line of a statement: from quantity to amount, row by row."""
    read = read_statement(statement)
    try:
        found = read.line(line)
    except KeyError:
        raise NoSuchLine("no line has this id", line=line, statement=statement) from None
    if as_json:
        print_json(explanation_of(found, read))
        return
    print_explanation(found, read)


def schema(name: Annotated[str, typer.Argument(help=f"One of {', '.join(SCHEMAS)}.")]) -> None:
    """Print the JSON Schema of a file format."""
    if name not in SCHEMAS:
        raise typer.BadParameter(f"expected one of {', '.join(SCHEMAS)}", param_hint="NAME")
    drawn = SCHEMAS[name].model_json_schema(by_alias=True)
    print(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **drawn}, indent=2))


def rated(
    versions: Sequence[Contract],
    events: Sequence[UsageEvent],
    rates: Sequence[RateVersion],
    prior: Sequence[Statement],
    period: str,
    opening: Opening | None = None,
) -> tuple[Statement, tuple[UsageEvent, ...]]:
    """Return the statement of a period from all usage known, and the conflicting copies that were left out."""
    usage, rivals = open_usage(versions, events, rates, prior, period)
    return statement_for(versions, usage, rates, period, prior, engine=engine_id(), opening=opening), rivals


def open_usage(
    versions: Sequence[Contract],
    events: Sequence[UsageEvent],
    rates: Sequence[RateVersion],
    prior: Sequence[Statement],
    period: str,
) -> tuple[tuple[UsageLine, ...], tuple[UsageEvent, ...]]:
    """Return the usage a period's statement bills, of all usage known, and the conflicting copies left out.

    Usage of earlier periods that no earlier statement billed is late; without earlier statements only the period's
    own is rated, for nobody can tell what was billed before.
    """
    timeline = timeline_of(versions, period)
    mine = [event for event in events if event.customer == timeline.contract.customer]
    kept, rivals = backlog.deduped(mine)
    earlier = sorted((one for one in prior if one.period < timeline.month), key=lambda one: one.period)
    if not earlier:
        return tuple(backlog.line_of(event) for event in kept if event.timestamp in timeline.span), rivals
    ends = [timeline_of(versions, one.period).span.ends_at for one in earlier]
    begun = timeline_of(versions, earlier[0].period).span.starts_at
    kept = tuple(event for event in kept if event.timestamp >= begun)  # before it nobody says what was billed
    return backlog.unbilled(versions, kept, rates, timeline.span.ends_at, earlier, ends), rivals


def print_statement(statement: Statement) -> None:
    """Print a statement: its lines, its pools, its totals."""
    print_table(
        f"{statement.customer} {statement.period} by {statement.contract_version}",
        ("line", "what", "quantity", "amount"),
        [
            (line.id, line.description, f"{line.quantity:,f}", money(line.amount, statement.currency))
            for line in statement.lines
        ],
        right=("quantity", "amount"),
    )
    if statement.pools:
        columns = ("pool", "kind", "unit", "opening", "granted", "drawn", "expired", "closing")
        rows = [(one.id, one.kind, one.unit, *(f"{number:,.2f}" for number in _flow(one))) for one in statement.pools]
        print_table("Pools", columns, rows, right=columns[3:])
    say(f"subtotal {money(statement.subtotal, statement.currency)}, tax {money(statement.tax, statement.currency)}, "
        f"total {money(statement.total, statement.currency)}")  # fmt: skip
    say(f"fingerprint {statement.fingerprint()}")


def _flow(one: Any) -> tuple[Any, ...]:
    return one.opening, one.granted, one.drawn, one.expired, one.closing
