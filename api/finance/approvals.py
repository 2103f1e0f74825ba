"""Approvals: the statements that wait for a signature, why they differ from the month before, and the list signed."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints

from api.answers import tagged, told
from api.finance.callers import Asks, AsOnce
from api.finance.shared import Month, Revision
from api.pages import AsPages, Page, page_of
from api.v1 import Text
from models.close import DecisionKind, Standing
from models.flux import FluxRow
from models.money import Currency
from models.reports import Sampled, TermChanges
from models.value import Exact, Frozen
from runtime.console import Waiting

router = APIRouter(prefix="/v1")


class WaitingShown(Frozen):
    """A statement that waits for its approval; one with open findings is in no list that is signed."""

    standing: Standing
    fingerprint: str
    total: Exact
    currency: Currency
    prior_total: Exact | None
    prior_currency: Currency | None
    change: Exact | None
    open_findings: int


class SampleShown(Frozen):
    """Ten statements at most: in turn the next largest, the next new one and the next most changed."""

    items: tuple[Sampled, ...]


class ListToSign(Frozen):
    """The statements without open findings, as they would be signed at once, and the fingerprint of that list."""

    list_fingerprint: str
    customers: tuple[str, ...]
    statements: tuple[str, ...]


class SignList(Frozen):
    """A list that was seen, by its fingerprint."""

    list_fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    reason: Text = ""


class ListSigned(Frozen):
    """Why each statement that was not approved was not, by customer; none: all were."""

    refused: dict[str, str]


@router.get("/closes/{month}/approvals", response_model=Page[WaitingShown])
def approvals(request: Request, asks: Asks, asked: AsPages, month: Month, revision: Revision = 1) -> Response:
    """List the statements that wait for their approval, by customer."""
    asks.known(month, revision)
    found = asks.console.approval(month, revision).waiting
    rows, following = page_of(found, lambda one: (one.standing.customer,), asked)
    return tagged(request, Page[WaitingShown](items=tuple(map(_shown, rows)), next=following))


@router.get("/closes/{month}/approvals/list", response_model=ListToSign)
def to_sign(request: Request, asks: Asks, month: Month, revision: Revision = 1) -> Response:
    """Return the list that may be signed at once."""
    asks.known(month, revision)
    clean = asks.console.approval(month, revision).clean
    return tagged(
        request,
        ListToSign(
            list_fingerprint=asks.console.list_fingerprint(clean),
            customers=tuple(one.standing.customer for one in clean),
            statements=tuple(one.standing.references["statement"] for one in clean),
        ),
    )


@router.post("/closes/{month}/approvals/list", response_model=ListSigned)
async def sign(asks: Asks, once: AsOnce, month: Month, asked: SignList, revision: Revision = 1) -> Response:
    """Sign the list that was seen; where it changed since, nothing is signed."""
    asks.may(DecisionKind.APPROVE)

    async def act() -> Response:
        asks.known(month, revision)
        refused = await asks.console.approve_list(
            asks.token, month, revision, asked.list_fingerprint, asked.reason, once.id
        )
        return told(ListSigned(refused=dict(refused)))

    return await once.answered(act)


@router.get("/closes/{month}/flux", response_model=Page[FluxRow])
def flux(request: Request, asks: Asks, asked: AsPages, month: Month, revision: Revision = 1) -> Response:
    """List why each customer's product came to another amount than in the month before."""
    asks.known(month, revision)
    rows, following = page_of(
        asks.console.flux(month, revision).rows, lambda one: (one.customer, one.product, one.currency), asked
    )
    return tagged(request, Page[FluxRow](items=rows, next=following))


@router.get("/closes/{month}/approvals/sample", response_model=SampleShown)
def sampled(request: Request, asks: Asks, month: Month, revision: Revision = 1) -> Response:
    """Return the statements that a reviewer looks into before the list is signed, and why each."""
    asks.known(month, revision)
    return tagged(request, SampleShown(items=asks.console.approval(month, revision).sample))


@router.get("/closes/{month}/term-changes", response_model=TermChanges)
def term_changes(request: Request, asks: Asks, month: Month, revision: Revision = 1) -> Response:
    """Return the contracts and rates that came since the close of the month before began, the newest 500."""
    asks.known(month, revision)
    return tagged(request, asks.console.term_changes.since_last_close(month, 500))


def _shown(one: Waiting) -> WaitingShown:
    return WaitingShown(
        standing=one.standing,
        fingerprint=one.standing.references["statement"],
        total=one.rated.total,
        currency=one.rated.currency,
        prior_total=one.rated.prior_total,
        prior_currency=one.rated.prior_currency,
        change=one.rated.change,
        open_findings=one.open_findings,
    )
