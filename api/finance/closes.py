"""Closes: who asks, the periods and how each stands, one close and its customers, a close started by hand."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.answers import tagged, told
from api.finance.callers import Asks, AsOnce, Caller
from api.finance.shared import ACCEPTED, Decided, Month, Revision, decided
from api.once import Once
from api.pages import AsPages, Page, count_place, page_of
from api.v1 import Chosen, MonthOf, Text
from models.approval import Person, Verdict
from models.close import DecisionKind, Ending, Standing
from models.reports import CloseSummary
from models.value import Frozen

router = APIRouter(prefix="/v1")


class StandingNow(Frozen):
    """Where a customer's close stands; `ending` is null while it is under way."""

    standing: Standing
    ending: Ending | None


class StartAsked(Frozen):
    """A close to be started by hand, or a dry run of one, which issues nothing."""

    month: MonthOf
    dry_run: bool = False


class Why(Frozen):
    """Why a close is paused or resumed."""

    reason: Text


class Started(Frozen):
    """The workflow's id; its close is listed once a worker has taken it."""

    workflow: str


@router.get("/me", response_model=Person)
def me(request: Request, asks: Asks) -> Response:
    """Return whose token this is."""
    return tagged(request, asks.person)


@router.get("/people", response_model=Page[Person])
def people(request: Request, asks: Asks, asked: AsPages) -> Response:
    """List who may decide, by id."""
    rows, following = page_of(asks.console.books.people(), lambda one: (one.id,), asked)
    return tagged(request, Page[Person](items=rows, next=following))


@router.get("/closes", response_model=Page[CloseSummary])
def closes(request: Request, asks: Asks, asked: AsPages) -> Response:
    """List the closes, newest first; dry runs are not among them."""
    rows, following = page_of(
        asks.console.closes(), lambda one: (one.month, count_place(one.revision)), asked, newest_first=True
    )
    return tagged(request, Page[CloseSummary](items=rows, next=following))


@router.post("/closes", response_model=Started, status_code=HTTPStatus.ACCEPTED)
async def start(asks: Asks, once: AsOnce, asked: StartAsked) -> Response:
    """Start a close; who starts it prepares it, and does not approve it."""

    async def act() -> Response:
        started = await asks.console.start(asks.token, asked.month, asked.dry_run)
        return told(Started(workflow=started), HTTPStatus.ACCEPTED)

    return await once.answered(act)


@router.get("/closes/{month}", response_model=CloseSummary)
def close(request: Request, asks: Asks, month: Month, revision: Revision = 1) -> Response:
    """Return a close."""
    return tagged(request, asks.known(month, revision))


@router.post("/closes/{month}/pause", response_model=Decided, responses=ACCEPTED)
async def pause(asks: Asks, once: AsOnce, month: Month, asked: Why, revision: Revision = 1) -> Response:
    """Pause a close: no stage of any customer begins until it is resumed."""
    return await _pause_or_resume(asks, once, DecisionKind.PAUSE, month, revision, asked.reason)


@router.post("/closes/{month}/resume", response_model=Decided, responses=ACCEPTED)
async def resume(asks: Asks, once: AsOnce, month: Month, asked: Why, revision: Revision = 1) -> Response:
    """Resume a paused close: everybody goes on from where they stand."""
    return await _pause_or_resume(asks, once, DecisionKind.RESUME, month, revision, asked.reason)


async def _pause_or_resume(
    asks: Caller, once: Once, kind: DecisionKind, month: str, revision: int, reason: str
) -> Response:
    asks.may(kind)

    async def act() -> Verdict | None:
        asks.known(month, revision)
        return await asks.console.pause_or_resume(asks.token, kind, month, revision, reason, once.id)

    return await decided(once, act)


@router.get("/closes/{month}/customers", response_model=Page[StandingNow])
def standings(
    request: Request,
    asks: Asks,
    asked: AsPages,
    month: Month,
    revision: Revision = 1,
    stage: Chosen = None,
    state: Chosen = None,
) -> Response:
    """List where each customer's close stands, by customer."""
    asks.known(month, revision)
    found = [
        one
        for one in asks.console.books.standings(month, revision)
        if stage in (None, one.stage.value) and state in (None, one.state.value)
    ]
    rows, following = page_of(found, lambda one: (one.customer,), asked)
    return tagged(request, Page[StandingNow](items=tuple(map(now_of, rows)), next=following))


def now_of(standing: Standing) -> StandingNow:
    """Return a standing with how it ended."""
    return StandingNow(standing=standing, ending=standing.ending)
