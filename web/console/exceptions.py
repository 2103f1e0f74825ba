"""Exceptions: what needs a person. Each with its facts and its answers; many of one kind at once."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from models.close import Role, State
from models.reconciliation import Answer, Cause
from models.reports import OpenFinding
from models.visitor import Visitor
from web.console.reading import Month, Name, Reason, Revision, back, console_of, known, reach
from web.face import face_of
from web.sessions import SignedIn, having, token_in, visitor
from web.tables import download

router = APIRouter()
Resolver = Annotated[Visitor, Depends(having(Role.PREPARER, Role.CONTROLLER))]
Id = Annotated[str, Form(max_length=500)]
COLUMNS = (
    "customer", "severity", "cause", "source", "against", "meter", "from", "until", "quantity", "against_quantity",
    "at_risk", "currency", "owner", "first_seen", "evidence", "suggestion", "answered", "by", "finding",
)  # fmt: skip


@router.get("/close/{month}/exceptions")
def exceptions(
    request: Request,
    person: SignedIn,
    month: Month,
    revision: Revision = 1,
    cause: Name = None,
    customer: Name = None,
    everything: bool = False,
) -> Response:
    """Show the queue."""
    known(request, month, revision)
    console = console_of(request)
    found = _shown(request, month, revision, cause, customer, everything)
    standings = console.books.standings(month, revision)
    parked = [one for one in standings if one.state in (State.NEEDS_ATTENTION, State.REJECTED)]
    held = [one for one in found if one.holds]
    return face_of(request).page(
        request,
        "console/exceptions.html",
        visitor=person,
        month=month,
        revision=revision,
        findings=found,
        held=held,
        parked=parked,
        at_risk=console.at_risk(found),
        causes=sorted({one.finding.cause.value for one in console.books.exceptions(month, revision)}),
        owners=[one for one in console.books.people() if {Role.PREPARER, Role.CONTROLLER} & set(one.roles)],
        filters={"cause": cause, "customer": customer, "everything": everything},
        age=lambda one: age_text(one.age(console.now())),
        **reach(request, standings),
    )


@router.get("/close/{month}/exceptions.csv", dependencies=[Depends(visitor)])
def exceptions_csv(
    request: Request,
    month: Month,
    revision: Revision = 1,
    cause: Name = None,
    customer: Name = None,
    everything: bool = False,
) -> Response:
    """Return the queue as it is shown."""
    known(request, month, revision)
    rows = [_cells(one) for one in _shown(request, month, revision, cause, customer, everything)]
    return download(f"exceptions-{month}@{revision}", COLUMNS, rows)


@router.post("/close/{month}/exceptions/resolve")
async def resolve(
    request: Request,
    _person: Resolver,
    month: Month,
    finding: Id,
    answer: Annotated[Answer, Form()],
    reason: Reason,
    source: Annotated[str, Form(max_length=100)] = "",
    quantity: Annotated[str, Form(max_length=50)] = "",
    evidence: Annotated[str, Form(max_length=500)] = "",
    revision: Revision = 1,
) -> Response:
    """Answer one finding."""
    known(request, month, revision)
    payload = {"answer": answer.value}
    if answer is Answer.ACCEPT:
        payload |= {"source": source}
    if answer is Answer.CORRECT:
        payload |= {"quantity": quantity, "evidence": evidence}
    desk = await console_of(request).findings()
    await desk.resolve(token_in(request), month, revision, finding, payload, reason)
    return RedirectResponse(back(month, revision, "/exceptions"), 303)


@router.post("/close/{month}/exceptions/bulk")
async def resolve_kind(
    request: Request,
    person: SignedIn,
    _resolver: Resolver,
    month: Month,
    cause: Annotated[Cause, Form()],
    finding: Annotated[list[str], Form()],
    answer: Annotated[Answer, Form()],
    reason: Reason,
    revision: Revision = 1,
) -> Response:
    """Answer findings of one cause by one decision, and say which dropped out and why."""
    known(request, month, revision)
    fanned = await console_of(request).resolve_kind(
        token_in(request), month, revision, cause, finding, answer.value, reason
    )
    return face_of(request).page(
        request,
        "console/fanned.html",
        visitor=person,
        month=month,
        revision=revision,
        cause=cause.value,
        fanned=fanned,
        to=back(month, revision, "/exceptions"),
    )


@router.post("/close/{month}/exceptions/assign")
async def assign(
    request: Request,
    _person: Resolver,
    month: Month,
    finding: Id,
    owner: Annotated[str, Form(max_length=100)],
    reason: Reason = "",
    revision: Revision = 1,
) -> Response:
    """Give a finding to an owner."""
    known(request, month, revision)
    desk = await console_of(request).findings()
    await desk.assign(token_in(request), month, revision, finding, owner, reason or "assigned from the queue")
    return RedirectResponse(back(month, revision, "/exceptions"), 303)


@router.post("/close/{month}/exceptions/reverse")
async def reverse(
    request: Request, _person: Resolver, month: Month, finding: Id, reason: Reason, revision: Revision = 1
) -> Response:
    """Take a resolution back, until the invoice is issued."""
    known(request, month, revision)
    desk = await console_of(request).findings()
    await desk.reverse(token_in(request), month, revision, finding, reason)
    return RedirectResponse(back(month, revision, "/exceptions"), 303)


def age_text(age: timedelta) -> str:
    """Return an age in words: whole days, or hours inside the first day."""
    return f"{age.days} d" if age.days else f"{age.seconds // 3600} h"


def _shown(
    request: Request, month: str, revision: int, cause: str | None, customer: str | None, everything: bool
) -> list[OpenFinding]:
    found = console_of(request).books.exceptions(month, revision, customer or None, answered_too=everything)
    return [one for one in found if not cause or one.finding.cause.value == cause]


def _cells(one: OpenFinding) -> tuple[object, ...]:
    finding, risk, answer = one.finding, one.at_risk, one.resolution
    return (
        finding.customer,
        finding.severity.value,
        finding.cause.value,
        finding.source,
        finding.against,
        finding.meter,
        finding.starts_at.isoformat(),
        finding.ends_at.isoformat(),
        finding.quantity,
        finding.against_quantity,
        risk.amount if risk else None,
        risk.currency if risk else None,
        one.owner,
        one.first_seen.isoformat(),
        finding.evidence,
        finding.suggestion,
        answer.answer.value if answer else None,
        answer.person if answer else None,
        finding.id,
    )
