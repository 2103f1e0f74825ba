"""tieout rates: the catalog in both times, what tables say otherwise, and changes through two people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from activities.change_rate import NoProposal
from adapters.files import read_prices
from adapters.postgres.catalog import PostgresCatalog
from adapters.postgres.desk import PostgresDesk
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from billing import rate_drift as table_drift
from cli import rate_drift, rate_keys, rate_output
from cli.door import Door, wait_for
from cli.output import As, AsJson, Exit, Reason, leave, print_json, print_table, say
from models.close import DecisionKind
from models.rate_change import ChangeStep, ChangeView, RateProposal
from models.value import decimal_text, instant_text
from runtime import price_tables, settings, wiring
from runtime.clock import SystemClock
from runtime.desk import token_of
from runtime.rate_desk import RateDesk, proposer

app = typer.Typer(no_args_is_help=True, help="The rate catalog in both times, and changes of it.")
app.add_typer(rate_keys.app, name="key")
app.command("drift")(rate_drift.drift)

At = Annotated[
    datetime | None,
    typer.Option(help="In force at this instant, such as 2026-10-20T00:00:00Z.", parser=lambda text: _instant(text)),
]
KnownAt = Annotated[
    datetime | None,
    typer.Option(help="As known at this instant; now, when left out.", parser=lambda text: _instant(text)),
]
Proposal = Annotated[str, typer.Argument(help="The proposal's id, as `rates inbox` prints it.")]


@app.command("list")
def list_(
    card: Annotated[str | None, typer.Option(help="One rate card.")] = None,
    at: At = None,
    as_known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """List rate versions, each with its source and the day it was checked."""
    known = PostgresCatalog(_console()).listed(card, at, as_known_at)
    if as_json:
        print_json([rate_output.row(one) for one in known])
        return
    print_table(
        f"{len(known)} rate versions",
        ("subject", "from", "amount", "per", "source", "checked"),
        [
            (
                one.version.subject,
                instant_text(one.version.starts_at),
                f"{decimal_text(one.version.amount)} {one.version.currency}",
                decimal_text(one.version.per),
                one.version.source,
                one.version.checked_on.isoformat(),
            )
            for one in known
        ],
        right=("amount", "per"),
    )


@app.command()
def show(
    rate: Annotated[str, typer.Argument(help="A version's id, a rate's subject, or a proposal's id.")],
    as_json: AsJson = False,
) -> None:
    """Show a rate's timeline in both times: what it was, what was known when, who proposed and approved it."""
    catalog, changes = PostgresCatalog(_console()), PostgresRateChanges(_console())
    proposal = changes.proposal(rate)
    subject = proposal.proposal.version.subject if proposal else catalog.subject_of(rate) or rate
    timeline, proposals = catalog.timeline(subject), changes.of_subject(subject)
    if not timeline and not proposals:
        raise NoProposal("no rate and no proposal has this id", id=rate)
    if as_json:
        print_json(
            {
                "subject": subject,
                "timeline": [rate_output.row(one) for one in timeline],
                "proposals": [rate_output.change(one) for one in proposals],
            }
        )
        return
    print_table(
        f"{subject}: {len(timeline)} rows",
        ("from", "until", "amount", "per", "known from", "known until", "proposed by", "approved by", "source"),
        [
            (
                instant_text(one.version.starts_at),
                rate_output.until(one.effective_until),
                f"{decimal_text(one.version.amount)} {one.version.currency}",
                decimal_text(one.version.per),
                instant_text(one.recorded_at),
                rate_output.until(one.recorded_until),
                one.proposed_by,
                one.approved_by,
                one.version.source,
            )
            for one in timeline
        ],
        right=("amount", "per"),
    )
    rate_output.print_changes(f"{len(proposals)} proposals", proposals)
    for one in proposals:
        for step in one.steps:
            say(f"{one.id} {step.step.value} {instant_text(step.at)} {step.person or ''} {step.detail}".rstrip())


