"""Closes: the periods, how each stands, one close with its stages and customers; started and locked from here."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from anyio import from_thread
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from billing.approval import STARTERS
from models.close import DecisionKind, Stage, Standing, State
from models.visitor import Visitor
from web.console.reading import (
    PERIOD,
    Key,
    Month,
    Name,
    Reason,
    Revision,
    back,
    console_of,
    known,
    new_key,
    reach,
)  # fmt: skip
from web.face import face_of
from web.live import live
from web.problem import not_found
from web.sessions import SignedIn, having, token_in, visitor
from web.tables import download

router = APIRouter()
ENDED = (State.DONE, State.SKIPPED)
TAKEN_WITHIN_SECONDS = 5.0
LIST = "console/closes_list.html"
ONE = "console/close_live.html"
Starter = Annotated[Visitor, Depends(having(*sorted(STARTERS)))]
CLOSES = (
    "month", "revision", "opened_at", "started_by", "customers", "invoices", "currency", "invoiced", "ended_at",
    "locked_at", "paused", "evidence",
)  # fmt: skip
COLUMNS = ("customer", "stage", "state", "total", "currency", "ending", "statement", "detail", "since")


@router.get("/close")
def closes(request: Request, person: SignedIn) -> Response:
    """Show the periods."""
    next_at, zone = from_thread.run(console_of(request).next_close), console_of(request).zone
    return face_of(request).page(
        request, "console/closes.html", visitor=person, next_at=next_at, zone=zone, **_list(request)
    )


@router.get("/close.csv", dependencies=[Depends(visitor)])
def closes_csv(request: Request) -> Response:
    """Return the periods as they are shown, one row for each currency invoiced."""
    rows = [
        (
            one.month, one.revision, one.opened_at.isoformat(), " ".join(one.starters), one.customers, one.invoices,
            currency, amount, one.ended_at.isoformat() if one.ended_at else None,
            one.locked_at.isoformat() if one.locked_at else None, one.paused, one.root,
        )
        for one in console_of(request).closes()
        for currency, amount in (one.invoiced.items() or ((None, None),))
    ]  # fmt: skip
    return download("closes", CLOSES, rows)


@router.get("/live/close", dependencies=[Depends(visitor)])
async def closes_live(request: Request) -> Response:
    """Send the list again whenever it changes."""

    def read() -> str:
        visitor(request)  # who was signed out sees nothing more
        return face_of(request).fragment(LIST, **_list(request))

    return live(request, read)


@router.post("/close")
async def start(
    request: Request,
    _person: Starter,
    month: Annotated[str, Form(pattern=PERIOD)],
    dry_run: Annotated[bool, Form()] = False,
) -> Response:
    """Start a close by hand, or a dry run of one, and go to it; to the live list where no worker has taken it yet."""
    console = console_of(request)
    started = await console.start(token_in(request), month, dry_run)
    revision = int(started.partition("@")[2] or 1)
    until = time.monotonic() + TAKEN_WITHIN_SECONDS
    while console.close(month, revision) is None:
        if time.monotonic() > until:
            return RedirectResponse("/close", 303)
        await asyncio.sleep(0.1)
    return RedirectResponse(back(month, revision), 303)


@router.get("/close/{month}")
def close(
    request: Request,
    person: SignedIn,
    month: Month,
    revision: Revision = 1,
    stage: Name = None,
    state: Name = None,
) -> Response:
    """Show a close: its stages, and where each customer stands."""
    context = _of(request, month, revision, stage, state)
    may = bool(STARTERS & set(person.person.roles))
    return face_of(request).page(request, "console/close.html", visitor=person, may=may, key=new_key(), **context)


@router.post("/close/{month}/pause")
async def pause(
    request: Request, _person: Starter, month: Month, reason: Reason, key: Key, revision: Revision = 1
) -> Response:
    """Pause the close: no stage of any customer begins until it is resumed."""
    return await _pause_or_resume(request, DecisionKind.PAUSE, month, revision, reason, key)


@router.post("/close/{month}/resume")
async def resume(
    request: Request, _person: Starter, month: Month, reason: Reason, key: Key, revision: Revision = 1
) -> Response:
    """Resume the close: everybody goes on from where they stand."""
    return await _pause_or_resume(request, DecisionKind.RESUME, month, revision, reason, key)


async def _pause_or_resume(
    request: Request, kind: DecisionKind, month: str, revision: int, reason: str, key: UUID
) -> Response:
    known(request, month, revision)
    await console_of(request).pause_or_resume(token_in(request), kind, month, revision, reason, key)
    return RedirectResponse(back(month, revision), 303)


@router.get("/live/close/{month}", dependencies=[Depends(visitor)])
def close_live(
    request: Request, month: Month, revision: Revision = 1, stage: Name = None, state: Name = None
) -> Response:
    """Send a close again whenever something of it moves."""
    known(request, month, revision)

    def read() -> str:
        visitor(request)
        return face_of(request).fragment(ONE, **_of(request, month, revision, stage, state))

    return live(request, read)


@router.get("/close/{month}/customers.csv", dependencies=[Depends(visitor)])
def customers_csv(
    request: Request, month: Month, revision: Revision = 1, stage: Name = None, state: Name = None
) -> Response:
    """Return the customers of a close as they are shown."""
    known(request, month, revision)
    rows = _shown(console_of(request).books.standings(month, revision), stage, state)
    return download(f"close-{month}@{revision}", COLUMNS, [_cells(one) for one in rows])


def _list(request: Request) -> dict[str, Any]:
    console = console_of(request)
    closes = console.closes()
    newest = console.books.standings(closes[0].month, closes[0].revision) if closes else ()
    return {"closes": closes, **reach(request, newest)}


def _of(request: Request, month: str, revision: int, stage: str | None, state: str | None) -> dict[str, Any]:
    console = console_of(request)
    summary = console.close(month, revision)
    if summary is None:
        raise not_found()
    standings = console.books.standings(month, revision)
    open_findings = console.books.exceptions(month, revision)
    sealed = console.progress.sealed(month, revision)
    return {
        "close": summary,
        "month": month,
        "revision": revision,
        "stages": _stages(standings),
        "standings": _shown(standings, stage, state),
        "customers": len(standings),
        "ended": len([one for one in standings if one.state in ENDED]),
        "approvals": len([one for one in standings if (one.stage, one.state) == (Stage.APPROVE, State.WAITING)]),
        "states": [one.value for one in State],
        "parked": len([one for one in standings if one.state in (State.NEEDS_ATTENTION, State.REJECTED)]),
        "open_findings": open_findings,
        "at_risk": console.at_risk(open_findings),
        "links": console.links,
        "sealed": sealed,
        "totals": console.progress.totals(month, revision),
        "happened": console.progress.happened(month, revision, sealed, standings),
        **reach(request, standings),
        "filters": {"stage": stage, "state": state},
    }


def _stages(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """Return the eight stages in order, each with how many are past it, in it, and how those stand."""
    order = list(Stage)
    places = [order.index(one.stage) for one in standings]
    rail = []
    for at, stage in enumerate(order):
        not_past = [one for one in standings if order.index(one.stage) <= at]
        here = [one for one in standings if one.stage is stage]
        done = [one for one in here if one.state is State.DONE]
        rail.append(
            {
                "name": stage.value,
                "past": len([place for place in places if place > at]) + len(done),
                "through": bool(standings) and all(one.state in ENDED for one in not_past),
                "states": Counter(one.state.value for one in here if one.state is not State.DONE),
            }
        )
    return rail


def _shown(standings: Sequence[Standing], stage: str | None, state: str | None) -> list[Standing]:
    return [one for one in standings if stage in (None, "", one.stage.value) and state in (None, "", one.state.value)]


def _cells(one: Standing) -> tuple[object, ...]:
    references = one.references
    return (
        one.customer,
        one.stage.value,
        one.state.value,
        references.get("total", ""),
        references.get("currency", ""),
        one.ending.value if one.ending else "",
        references.get("statement", ""),
        one.detail,
        one.at.isoformat(),
    )
