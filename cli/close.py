"""tieout close: start and watch a month's close, answer its findings, sign its statements."""

from typing import Annotated

import typer

from activities.messages import MonthClosed
from adapters.files import read_billed
from cli.compare import Against
from cli.door import Door, wait_for
from cli.dry_run import report_dry_run
from cli.findings import desk_of
from cli.output import As, AsJson, Exit, Month, Reason, leave, print_json, print_table, say
from models.approval import Decision
from models.close import DRY_RUNS_FROM, EVERYONE, DecisionKind, Standing, State
from models.refusal import Refusal
from models.value import fingerprint_of
from runtime import close_desk
from runtime.desk import token_of

app = typer.Typer(no_args_is_help=True, help="Start and watch a close, answer findings, approve statements.")

Customer = Annotated[str, typer.Option(help="The customer's id.")]
Revision = Annotated[int, typer.Option(help="The close's revision; above 1 once reopened.")]

ENDED = frozenset({State.DONE, State.SKIPPED})


class NothingToSign(Refusal):
    """No statement or finding of this name waits."""

    remedy = "See what waits: tieout close status MONTH, tieout close exceptions MONTH."


class ListChanged(Refusal):
    """The statements that wait are not those of the signed list."""

    remedy = "Read the list again and sign it as it is now."


