"""tieout correction: correct an issued invoice, by two people; what was issued stays as it is."""

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from adapters.files import read_usage
from adapters.postgres.corrections import PostgresCorrections
from cli.door import Door, wait_for
from cli.output import As, AsJson, Exit, Reason, leave, money, print_json, print_table, say
from models.close import DecisionKind
from models.correction import (
    Cause,
    CorrectionRequest,
    CorrectionStep,
    CorrectionView,
    LineCredit,
    Settlement,
)
from models.refusal import Refusal
from models.reports import InvoiceView
from models.usage import UsageLine
from models.value import decimal_text
from runtime.correction_desk import CorrectionDesk, view_of
from runtime.desk import token_of

app = typer.Typer(
    no_args_is_help=True, help="Corrections of issued invoices, proposed by one person, approved by another."
)

Id = Annotated[str, typer.Argument(help="The correction's id, as `correction list` prints it.")]
Credits = Annotated[
    list[str] | None,
    typer.Option("--credit", help="By hand: LINE=AMOUNT, without tax, taken off a line; may be repeated."),
]
Settle = Annotated[Settlement, typer.Option("--settle", help="How the difference reaches the customer.")]
WAITING = frozenset({CorrectionStep.PROPOSED, CorrectionStep.APPROVED, CorrectionStep.SETTLED})


class NoIssuedInvoice(Refusal):
    """Only an issued invoice is corrected."""

    remedy = "See a month's invoices: tieout invoice show MONTH. Before it is issued, reject the statement instead."


