"""tieout simulate: what a change of rates or terms would have moved over past usage, by customer and line. Offline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.files import read_contract, read_prices, read_statements, read_usage
from billing.rating.statement import statement_for
from billing.simulation import difference, rates_with, terms_with
from cli.moved import print_differences
from cli.offline import open_usage
from cli.output import AsJson, print_json
from models.contract import Contract
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.simulation import Difference
from models.statement import Statement
from models.usage import UsageEvent
from runtime.engine import engine_id


class NothingProposed(Refusal):
    """A simulation was asked for without a change."""

    remedy = "Give --proposed-prices or --proposed-contract."


def simulate(
    contract: Annotated[list[Path], typer.Option(help="A contract version (YAML); repeat, also for other customers.")],
    usage: Annotated[Path, typer.Option(help="Past usage: CSV, JSON lines or Parquet.")],
    period: Annotated[str, typer.Option(help="The month, such as 2026-10; with an anchor, the day it begins.")],
    prices: Annotated[list[Path] | None, typer.Option(help="Rate versions as they are.")] = None,
    proposed_prices: Annotated[
        list[Path] | None, typer.Option(help="Rate versions proposed: one with a known id replaces it, else is added.")
    ] = None,
    proposed_contract: Annotated[
        list[Path] | None, typer.Option(help="A contract version proposed: it replaces that of its day, or amends.")
    ] = None,
    prior: Annotated[list[Path] | None, typer.Option(help="Earlier statements (JSON), oldest first.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rate past usage twice, with what is in force and what is proposed: who pays how much more or less, and where."""
    if not proposed_prices and not proposed_contract:
        raise NothingProposed("nothing is proposed", period=period)
    rates = [one for path in prices or () for one in read_prices(path)]
    found = differences(
        [read_contract(path) for path in contract],
        [read_contract(path) for path in proposed_contract or ()],
        read_usage(usage),
        rates,
        rates_with(rates, [one for path in proposed_prices or () for one in read_prices(path)]),
        [one for path in prior or () for one in read_statements(path)],
        period,
    )
    if as_json:
        print_json(found)
        return
    print_differences(found, period)


def differences(
    terms: Sequence[Contract],
    proposed: Sequence[Contract],
    events: Sequence[UsageEvent],
    rates: Sequence[RateVersion],
    rates_then: Sequence[RateVersion],
    prior: Sequence[Statement],
    period: str,
) -> list[Difference]:
    """Return each contract's difference, in the order of the files. Which usage is billed is as the terms now say."""
    found = []
    for name in dict.fromkeys(one.contract for one in terms):
        now = [one for one in terms if one.contract == name]
        then = terms_with(now, [one for one in proposed if one.contract == name])
        earlier = [one for one in prior if one.contract == name]
        lines, _ = open_usage(now, events, rates, earlier, period)
        before = statement_for(now, lines, rates, period, earlier, engine=engine_id())
        after = statement_for(then, lines, rates_then, period, earlier, engine=engine_id())
        found.append(difference(before, after))
    return found
