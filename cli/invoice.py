"""tieout invoice: invoices as issued, and why each amount is what it is."""

from typing import Annotated

import typer

from activities.messages import EventApplied
from adapters.postgres.stripe_events import PostgresEvents
from billing.explained import explanation_of
from cli import correction
from cli.door import Door, wait_for
from cli.explanation import print_explanation
from cli.output import As, AsJson, Exit, Month, Reason, leave, money, print_json, print_table, say
from models.correction import Cause, CorrectionRequest, Settlement
from models.refusal import Refusal
from models.stripe_event import Fate
from runtime.events import apply_again

app = typer.Typer(no_args_is_help=True, help="Invoices, and why each amount is what it is.")


class NoSuchInvoice(Refusal):
    """No invoice or line of this name."""

    remedy = "List them: tieout invoice show MONTH."


@app.command()
def show(
    month: Month,
    customer: Annotated[str | None, typer.Option(help="One customer.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a month's invoices, or one customer's with its lines."""
    views = Door().books.invoices(month, customer)
    if as_json:
        print_json(views)
        return
    print_table(
        f"Invoices of {month}",
        ("reference", "number", "status", "total", "due"),
        [
            (
                view.invoice.reference,
                view.issued.number if view.issued else "",
                view.state,
                money(view.invoice.total, view.invoice.currency),
                view.issued.due_on.isoformat() if view.issued else "",
            )
            for view in views
        ],
        right=("total",),
    )
    if customer:
        for view in views:
            print_table(
                f"Lines of {view.invoice.reference}",
                ("#", "description", "amount"),
                [(str(x.position), x.description, money(x.amount, view.invoice.currency)) for x in view.invoice.lines],
                right=("#", "amount"),
            )


@app.command()
def explain(
    month: Month,
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    line: Annotated[str | None, typer.Argument(help="A rated line's id; all of them when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain an invoice line by line: quantity, source, rate version, clause, arithmetic, rounding."""
    books = Door().books
    views = books.invoices(month, customer)
    if not views:
        raise NoSuchInvoice("no invoice of this customer and month", customer=customer, month=month)
    statement = books.statement(views[0].invoice.statement)
    if statement is None:
        raise NoSuchInvoice("the invoice's statement is not in the books", statement=views[0].invoice.statement)
    chosen = [one for one in statement.lines if line is None or one.id == line]
    if not chosen:
        raise NoSuchInvoice("the statement has no such line", line=line)
    if as_json:
        print_json([explanation_of(one, statement) for one in chosen])
    else:
        for one in chosen:
            print_explanation(one, statement)


@app.command()
def events(
    everything: Annotated[bool, typer.Option("--all", help="Applied ones too.")] = False, as_json: AsJson = False
) -> None:
    """Show what the invoicing platform told that is parked for a person, or everything. Exit code 3 while any waits."""
    views = PostgresEvents(Door().console).views()
    shown = [view for view in views if everything or view.fate in (None, Fate.PARKED)]
    rows = [
        {
            "event": view.event.id,
            "type": view.event.type,
            "created": view.event.created,
            "about": view.event.object_id,
            "fate": view.fate.value if view.fate else "received",
            "detail": view.taken[-1].detail if view.taken else "",
        }
        for view in shown
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            f"{len(rows)} events",
            ("event", "type", "created", "about", "fate", "detail"),
            [(*(str(row[name]) for name in ("event", "type", "created", "about", "fate", "detail")),) for row in rows],
        )
    if any(view.fate in (None, Fate.PARKED) for view in views):
        leave(Exit.WAITING)


@app.command("apply-event")
def apply_event(event: Annotated[str, typer.Argument(help="A parked event's id.")], as_json: AsJson = False) -> None:
    """Apply a parked event again, once what it waited for is done. Exit code 3 where it is parked still."""
    door = Door()

    async def work() -> EventApplied:
        return await apply_again(await door.client(), event, door.clock.now())

    applied = wait_for(work)
    if as_json:
        print_json(applied)
    else:
        say(f"{event}: {applied.fate.value} {applied.detail}".rstrip())
    if applied.fate is Fate.PARKED:
        leave(Exit.WAITING)


@app.command()
def void(
    month: Month,
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    reason: Reason,
    rebill: Annotated[
        Cause | None,
        typer.Option(help="Bill it again, rated with what is known now: late_usage, wrong_rate, contract."),
    ] = None,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose to take an unpaid invoice back, for good or to bill it again. Another person approves it."""
    request = CorrectionRequest(
        invoice=correction.issued(Door(), month, customer).invoice.reference,
        cause=rebill or Cause.DISPUTE,
        settlement=Settlement.REBILL if rebill else Settlement.VOID,
        reason=reason,
    )
    correction.propose_request(request, customer, month, person, as_json)


@app.command()
def credit(
    month: Month,
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    line: Annotated[
        list[str], typer.Option("--line", help="LINE=AMOUNT without tax, as `invoice explain` names lines.")
    ],
    reason: Reason,
    settle: correction.Settle = Settlement.CREDIT_NOTE,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose a credit of so much of which line. Another person approves it."""
    request = CorrectionRequest(
        invoice=correction.issued(Door(), month, customer).invoice.reference,
        cause=Cause.GOODWILL,
        settlement=settle,
        reason=reason,
        credits=tuple(correction.credit_of(one) for one in line),
    )
    correction.propose_request(request, customer, month, person, as_json)
