"""Alerts: what a customer wants to be told of, with the months in which they would have been told."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from billing.alerting import AlertKind, firings
from billing.pool_views import PoolView, Running
from models.reports import StatementView
from models.visitor import Alert
from runtime.sign_in import new_id
from web.face import face_of
from web.portal.reading import reader_of
from web.problem import Problem, not_found
from web.sessions import AsGuest, MayChange

router = APIRouter()
MOST = 50
HIGHEST = {
    AlertKind.TOTAL: Decimal(10) ** 12,
    AlertKind.POOL: Decimal(100),
    AlertKind.DEPLETES: Decimal(366),
    AlertKind.EXPIRES: Decimal(366),
}


@router.get("/alerts")
def alerts(request: Request, guest: AsGuest) -> Response:
    """Show the alerts in force, and what each would have told."""
    books = reader_of(request, guest)
    newest, pools = books.newest(), books.pools()
    running = _running(newest)
    rated = books.issued(newest.statement.contract) if newest else ()
    if newest and newest.draft:
        rated = (*rated, newest.statement)
    return face_of(request).page(
        request,
        "portal/alerts.html",
        visitor=guest,
        alerts=[
            (one, firings(AlertKind(one.kind), one.subject, one.threshold, rated, pools, running))
            for one in books.kept.alerts()
        ],
        newest=newest,
        watched=_watched(pools),
    )


@router.post("/alerts")
def add(
    request: Request,
    guest: MayChange,
    threshold: Annotated[str, Form(max_length=40)],
    what: Annotated[str, Form(max_length=150)] = "total/",
) -> Response:
    """Add an alert: `what` is its kind, a slash, and the name of the pool it is about; a month's total has none."""
    books, face = reader_of(request, guest), face_of(request)
    named, _, subject = what.partition("/")
    if (named, subject) != (AlertKind.TOTAL, "") and (named, subject) not in _watched(books.pools()):
        raise not_found()
    if len(books.kept.alerts()) >= MOST:
        raise Problem(HTTPStatus.CONFLICT, f"There are {MOST} alerts already.", "End one first.")
    books.kept.keep_alert(
        Alert(
            id=new_id(),
            customer=guest.customer,
            kind=named,
            subject=subject,
            threshold=_threshold(threshold, AlertKind(named)),
            made_by=guest.who,
            made_at=face.clock.now(),
        )
    )
    return RedirectResponse("/alerts", 303)


@router.post("/alerts/{alert_id}/end")
def end(request: Request, guest: MayChange, alert_id: str) -> Response:
    """End an alert."""
    if not reader_of(request, guest).kept.end_alert(alert_id, face_of(request).clock.now()):
        raise not_found()
    return RedirectResponse("/alerts", 303)


def _watched(pools: Sequence[PoolView]) -> list[tuple[str, str]]:
    """Return what an alert may be set for beside a month's total: its kind and the pool."""
    return sorted({(kind.value, view.pool) for view in pools for kind in AlertKind if view.kind in kind.watches})


def _running(newest: StatementView | None) -> Running | None:
    """Return the month that runs, where the newest statement is a draft of it."""
    if newest is None or newest.complete_up_to is None:
        return None
    return Running(month=newest.statement.period, on=newest.complete_up_to.date())


def _threshold(text: str, kind: AlertKind) -> Decimal:
    try:
        given = Decimal(text.strip())
    except InvalidOperation:
        given = Decimal("NaN")
    highest = HIGHEST[kind]
    whole = kind in (AlertKind.TOTAL, AlertKind.POOL) or given == given.to_integral_value()
    if not given.is_finite() or not 0 < given <= highest or not whole:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The threshold {text[:40]!r} is no number between 0 and {highest:,}.",
            "Go back and write it with a point, such as 1500.00; a pool's is a percentage, or a whole number of days.",
        )
    return given
