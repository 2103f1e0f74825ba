"""A customer's close: its statement with every line's explanation, its pools and sources, and what is decided on it."""

from http import HTTPStatus
from typing import Annotated

from anyio import from_thread
from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from billing.statement_changes import changes
from models.close import DecisionKind, Role, Standing, State
from models.visitor import Visitor
from runtime.attempts import Attempt
from runtime.desk import DecisionNotTaken
from runtime.sign_in import link_to, new_id, new_token
from web.console.reading import Key, Month, Reason, Revision, back, console_of, new_key, reach
from web.face import face_of
from web.problem import not_found
from web.sessions import VIEW_AS_LASTS, SignedIn, having, token_in, visitor
from web.tables import download

router = APIRouter()
Customer = Annotated[str, Path(max_length=200)]
Finance = Annotated[Visitor, Depends(having(Role.PREPARER, Role.APPROVER, Role.CONTROLLER, Role.ENGINEER))]
LINE_COLUMNS = (
    "line", "kind", "description", "meter", "model", "clause", "from", "until", "quantity", "unit", "amount",
    "currency", "explanation",
)  # fmt: skip
ON_STATEMENT = frozenset({DecisionKind.APPROVE, DecisionKind.REJECT})
ON_STAGE = frozenset({DecisionKind.RETRY, DecisionKind.CORRECT, DecisionKind.SKIP})


@router.get("/close/{month}/customers/{customer}")
def customer_close(
    request: Request, person: SignedIn, month: Month, customer: Customer, revision: Revision = 1
) -> Response:
    """Show a customer's close."""
    console, standing = console_of(request), _standing(request, month, revision, customer)
    statement = console.books.statement(standing.references.get("statement", ""))
    return face_of(request).page(
        request,
        "console/customer.html",
        visitor=person,
        month=month,
        revision=revision,
        standing=standing,
        statement=statement,
        prior=console.prior(statement) if statement else None,
        findings=console.books.exceptions(month, revision, customer, answered_too=True),
        decisions=console.decisions(month, revision, customer),
        link=console.links.customer(month, revision, customer),
        may={role.value for role in person.person.roles},
        key=new_key(),
        attempt=_attempt(request, standing),
        **reach(request, [standing]),
    )


@router.get("/close/{month}/customers/{customer}/lines.csv", dependencies=[Depends(visitor)])
def lines_csv(request: Request, month: Month, customer: Customer, revision: Revision = 1) -> Response:
    """Return the lines of a customer's statement as they are shown."""
    standing = _standing(request, month, revision, customer)
    statement = console_of(request).books.statement(standing.references.get("statement", ""))
    rows = [
        (
            line.id, line.kind.value, line.description, line.meter, line.dimensions.get("model"), line.clause,
            line.service_from.isoformat(), line.service_until.isoformat(), line.billed_quantity, line.unit,
            line.amount, statement.currency, line.explanation.sentence,
        )
        for line in statement.lines
    ] if statement else []  # fmt: skip
    return download(f"lines-{month}@{revision}", LINE_COLUMNS, rows)


@router.post("/close/{month}/customers/{customer}/decide")
async def decide(
    request: Request,
    person: Finance,
    month: Month,
    customer: Customer,
    kind: Annotated[DecisionKind, Form()],
    key: Key,
    fingerprint: Annotated[str, Form(pattern="^([0-9a-f]{64})?$")] = "",
    reason: Reason = "",
    revision: Revision = 1,
) -> Response:
    """Decide on the statement that was seen, or on the stage where the customer stands.

    The workflow judges: who prepared may not approve, and a statement that changed meanwhile is not approved; then
    what changed is shown.
    """
    standing = _standing(request, month, revision, customer)
    if kind in ON_STATEMENT and fingerprint:
        subject = fingerprint
    elif kind in ON_STAGE:
        subject = standing.stage.value
    else:
        raise not_found()
    try:
        await console_of(request).decide(token_in(request), kind, month, revision, customer, subject, reason, key)
    except DecisionNotTaken as refused:
        changed = _changed(request, person, month, revision, customer, fingerprint, refused)
        if changed is None:
            raise
        return changed
    return RedirectResponse(back(month, revision, f"/customers/{customer}"), 303)


@router.post("/customers/{customer}/view")
def view_as(request: Request, _person: Finance, customer: Customer) -> Response:
    """Open the pages a customer sees, to look and not to touch; that it was done is logged."""
    face, portal = face_of(request), request.app.state.portal_url
    now, token = face.clock.now(), new_token()
    if portal is None or not face.sessions.view_as(
        token_in(request), customer, new_id(), token, now, now + VIEW_AS_LASTS
    ):
        raise not_found()
    return RedirectResponse(link_to(portal, token), 303)


def _changed(
    request: Request, person: Visitor, month: str, revision: int, customer: str, seen: str, refused: DecisionNotTaken
) -> Response | None:
    """Return what is another than the statement that was seen; None where that one still stands."""
    books, now = console_of(request).books, _standing(request, month, revision, customer).references.get("statement")
    before, after = (books.statement(one) if one else None for one in (seen, now))
    if seen == now or before is None or after is None:
        return None
    return face_of(request).page(
        request,
        "console/changed.html",
        HTTPStatus.CONFLICT,
        visitor=person,
        month=month,
        revision=revision,
        customer=customer,
        refused=refused,
        seen=before,
        seen_as=seen,
        now_said=after,
        now_as=now,
        lines=changes(before, after),
    )


def _attempt(request: Request, standing: Standing) -> Attempt | None:
    """Return what is tried again for a customer whose stage runs; from a page's thread."""
    if standing.state is not State.RUNNING:
        return None
    asked = (standing.month, standing.revision, standing.customer)
    return from_thread.run(console_of(request).attempt, *asked)


def _standing(request: Request, month: str, revision: int, customer: str) -> Standing:
    standing = console_of(request).standing(month, revision, customer)
    if standing is None:
        raise not_found()
    return standing
