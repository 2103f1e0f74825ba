"""tieout close: start and watch a month's close, answer its findings, sign its statements."""

from typing import Annotated

import typer
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.messages import CloseMonth, MonthClosed, close_id
from adapters.files import read_billed
from cli.compare import Against
from cli.door import Door, wait_for
from cli.dry_run import report_dry_run
from cli.output import As, AsJson, Exit, Month, Reason, leave, print_json, print_table, say
from models.approval import Decision
from models.close import DRY_RUNS_FROM, DecisionKind, Role, Standing, State
from models.period import month_period
from models.refusal import Refusal
from models.reports import OpenFinding
from models.value import fingerprint_of
from runtime.desk import token_of
from workflows import options, search
from workflows.monthly_close import MonthlyClose

app = typer.Typer(no_args_is_help=True, help="Start and watch a close, answer findings, approve statements.")

Customer = Annotated[str, typer.Option(help="The customer's id.")]
Revision = Annotated[int, typer.Option(help="The close's revision; above 1 once reopened.")]

ENDED = frozenset({State.DONE, State.SKIPPED})


class PeriodNotOver(Refusal):
    """The month has not ended yet in the entity's zone."""

    remedy = "Wait until it is over; the Schedule starts its close by itself on the 1st."


class AlreadyStarted(Refusal):
    """The month's close was started before: one month has one close."""

    remedy = "See where it stands: tieout close status MONTH."


class NotYours(Refusal):
    """The person's roles do not allow this."""

    remedy = "Ask somebody with the role."


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
    period = month_period(month, door.config.entity_zone)
    if period.ends_at > door.clock.now():
        raise PeriodNotOver("the period is not over", month=month, ends_at=period.ends_at.isoformat())
    token = token_of(door.config, person)
    revision = _next_dry_run(door, month) if dry_run else 1

    async def work() -> tuple[str, MonthClosed | None]:
        starter = (await door.desk()).person(token)
        if not {Role.PREPARER, Role.CONTROLLER} & set(starter.roles):
            raise NotYours(f"{starter.id} may not start a close", needs="preparer or controller")
        client = await door.client()
        try:
            handle = await client.start_workflow(
                MonthlyClose.run,
                CloseMonth(month=month, revision=revision, started_by=starter.id, by_hand=True, dry_run=dry_run),
                id=close_id(month, revision),
                task_queue=options.CLOSE_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=TypedSearchAttributes([SearchAttributePair(search.PERIOD, month)]),
                static_summary=f"{'dry run of' if dry_run else 'close of'} {month}",
            )
        except WorkflowAlreadyStartedError as error:
            raise AlreadyStarted("this month's close was started before", month=month) from error
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
    standings = Door().books.standings(month, revision)
    if as_json:
        print_json([{**one.model_dump(mode="json"), "ending": one.ending} for one in standings])
    elif not standings:
        say(f"No close of {month} yet.")
    else:
        print_table(
            f"Close of {month}: {sum(1 for one in standings if one.state in ENDED)} of {len(standings)} ended",
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
def exceptions(month: Month, revision: Revision = 1, as_json: AsJson = False) -> None:
    """Show what needs a person: findings that hold customers, and parked steps. Exit code 3 while there are any."""
    books = Door().books
    findings = books.exceptions(month, revision)
    parked = [one for one in books.standings(month, revision) if one.state in (State.NEEDS_ATTENTION, State.REJECTED)]
    if as_json:
        print_json({"findings": findings, "parked": parked})
    elif not findings and not parked:
        say("Nothing needs you.")
    if not as_json and findings:
        print_table(
            f"{len(findings)} findings hold customers",
            ("customer", "cause", "source", "against", "meter", "evidence", "suggestion", "finding"),
            [_finding_row(one) for one in findings],
        )
    if not as_json and parked:
        print_table(
            f"{len(parked)} parked",
            ("customer", "stage", "state", "why"),
            [(one.customer, one.stage.value, one.state.value, one.detail) for one in parked],
        )
    if findings or parked:
        leave(Exit.WAITING)


def _finding_row(open_finding: OpenFinding) -> tuple[str, ...]:
    one = open_finding.finding
    return (
        one.customer,
        one.cause.value,
        one.source,
        one.against,
        one.meter,
        one.evidence,
        one.suggestion,
        one.id,
    )


@app.command()
def resolve(
    month: Month,
    finding: Annotated[str, typer.Argument(help="The finding's id, as `exceptions` prints it.")],
    reason: Reason,
    accept: Annotated[str | None, typer.Option(help="Take this source's quantity for the finding's span.")] = None,
    correct_to: Annotated[str | None, typer.Option(help="Take this quantity, with evidence in the reason.")] = None,
    defer: Annotated[bool, typer.Option(help="Leave it as it stands, for the next period.")] = False,
    exclude: Annotated[bool, typer.Option(help="Leave the span out.")] = False,
    alike: Annotated[bool, typer.Option(help="Answer all findings of this customer, source and cause alike.")] = False,
    revision: Revision = 1,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Answer a finding that holds a customer. Whoever answers prepares, and may not approve."""
    answers = [
        name
        for name, given in (("accept", accept), ("correct", correct_to), ("defer", defer), ("exclude", exclude))
        if given
    ]
    if len(answers) != 1:
        raise typer.BadParameter("answer with one of --accept, --correct-to, --defer, --exclude")
    payload = {"answer": answers[0]}
    if accept:
        payload["source"] = accept
    if correct_to:
        payload["quantity"] = correct_to
    door = Door()
    waiting = door.books.exceptions(month, revision)
    named = [one.finding for one in waiting if one.finding.id == finding]
    if not named:
        raise NothingToSign("no such finding holds anybody", finding=finding)
    first = named[0]
    chosen = [first]
    if alike:
        chosen = [
            one.finding
            for one in waiting
            if (one.finding.customer, one.finding.source, one.finding.cause)
            == (first.customer, first.source, first.cause)
        ]
    for one in chosen:
        decide(door, DecisionKind.RESOLVE, month, revision, one.customer, one.id, reason, payload, person, as_json)


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
        sent = 0
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
