"""Findings: what needs a person, answered one by one or a kind at once, given to owners, reversed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from api.answers import tagged, told
from api.finance.callers import Asks, AsOnce
from api.finance.shared import ACCEPTED, Decided, Month, Revision, decided
from api.pages import AsPages, Page, page_of
from api.v1 import Chosen, Name, Text
from models.approval import Verdict
from models.close import DecisionKind
from models.money import Currency
from models.reconciliation import Answer, Cause
from models.reports import OpenFinding
from models.value import Exact, Frozen

router = APIRouter(prefix="/v1")
FindingId = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class FindingShown(Frozen):
    """A finding with its facts, money at risk, owner and resolution; `holds`: its customer waits for an answer."""

    open: OpenFinding
    holds: bool


class AtRisk(Frozen):
    """How many findings hold somebody, and the money at risk by currency, whichever way they would go."""

    findings: int
    amounts: dict[Currency, Exact]


class Resolve(Frozen):
    """An answer to one finding: `accept` names a source, `correct` a quantity with its evidence."""

    finding: FindingId
    answer: Annotated[Answer, Field(strict=False)]
    reason: Text
    source: Name = ""
    quantity: Name = ""
    evidence: Text = ""


class ResolveKind(Frozen):
    """One answer to findings of one cause."""

    cause: Annotated[Cause, Field(strict=False)]
    findings: Annotated[list[FindingId], Field(min_length=1, max_length=1000)]
    answer: Annotated[Answer, Field(strict=False)]
    reason: Text


class Assign(Frozen):
    """Who is to answer a finding."""

    finding: FindingId
    owner: Name
    reason: Text


class Reverse(Frozen):
    """A finding whose resolution is taken back."""

    finding: FindingId
    reason: Text


class FannedOut(Frozen):
    """What became of an answer to many: taken, waiting for a worker, and why each that dropped out did."""

    decision: str
    taken: tuple[str, ...]
    waiting: tuple[str, ...]
    dropped: dict[str, str]


@router.get("/closes/{month}/findings", response_model=Page[FindingShown])
def findings(
    request: Request,
    asks: Asks,
    asked: AsPages,
    month: Month,
    revision: Revision = 1,
    cause: Chosen = None,
    customer: Chosen = None,
    everything: Annotated[bool, Query(description="also what is only recorded or was answered")] = False,
) -> Response:
    """List the findings of the reconciliations in use, by customer."""
    asks.known(month, revision)
    found = [
        one
        for one in asks.console.books.exceptions(month, revision, customer, answered_too=everything)
        if cause in (None, one.finding.cause.value)
    ]
    rows, following = page_of(found, lambda one: (one.finding.customer, one.finding.id), asked)
    shown = tuple(FindingShown(open=one, holds=one.holds) for one in rows)
    return tagged(request, Page[FindingShown](items=shown, next=following))


@router.get("/closes/{month}/findings/at-risk", response_model=AtRisk)
def at_risk(request: Request, asks: Asks, month: Month, revision: Revision = 1) -> Response:
    """Return the money at risk of the findings that hold somebody."""
    asks.known(month, revision)
    found = asks.console.books.exceptions(month, revision)
    return tagged(request, AtRisk(findings=len(found), amounts=asks.console.at_risk(found)))


@router.post("/closes/{month}/findings/resolve", response_model=Decided, responses=ACCEPTED)
async def resolve(asks: Asks, once: AsOnce, month: Month, asked: Resolve, revision: Revision = 1) -> Response:
    """Answer one finding; who answers prepares the statement that follows, and does not approve it."""
    asks.may(DecisionKind.RESOLVE)
    payload = {"answer": asked.answer.value}
    if asked.answer is Answer.ACCEPT:
        payload |= {"source": asked.source}
    if asked.answer is Answer.CORRECT:
        payload |= {"quantity": asked.quantity, "evidence": asked.evidence}

    async def act() -> Verdict | None:
        asks.known(month, revision)
        desk = await asks.console.findings()
        return await desk.resolve(asks.token, month, revision, asked.finding, payload, asked.reason, once.id)

    return await decided(once, act)


@router.post("/closes/{month}/findings/resolve-kind", response_model=FannedOut)
async def resolve_kind(asks: Asks, once: AsOnce, month: Month, asked: ResolveKind, revision: Revision = 1) -> Response:
    """Answer findings of one cause by one decision; each customer's close judges its own."""
    asks.may(DecisionKind.RESOLVE_KIND)

    async def act() -> Response:
        asks.known(month, revision)
        fanned = await asks.console.resolve_kind(
            asks.token, month, revision, asked.cause, asked.findings, asked.answer.value, asked.reason, once.id
        )
        return told(
            FannedOut(
                decision=fanned.decision, taken=fanned.taken, waiting=fanned.waiting, dropped=dict(fanned.dropped)
            )
        )

    return await once.answered(act)


@router.post("/closes/{month}/findings/assign", response_model=Decided, responses=ACCEPTED)
async def assign(asks: Asks, once: AsOnce, month: Month, asked: Assign, revision: Revision = 1) -> Response:
    """Give a finding to an owner."""
    asks.may(DecisionKind.ASSIGN)

    async def act() -> Verdict | None:
        asks.known(month, revision)
        desk = await asks.console.findings()
        return await desk.assign(asks.token, month, revision, asked.finding, asked.owner, asked.reason, once.id)

    return await decided(once, act)


@router.post("/closes/{month}/findings/reverse", response_model=Decided, responses=ACCEPTED)
async def reverse(asks: Asks, once: AsOnce, month: Month, asked: Reverse, revision: Revision = 1) -> Response:
    """Take a resolution back, until the invoice is issued."""
    asks.may(DecisionKind.REVERSE)

    async def act() -> Verdict | None:
        asks.known(month, revision)
        desk = await asks.console.findings()
        return await desk.reverse(asks.token, month, revision, asked.finding, asked.reason, once.id)

    return await decided(once, act)