@app.command()
def sync(
    source: Annotated[
        list[str], typer.Option("--from", help=f"The table: {', '.join(price_tables.TABLES)}; may be repeated.")
    ] = ["genai"],  # noqa: B006  typer copies it
    person: As = None,
    dry_run: Annotated[bool, typer.Option(help="Compare only; write no proposal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the catalog with price tables; each difference is a proposal with both values, applied by nobody.

    Exit code 3 while a table says something the catalog does not.
    """
    config, console = settings.load(), _console()
    catalog = PostgresTerms(console).rates()
    now = SystemClock().now()
    compared = [price_tables.compare(one, catalog, now) for one in source]
    found = [proposal for one in compared for proposal in one.proposals]
    changes = PostgresRateChanges(console)
    new: tuple[str, ...] = ()
    if found and not dry_run:
        signed = proposer(PostgresDesk(console), token_of(config, person))
        new = changes.propose(found, signed.id, now)
    left_out = [{"table": one.table, **each.model_dump()} for one in compared for each in one.left_out]
    if as_json:
        print_json({"differences": [rate_output.difference(one) for one in found], "new": new, "left_out": left_out})
    elif not found:
        say("The catalog and the tables agree.")
    else:
        rate_output.print_differences(f"{len(found)} differences, {len(new)} new in the inbox: a person decides", found)
    if not as_json:
        for one in left_out:
            say(f"not compared: {one['table']} {one['provider']}/{one['model']}: {one['why']}")
    if found:
        leave(Exit.WAITING)


@app.command()
def inbox(
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False, as_json: AsJson = False
) -> None:
    """Show the proposals that wait for a person, each with the catalog's value and the table's. Exit code 3 then."""
    waiting = PostgresRateChanges(_console()).inbox(everything)
    if as_json:
        print_json([rate_output.change(one) for one in waiting])
    elif not waiting:
        say("Nothing waits.")
    else:
        rate_output.print_changes(f"{len(waiting)} proposals", waiting)
    if any(one.step not in (ChangeStep.IN_FORCE, ChangeStep.REJECTED, ChangeStep.REFUSED) for one in waiting):
        leave(Exit.WAITING)


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(help="Dated rates: a YAML list or JSON lines.")],
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose the rates of a file and have each simulated. Whoever proposes prepares what is billed with it."""
    door, console = Door(), _console()
    catalog = PostgresTerms(console).rates()
    proposals = [
        RateProposal(table="file", version=version, known=known)
        for version in read_prices(file)
        for known in [table_drift.known_beside(catalog, version)]
        if known is None or not known.same_price(version)
    ]
    token = token_of(door.config, person)

    async def work() -> list[ChangeView]:
        desk = await _desk(door)
        desk.propose(token, proposals)
        return [await desk.simulate(one.id) for one in proposals]

    views = wait_for(work)
    if as_json:
        print_json([rate_output.change(one) for one in views])
    elif not views:
        say("The catalog says so already.")
    else:
        rate_output.print_changes(f"{len(views)} proposals wait for another person", views)
    if any(one.step in (ChangeStep.PROPOSED, ChangeStep.SIMULATED) for one in views):
        leave(Exit.WAITING)


@app.command()
def simulate(proposal: Proposal, as_json: AsJson = False) -> None:
    """Show which customers a proposal moves and by how much, over the kept usage of last month and this one."""
    door = Door()

    async def work() -> ChangeView:
        return await (await _desk(door)).simulate(proposal)

    view = wait_for(work)
    simulation = view.simulation
    if as_json:
        print_json(rate_output.change(view))
    elif simulation is None:
        say("No worker answers; it is simulated when one is back.")
    else:
        rate_output.print_simulation(view, simulation)
    if simulation is None:
        leave(Exit.WAITING)


@app.command()
def approve(proposal: Proposal, reason: Reason = "", person: As = None, as_json: AsJson = False) -> None:
    """Approve a simulated proposal; never its proposer. It is in force at its own instant."""
    _decide(DecisionKind.APPROVE_RATE, proposal, reason, person, as_json)


@app.command()
def reject(proposal: Proposal, reason: Reason, person: As = None, as_json: AsJson = False) -> None:
    """Reject a proposal, with a reason."""
    _decide(DecisionKind.REJECT_RATE, proposal, reason, person, as_json)


def _decide(kind: DecisionKind, proposal: str, reason: str, person: str | None, as_json: bool) -> None:
    door = Door()
    token = token_of(door.config, person)

    async def work() -> tuple[str, str, ChangeView]:
        desk = await _desk(door)
        view = desk.view(proposal)
        signed, verdict = await desk.decide(kind, token, proposal, reason)
        if verdict is None:
            return signed.id, "recorded; no worker answers, it is judged when one is back", view
        if kind is DecisionKind.REJECT_RATE or view.proposal.version.starts_at <= door.clock.now():
            ended = await desk.ended(proposal)
            return signed.id, f"{ended.step.value}{f': {ended.detail}' if ended.detail else ''}", desk.view(proposal)
        return signed.id, f"taken; in force from {instant_text(view.proposal.version.starts_at)}", desk.view(proposal)

    signed, outcome, view = wait_for(work)
    if as_json:
        print_json({"proposal": proposal, "kind": kind, "person": signed, "outcome": outcome, "step": view.step})
    else:
        say(f"{view.proposal.version.id}: {kind.value} by {signed} {outcome}")
    if view.step in (ChangeStep.REFUSED, ChangeStep.NEEDS_CORRECTION):
        leave(Exit.REFUSED if view.step is ChangeStep.REFUSED else Exit.WAITING)


async def _desk(door: Door) -> RateDesk:
    console = _console()
    return RateDesk(PostgresDesk(console), PostgresRateChanges(console), await door.client(), door.clock)


def _console() -> Database:
    return wiring.database(settings.load(), "console")


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise typer.BadParameter("expected an instant with its zone, such as 2026-10-20T00:00:00Z")
    return found.astimezone(UTC)
