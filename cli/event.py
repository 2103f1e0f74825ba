"""tieout event: book what no statement has (payments, terminations, write-offs …), by two people."""

from pathlib import Path
from typing import Annotated

import typer
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError

from activities.messages import BookEvent as Task
from activities.messages import EventBooked
from adapters.files import read_events
from adapters.postgres.booked_events import PostgresBookedEvents
from cli.door import Door, wait_for
from cli.output import As, AsJson, Exit, Reason, leave, print_json, print_table, say
from models.approval import Decision
from models.event import Event
from models.refusal import Refusal
from runtime.desk import DecisionNotTaken, token_of
from workflows import options
from workflows.book_event import BookEvent

app = typer.Typer(no_args_is_help=True, help="Facts that no statement has, booked by two people.")

Customer = Annotated[str, typer.Argument(help="The customer's id.")]


@app.command()
def book(
    customer: Customer,
    file: Annotated[Path, typer.Argument(help="Events as JSON lines; see examples/recognize.")],
    reason: Reason = "",
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Book events. Exit code 3 until a second person books the same file.

    Whoever books one first proposes it, with a reason. The same content booked by another person (approver or
    controller) approves it: then its entry is posted, into its month or the first open one.
    """
    door = Door()
    token = token_of(door.config, person)
    events = read_events(file)

    async def work() -> list[tuple[Event, EventBooked | None]]:
        desk = await door.desk()
        done = []
        for event in events:
            proposal, approval = desk.book_event(event, customer, token, reason)
            done.append((event, await _posted(door, event, proposal, approval) if approval else None))
        return done

    done = wait_for(work)
    if as_json:
        print_json([{"event": event, "booked": booked} for event, booked in done])
    else:
        for event, booked in done:
            if booked is None:
                say(f"{event.event} {event.id} of {event.contract} is proposed; another person books the same file")
            else:
                said = f"{booked.debits} {booked.currency} in {booked.month}" if booked.entry else "no entry"
                say(f"{event.event} {event.id} of {event.contract}: {said}")
    if any(booked is None for _, booked in done):
        leave(Exit.WAITING)


@app.command("list")
def list_(customer: Customer, as_json: AsJson = False) -> None:
    """Show what was booked of a customer, in order."""
    found = PostgresBookedEvents(Door().console).events(customer)
    if as_json:
        print_json(found)
        return
    rows = [(one.contract, one.id, one.event, str(one.on)) for one in found]
    print_table(f"{len(rows)} events of {customer}", ("contract", "id", "event", "on"), rows)


async def _posted(door: Door, event: Event, proposal: Decision, approval: Decision) -> EventBooked:
    client = await door.client()
    try:
        return await client.execute_workflow(
            BookEvent.run,
            Task(contract=event.contract, event=event.id, proposal=proposal.id, approval=approval.id),
            id=f"event/{event.contract}/{event.id}",
            task_queue=options.CLOSE_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"book {event.event} {event.id} of {event.contract}",
        )
    except WorkflowFailureError as failed:
        raise _refusal(failed) from failed


def _refusal(failed: WorkflowFailureError) -> Refusal:
    cause = failed.cause.cause if isinstance(failed.cause, ActivityError) else failed.cause
    if isinstance(cause, ApplicationError):
        return DecisionNotTaken(cause.message, code=cause.type)
    return DecisionNotTaken(str(cause or failed))
