"""Alerts: what a customer wants to be told of, with the months in which they would have been told."""

from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from billing.alerting import AlertKind
from models.visitor import Guest
from runtime.customer_desk import HIGHEST, CustomerDesk, fits, watched
from runtime.sign_in import new_id
from web.face import face_of
from web.portal.reading import reader_of
from web.problem import Problem, not_found
from web.sessions import AsGuest, MayChange

router = APIRouter()


@router.get("/alerts")
def alerts(request: Request, guest: AsGuest) -> Response:
    """Show the alerts in force, and what each would have told."""
    books = reader_of(request, guest)
    return face_of(request).page(
        request,
        "portal/alerts.html",
        visitor=guest,
        alerts=_desk(request, guest).alerts(),
        newest=books.newest(),
        watched=[(kind.value, pool) for kind, pool in watched(books.pools())],
    )


@router.post("/alerts")
def add(
    request: Request,
    guest: MayChange,
    threshold: Annotated[str, Form(max_length=40)],
    what: Annotated[str, Form(max_length=150)] = "total/",
) -> Response:
    """Add an alert: `what` is its kind, a slash, and the name of the pool it is about; a month's total has none."""
    named, _, subject = what.partition("/")
    if named not in set(AlertKind):
        raise not_found()
    kind = AlertKind(named)
    if _desk(request, guest).add_alert(new_id(), kind, subject, _threshold(threshold, kind)) is None:
        raise not_found()
    return RedirectResponse("/alerts", 303)


@router.post("/alerts/{alert_id}/end")
def end(request: Request, guest: MayChange, alert_id: str) -> Response:
    """End an alert."""
    if not reader_of(request, guest).kept.end_alert(alert_id, face_of(request).clock.now()):
        raise not_found()
    return RedirectResponse("/alerts", 303)


def _desk(request: Request, guest: Guest) -> CustomerDesk:
    return CustomerDesk(reader_of(request, guest), request.app.state.issuer, guest.who, face_of(request).clock)


def _threshold(text: str, kind: AlertKind) -> Decimal:
    try:
        given = Decimal(text.strip())
    except InvalidOperation:
        given = Decimal("NaN")
    if not fits(kind, given):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The threshold {text[:40]!r} is no number between 0 and {HIGHEST[kind]:,}.",
            "Go back and write it with a point, such as 1500.00; a pool's is a percentage, or a whole number of days.",
        )
    return given