@app.command()
def propose(
    month: Annotated[str, typer.Argument(help="The invoice's month, such as 2026-10.")],
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    cause: Annotated[Cause, typer.Option(help="Why. The first three rate the month again; the others take --credit.")],
    settle: Settle,
    reason: Reason,
    credit: Credits = None,
    usage: Annotated[Path | None, typer.Option(help="What came late: CSV, JSON lines or Parquet.")] = None,
    rate_change: Annotated[str | None, typer.Option(help="The rate proposal that needs this correction.")] = None,
    person: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose a correction and have it worked out. Exit code 3: it waits for another person."""
    request = CorrectionRequest(
        invoice=issued(Door(), month, customer).invoice.reference,
        cause=cause,
        settlement=settle,
        reason=reason,
        rate_change=rate_change,
        credits=tuple(credit_of(one) for one in credit or ()),
        usage=_late(usage, customer) if usage is not None else (),
    )
    propose_request(request, customer, month, person, as_json)


@app.command()
def show(correction: Id, as_json: AsJson = False) -> None:
    """Explain a correction: each original line, why, what it was and what it is, the tax, and every step taken."""
    view = _desk_view(Door(), correction)
    if as_json:
        print_json(_plain(view))
    else:
        print_correction(view)
    if view.step in WAITING:
        leave(Exit.WAITING)


@app.command()
def approve(correction: Id, reason: Reason = "", person: As = None, as_json: AsJson = False) -> None:
    """Approve a correction exactly as it is shown; never its proposer, and a material one only as the controller."""
    _decide(DecisionKind.APPROVE_CORRECTION, correction, reason, person, as_json)


@app.command()
def reject(correction: Id, reason: Reason, person: As = None, as_json: AsJson = False) -> None:
    """Reject a correction; or give one up that the platform refuses, before anything is settled."""
    _decide(DecisionKind.REJECT_CORRECTION, correction, reason, person, as_json)


@app.command()
def retry(correction: Id, reason: Reason = "", person: As = None, as_json: AsJson = False) -> None:
    """Try again to settle or post a correction that was refused."""
    _decide(DecisionKind.RETRY, correction, reason, person, as_json)


@app.command("list")
def list_(
    month: Annotated[str | None, typer.Option(help="Of invoices of this month.")] = None,
    customer: Annotated[str | None, typer.Option(help="One customer.")] = None,
    as_json: AsJson = False,
) -> None:
    """List corrections. Exit code 3 while any waits."""
    views = PostgresCorrections(Door().console).listed(month, customer)
    if as_json:
        print_json([_plain(view) for view in views])
    else:
        print_table(
            f"{len(views)} corrections",
            ("id", "invoice", "cause", "settle", "net", "tax", "total", "material", "step", "proposed by"),
            [_row(view) for view in views],
            right=("net", "tax", "total"),
        )
    if any(view.step in WAITING for view in views):
        leave(Exit.WAITING)


def propose_request(request: CorrectionRequest, customer: str, month: str, person: str | None, as_json: bool) -> None:
    """Propose a request as a person and print what it comes to; leaves with the exit code of waiting."""
    door = Door()
    token = token_of(door.config, person)

    async def work() -> CorrectionView | None:
        _, view = await (await _desk(door)).propose(token, request, customer, month)
        return view

    view = wait_for(work)
    if view is None:
        say(f"{request.id}: written; no worker answers, it is worked out when one is back")
    elif as_json:
        print_json(_plain(view))
    else:
        print_correction(view)
        say(f"It waits for {'the controller' if view.correction.materiality.material else 'another person'}.")
    leave(Exit.WAITING)


def issued(door: Door, month: str, customer: str) -> InvoiceView:
    """Return the customer's issued invoice of a month that stands: not one that was taken back and billed again.

    Raises:
        NoIssuedInvoice: there is none.
    """
    found = [view for view in door.books.invoices(month, customer) if view.issued is not None]
    if not found:
        raise NoIssuedInvoice("no issued invoice of this customer and month", customer=customer, month=month)
    return max(found, key=lambda view: view.revision)


def print_correction(view: CorrectionView) -> None:
    """Print a correction for people."""
    one = view.correction
    print_table(
        f"Correction {one.id} of {one.request.invoice}: {one.request.cause.value}, by {one.request.settlement.value}",
        ("original line", "what", "was", "is", "difference", "why"),
        [
            (
                ", ".join(line.originals) or "not billed before",
                " ".join((line.kind.value, line.name, *line.dimensions.values())),
                money(line.before, one.currency),
                money(line.after, one.currency),
                money(line.delta, one.currency),
                line.why,
            )
            for line in one.lines
        ],
        right=("was", "is", "difference"),
    )
    say(f"tax {money(one.tax_before, one.currency)}, then {money(one.tax_after, one.currency)}")
    say(f"total difference {money(one.total, one.currency)}")
    weight = one.materiality
    say(
        f"{'material' if weight.material else 'not material'}: {money(weight.amount, one.currency)} beside "
        f"{money(weight.threshold, one.currency)}, the greater of {decimal_text(weight.absolute)} and "
        f"{decimal_text(weight.ratio * 100)} % of {money(weight.revenue, one.currency)} revenue"
    )
    say(f"proposed by {one.proposed_by}: {one.request.reason}")
    for step in view.steps:
        held = " ".join(f"{name} {text}" for name, text in step.references.items())
        say(" ".join(part for part in (step.step.value, step.person or "", step.detail, held) if part))


def _decide(kind: DecisionKind, correction: str, reason: str, person: str | None, as_json: bool) -> None:
    door = Door()
    token = token_of(door.config, person)

    async def work() -> str:
        desk = await _desk(door)
        verdict = await desk.decide(kind, token, correction, reason)
        if verdict is None:
            return "recorded; no worker answers, it is judged when one is back"
        if kind is DecisionKind.REJECT_CORRECTION:
            await desk.ended(correction)
        return f"taken of {verdict.person}"

    said = wait_for(work)
    view = _desk_view(door, correction)
    if as_json:
        print_json({"correction": correction, "kind": kind, "outcome": said, "step": view.step})
    else:
        say(f"{correction}: {kind.value} {said}")


def _desk_view(door: Door, correction: str) -> CorrectionView:
    return view_of(PostgresCorrections(door.console), correction)


async def _desk(door: Door) -> CorrectionDesk:
    return CorrectionDesk(await door.desk(), PostgresCorrections(door.console), await door.client())


def credit_of(text: str) -> LineCredit:
    """Return LINE=AMOUNT as a credit."""
    line, _, amount = text.rpartition("=")
    try:
        return LineCredit(line=line, amount=Decimal(amount))
    except InvalidOperation:
        raise typer.BadParameter(f"expected LINE=AMOUNT, got {text!r}", param_hint="--credit") from None


def _late(path: Path, customer: str) -> tuple[UsageLine, ...]:
    """Return the events of a file as usage lines, each at its own instant, so that none lies over a cut."""
    return tuple(
        UsageLine(
            meter=event.meter,
            dimensions=event.dimensions,
            starts_at=event.timestamp,
            ends_at=event.timestamp + timedelta(microseconds=1),
            quantity=event.quantity,
            events=1,
            source=f"late:{event.id}",
        )
        for event in read_usage(path)
        if event.customer == customer
    )


def _row(view: CorrectionView) -> tuple[str, ...]:
    one = view.correction
    return (
        one.id,
        one.request.invoice,
        one.request.cause.value,
        one.request.settlement.value,
        money(one.net, one.currency),
        money(one.tax, one.currency),
        money(one.total, one.currency),
        "yes" if one.materiality.material else "no",
        view.step.value,
        one.proposed_by,
    )


def _plain(view: CorrectionView) -> dict[str, object]:
    one = view.correction
    return {
        **one.model_dump(mode="json"),
        "net": one.net,
        "tax": one.tax,
        "total": one.total,
        "material": one.materiality.material,
        "fingerprint": one.fingerprint(),
        "step": view.step,
        "steps": view.steps,
    }