@app.command()
def start(
    month: Month,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Rate and stop: nothing is approved or issued.")] = False,
    against: Against = None,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Start the close of a month by hand. Whoever starts it prepares it, and may not approve it.

    A dry run collects, reconciles and rates under a revision of its own, issues and posts nothing, and with --against
    names every cent by which it differs from what was billed: exit code 0 equal, 1 different, 3 somebody would wait.
    """
    if against is not None and not dry_run:
        raise typer.BadParameter("a comparison belongs to a dry run: add --dry-run", param_hint="--against")
    billed = read_billed(against) if against is not None else None
    door = Door()
    close_desk.refuse_unfinished(month, door.config.entity_zone, door.clock)
    token = token_of(door.config, person)
    revision = _next_dry_run(door, month) if dry_run else 1

    async def work() -> tuple[str, MonthClosed | None]:
        starter = (await door.desk()).person(token)
        handle = await close_desk.start(await door.client(), starter, month, revision, dry_run)
        return handle.id, await handle.result() if dry_run else None

    workflow_id, closed = wait_for(work)
    if closed is not None:
        report_dry_run(door.books, closed, billed, as_json)
    elif as_json:
        print_json({"started": workflow_id})
    else:
        say(f"started {workflow_id}")


def _next_dry_run(door: Door, month: str) -> int:
    """Return the revision of a month's next dry run: each is kept apart from the close and from those before."""
    known = [one.revision for one in door.books.closes(month) if one.revision >= DRY_RUNS_FROM]
    return max(known, default=DRY_RUNS_FROM - 1) + 1


@app.command()
def status(month: Month, revision: Revision = 1, as_json: AsJson = False) -> None:
    """Show where each customer stands and how it ended (issued, zero, skipped, parked). Exit code 3 while any waits."""
    books = Door().books
    standings = books.standings(month, revision)
    paused = next((one.paused for one in books.closes(month) if one.revision == revision), "")
    if as_json:
        print_json([{**one.model_dump(mode="json"), "ending": one.ending} for one in standings])
    elif not standings:
        say(f"No close of {month} yet.")
    else:
        ended = sum(1 for one in standings if one.state in ENDED)
        print_table(
            f"Close of {month}: {ended} of {len(standings)} ended" + (f", {paused}" if paused else ""),
            ("customer", "stage", "state", "ending", "total", "statement", "detail"),
            [_row(one) for one in standings],
            right=("total",),
        )
    if not standings or any(one.state not in ENDED for one in standings):
        leave(Exit.WAITING)


def _row(standing: Standing) -> tuple[str, ...]:
    references = standing.references
    total = f"{references['total']} {references['currency']}" if "total" in references else ""
    return (
        standing.customer,
        standing.stage.value,
        standing.state.value,
        standing.ending.value if standing.ending else "",
        total,
        references.get("statement", "")[:12],
        standing.detail,
    )


@app.command()
def pause(month: Month, reason: Reason, revision: Revision = 1, person: As = None, as_json: AsJson = False) -> None:
    """Pause a close: no customer's next stage begins until it is resumed; what runs is finished."""
    _pause_or_resume(DecisionKind.PAUSE, month, revision, reason, person, as_json)


@app.command()
def resume(month: Month, reason: Reason, revision: Revision = 1, person: As = None, as_json: AsJson = False) -> None:
    """Resume a paused close: everybody goes on from where they stand."""
    _pause_or_resume(DecisionKind.RESUME, month, revision, reason, person, as_json)


def _pause_or_resume(
    kind: DecisionKind, month: str, revision: int, reason: str, person: str | None, as_json: bool
) -> None:
    door = Door()
    token = token_of(door.config, person)

    async def work() -> tuple[Decision, str]:
        desk = await door.desk()
        close_desk.refuse_pausing(desk.person(token), kind, reason)
        decision = desk.write(kind, token, month, revision, EVERYONE, month, reason, {})
        verdict = await close_desk.pause_or_resume(await door.client(), decision)
        return decision, "taken" if verdict else "recorded; no worker answers, it is taken when one is back"

    decision, outcome = wait_for(work)
    if as_json:
        print_json({"decision": decision.id, "kind": kind, "month": month, "revision": revision, "outcome": outcome})
    else:
        say(f"{month}: {kind.value} by {decision.person.id} {outcome}")


@app.command()
def approve(
    month: Month,
    customer: Annotated[str | None, typer.Option(help="The customer's id.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="The statement you saw: its fingerprint, 12 digits or more.")
    ] = None,
    all_clean: Annotated[bool, typer.Option(help="Sign the list of all statements without findings.")] = False,
    list_fingerprint: Annotated[
        str | None, typer.Option(help="The list you saw, as `approve --all-clean` prints it.")
    ] = None,
    by_signal: Annotated[bool, typer.Option(help="Leave it as a signal: durable with no worker running.")] = False,
    reason: Reason = "",
    revision: Revision = 1,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Approve a statement you have seen, named by its fingerprint; or a whole list of clean ones."""
    door = Door()
    if all_clean:
        _approve_list(door, month, revision, list_fingerprint, reason, person, as_json)
        return
    if customer is None or fingerprint is None:
        raise typer.BadParameter("name --customer and --fingerprint, or --all-clean")
    subject = _statement(door, month, revision, customer, fingerprint)
    decide(door, DecisionKind.APPROVE, month, revision, customer, subject, reason, {}, person, as_json, by_signal)


@app.command()
def reject(
    month: Month,
    customer: Customer,
    fingerprint: Annotated[str, typer.Option(help="The statement you saw.")],
    reason: Reason,
    revision: Revision = 1,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Send a statement back for rework, with a reason."""
    door = Door()
    subject = _statement(door, month, revision, customer, fingerprint)
    decide(door, DecisionKind.REJECT, month, revision, customer, subject, reason, {}, person, as_json)


@app.command()
def retry(
    month: Month,
    customer: Customer,
    reason: Reason = "",
    revision: Revision = 1,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Try a parked step again, or rework a rejected statement."""
    door = Door()
    decide(
        door,
        DecisionKind.RETRY,
        month,
        revision,
        customer,
        _stage(door, month, revision, customer),
        reason,
        {},
        person,
        as_json,
    )


@app.command()
def correct(
    month: Month, customer: Customer, reason: Reason, revision: Revision = 1, person: As = None, as_json: AsJson = False
) -> None:
    """Start the customer's month again after an input was corrected. Whoever corrects prepares."""
    door = Door()
    decide(
        door,
        DecisionKind.CORRECT,
        month,
        revision,
        customer,
        _stage(door, month, revision, customer),
        reason,
        {},
        person,
        as_json,
    )


@app.command()
def skip(
    month: Month, customer: Customer, reason: Reason, revision: Revision = 1, person: As = None, as_json: AsJson = False
) -> None:
    """Take a customer out of the close (controller), with a reason."""
    door = Door()
    decide(
        door,
        DecisionKind.SKIP,
        month,
        revision,
        customer,
        _stage(door, month, revision, customer),
        reason,
        {},
        person,
        as_json,
    )


@app.command()
def deliver(month: Month, revision: Revision = 1, as_json: AsJson = False) -> None:
    """Send every decision again that no workflow has judged yet (what an outbox does)."""
    door = Door()

    async def work() -> int:
        desk = await door.desk()
        sent = await (await desk_of(door)).finish(month, revision)
        for standing in door.books.standings(month, revision):
            if standing.state not in ENDED:
                sent += await desk.redeliver(month, revision, standing.customer)
        return sent

    sent = wait_for(work)
    print_json({"sent": sent}) if as_json else say(f"{sent} decisions sent again")


def decide(
    door: Door,
    kind: DecisionKind,
    month: str,
    revision: int,
    customer: str,
    subject: str,
    reason: str,
    payload: dict[str, str],
    person: str | None,
    as_json: bool,
    by_signal: bool = False,
) -> None:
    """Write a decision, deliver it, and print the workflow's verdict; a refused one raises DecisionNotTaken."""
    token = token_of(door.config, person)

    async def work() -> tuple[Decision, str]:
        desk = await door.desk()
        decision = desk.write(kind, token, month, revision, customer, subject, reason, payload)
        if by_signal:
            await desk.signal(decision)
            return decision, "sent by signal"
        verdict = await desk.deliver(decision)
        return decision, "taken" if verdict else "recorded; no worker answers, it is judged when one is back"

    decision, outcome = wait_for(work)
    if as_json:
        print_json(
            {"decision": decision.id, "kind": kind, "customer": customer, "subject": subject, "outcome": outcome}
        )
    else:
        say(f"{customer} {month}: {kind.value} by {decision.person.id} {outcome}")


def _statement(door: Door, month: str, revision: int, customer: str, seen: str) -> str:
    """Return the whole fingerprint that was seen; what is not the statement that waits is passed on as it is.

    The workflow, not the terminal, says whether the statement changed.
    """
    if len(seen) < 12:
        raise typer.BadParameter("give at least 12 digits of the fingerprint", param_hint="--fingerprint")
    for standing in door.books.standings(month, revision, customer):
        now = standing.references.get("statement", "")
        return now if now.startswith(seen) else seen
    raise NothingToSign("no close of this customer and month", customer=customer, month=month)


def _stage(door: Door, month: str, revision: int, customer: str) -> str:
    for standing in door.books.standings(month, revision, customer):
        return standing.stage.value
    raise NothingToSign("no close of this customer and month", customer=customer, month=month)


def _approve_list(
    door: Door, month: str, revision: int, seen: str | None, reason: str, person: str | None, as_json: bool
) -> None:
    """Print the list of clean statements that wait; sign it when its fingerprint is the one that was seen."""
    waiting = [
        one
        for one in door.books.standings(month, revision)
        if one.stage.value == "approve" and one.state is State.WAITING and "statement" in one.references
    ]
    whole = fingerprint_of("\n".join(f"{one.customer} {one.references['statement']}" for one in waiting))
    if seen is None:
        if as_json:
            print_json({"list_fingerprint": whole, "statements": waiting})
        else:
            print_table(
                f"{len(waiting)} statements wait; list {whole[:12]}",
                ("customer", "total", "statement"),
                [(one.customer, _row(one)[4], one.references["statement"][:12]) for one in waiting],
                right=("total",),
            )
        return
    if not whole.startswith(seen) or len(seen) < 12:
        raise ListChanged("the list changed since it was seen", signed=seen, now=whole[:12])
    for one in waiting:
        decide(
            door,
            DecisionKind.APPROVE,
            month,
            revision,
            one.customer,
            one.references["statement"],
            reason,
            {"list": whole},
            person,
            as_json,
        )
