"""How rates, proposals and simulations are printed, for people and for programs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cli.output import print_table, say
from models.rate_card import RateVersion
from models.rate_change import ChangeView, KnownRate, RateProposal, Simulation
from models.value import decimal_text, instant_text


def until(at: datetime | None) -> str:
    """Return the end of a span, or a dash where it is open."""
    return instant_text(at) if at else "-"


def row(one: KnownRate) -> dict[str, Any]:
    """Return a version flat, with its id, its fingerprint and both its times."""
    both = one.model_dump(mode="json")
    return {"id": one.version.id, "fingerprint": one.version.fingerprint(), **both.pop("version"), **both}


def difference(one: RateProposal) -> dict[str, Any]:
    """Return a proposal as plain data, with both values."""
    return {"id": one.id, "kind": one.kind, "table": one.table, "catalog": one.known, "proposed": one.version}


def change(one: ChangeView) -> dict[str, Any]:
    """Return a proposal with where it stands, as plain data."""
    return {
        **difference(one.proposal),
        "step": one.step,
        "proposed_by": one.proposed_by,
        "proposed_at": one.proposed_at,
        "money": one.simulation.money() if one.simulation else None,
        "steps": one.steps,
    }


def price(version: RateVersion | None) -> str:
    """Return a price in its published unit."""
    if version is None:
        return "none"
    return f"{decimal_text(version.amount)} {version.currency} / {decimal_text(version.per)}"


def print_differences(title: str, found: Iterable[RateProposal]) -> None:
    """Print what tables say otherwise."""
    print_table(
        title,
        ("id", "subject", "from", "catalog", "table", "source"),
        [
            (
                one.id,
                one.version.subject,
                instant_text(one.version.starts_at),
                price(one.known),
                price(one.version),
                one.version.source,
            )
            for one in found
        ],
        right=("catalog", "table"),
    )


def print_changes(title: str, found: Sequence[ChangeView]) -> None:
    """Print proposals with where they stand; nothing for none."""
    if found:
        print_table(
            title,
            ("id", "kind", "subject", "from", "catalog", "proposed", "by", "step", "money", "detail"),
            [
                (
                    one.id,
                    one.proposal.kind.value,
                    one.proposal.version.subject,
                    instant_text(one.proposal.version.starts_at),
                    price(one.proposal.known),
                    price(one.proposal.version),
                    f"{one.proposed_by} ({one.proposal.table})",
                    one.step.value,
                    money(one.simulation),
                    one.steps[-1].detail if one.steps else "",
                )
                for one in found
            ],
            right=("catalog", "proposed", "money"),
        )


def money(simulation: Simulation | None) -> str:
    """Return what all customers together pay more or less, by currency."""
    if simulation is None:
        return ""
    return ", ".join(f"{amount:+,f} {currency}" for currency, amount in simulation.money().items()) or "0"


def print_simulation(view: ChangeView, simulation: Simulation) -> None:
    """Print whom a proposal moves and by how much."""
    said = f"{view.proposal.version.id}: {price(view.proposal.known)} to {price(view.proposal.version)}"
    print_table(
        f"{said}; {simulation.rated} customer months rated again, {len(simulation.moved)} move",
        ("customer", "month", "now", "then", "delta", "lines", "standing"),
        [
            (
                one.customer,
                one.month,
                f"{one.now:,f} {one.currency}",
                f"{one.then:,f} {one.currency}",
                f"{one.delta:+,f}",
                str(one.lines),
                "locked" if one.locked else "invoiced" if one.invoiced else "open",
            )
            for one in simulation.moved
        ],
        right=("now", "then", "delta", "lines"),
    )
    say(f"all together {money(simulation)}")
    for no in simulation.refused:
        say(f"not rated: {no.customer} {no.month}: {no.why}")
    if simulation.unkept:
        say(f"no kept usage yet: {', '.join(simulation.unkept)}")
