"""Customers: one customer's close, its statement line by line, and what is decided on it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from pydantic import StringConstraints

from api.answers import tagged
from api.explained import ExplainedLine, lines_of
from api.finance.callers import Asks, AsOnce, Caller
from api.finance.closes import StandingNow, now_of
from api.finance.shared import ACCEPTED, Customer, Decided, Month, Revision, decided
from api.pages import AsPages, Page, at_place, count_place, page_of
from api.refused import not_found
from api.v1 import Text
from models.approval import Decision, Verdict
from models.close import DecisionKind, Standing
from models.statement import Statement
from models.value import Frozen

router = APIRouter(prefix="/v1")
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[Sha256, Path()]


class CloseOfCustomer(Frozen):
    """A customer's close: where it stands, and the fingerprint of the statement that is approved or rejected by it."""

    now: StandingNow
    fingerprint: str | None
    prior_fingerprint: str | None
    statement: Statement | None


class DecisionShown(Frozen):
    """A decision, and the workflow's verdict; null: it was not judged yet."""

    decision: Decision
    verdict: Verdict | None


class OnStatement(Frozen):
    """A decision on the statement that was seen, by its fingerprint; one that changed since is not approved."""

    kind: Literal["approve", "reject"]
    fingerprint: Sha256
    reason: Text = ""


class OnStage(Frozen):
    """A decision on the stage where the customer stands."""

    kind: Literal["retry", "correct", "skip"]
    reason: Text = ""


Asked = Annotated[OnStatement | OnStage, Body(discriminator="kind")]


@router.get("/closes/{month}/customers/{customer}", response_model=CloseOfCustomer)
def customer_close(request: Request, asks: Asks, month: Month, customer: Customer, revision: Revision = 1) -> Response:
    """Return a customer's close."""
    standing = _standing(asks, month, revision, customer)
    fingerprint = standing.references.get("statement")
    statement = asks.console.books.statement(fingerprint) if fingerprint else None
    prior = asks.console.prior(statement) if statement else None
    return tagged(
        request,
        CloseOfCustomer(
            now=now_of(standing),
            fingerprint=fingerprint if statement else None,
            prior_fingerprint=prior.fingerprint() if prior else None,
            statement=statement,
        ),
    )


@router.get("/closes/{month}/customers/{customer}/decisions", response_model=Page[DecisionShown])
def decisions(
    request: Request, asks: Asks, asked: AsPages, month: Month, customer: Customer, revision: Revision = 1
) -> Response:
    """List what was decided about a customer's close, newest first."""
    _standing(asks, month, revision, customer)
    found = asks.console.decisions(month, revision, customer)
    rows, following = page_of(found, lambda one: (at_place(one[0].recorded_at), one[0].id), asked, newest_first=True)
    shown = tuple(DecisionShown(decision=one, verdict=verdict) for one, verdict in rows)
    return tagged(request, Page[DecisionShown](items=shown, next=following))


@router.post("/closes/{month}/customers/{customer}/decisions", response_model=Decided, responses=ACCEPTED)
async def decide(
    asks: Asks, once: AsOnce, month: Month, customer: Customer, asked: Asked, revision: Revision = 1
) -> Response:
    """Decide about a customer's close. The workflow judges: who prepared may not approve."""
    kind = DecisionKind(asked.kind)
    asks.may(kind)

    async def act() -> Verdict | None:
        standing = _standing(asks, month, revision, customer)
        subject = asked.fingerprint if isinstance(asked, OnStatement) else standing.stage.value
        return await asks.console.decide(asks.token, kind, month, revision, customer, subject, asked.reason, once.id)

    return await decided(once, act)


@router.get("/statements/{fingerprint}", response_model=Statement)
def statement(request: Request, asks: Asks, fingerprint: Fingerprint) -> Response:
    """Return a statement: its fingerprint is that of what is returned."""
    return tagged(request, _statement(asks, fingerprint))


@router.get("/statements/{fingerprint}/lines", response_model=Page[ExplainedLine])
def lines(request: Request, asks: Asks, asked: AsPages, fingerprint: Fingerprint) -> Response:
    """List a statement's lines, each with its explanation, in their order."""
    rows, following = page_of(lines_of(_statement(asks, fingerprint)), lambda one: (count_place(one.number),), asked)
    return tagged(request, Page[ExplainedLine](items=rows, next=following))


def _statement(asks: Caller, fingerprint: str) -> Statement:
    found = asks.console.books.statement(fingerprint)
    if found is None:
        raise not_found()
    return found


def _standing(asks: Caller, month: str, revision: int, customer: str) -> Standing:
    found = asks.console.standing(month, revision, customer)
    if found is None:
        raise not_found()
    return found
