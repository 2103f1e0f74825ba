"""Alerts: what a customer wants to be told of, with the months in which they would have been told, before and after."""

from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Any

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
Threshold = Annotated[str, Form(max_length=40)]
What = Annotated[str, Form(max_length=150)]


@router.get("/alerts")
def alerts(request: Request, guest: AsGuest) -> Response:
    """Show the alerts in force, and what each would have told."""
    return _page(request, guest)


@router.post("/alerts")
def add(request: Request, guest: MayChange, threshold: Threshold, what: What = "total/") -> Response:
    """Add an alert: `what` is its kind, a slash, and the pool it is about; of a month's total, its currency."""
    kind, subject, currency = _what(what)
    made = _desk(request, guest).add_alert(new_id(), kind, subject, _threshold(threshold, kind), currency)
    if made is None:
        raise not_found()
    return RedirectResponse("/alerts", 303)


@router.post("/alerts/preview")
def preview(request: Request, guest: MayChange, threshold: Threshold, what: What = "total/") -> Response:
    """Show in which months an alert would have been told, before it is set; nothing is written."""
    kind, subject, currency = _what(what)
    found = _desk(request, guest).preview(kind, subject, _threshold(threshold, kind), currency)
    if found is None:
        raise not_found()
    return _page(request, guest, preview=found, asked=what)


@router.post("/alerts/{alert_id}/end")
def end(request: Request, guest: MayChange, alert_id: str) -> Response:
    """End an alert."""
    if not reader_of(request, guest).kept.end_alert(alert_id, face_of(request).clock.now()):
        raise not_found()
    return RedirectResponse("/alerts", 303)


def _page(request: Request, guest: Guest, **more: Any) -> Response:
    books, desk = reader_of(request, guest), _desk(request, guest)
    shown: dict[str, Any] = {"preview": None, "asked": None, **more}
    return face_of(request).page(
        request,
        "portal/alerts.html",
        visitor=guest,
        alerts=desk.alerts(),
        currencies=desk.currencies(),
        watched=[(kind.value, pool) for kind, pool in watched(books.pools())],
        **shown,
    )


def _what(what: str) -> tuple[AlertKind, str, str | None]:
    """Return a kind, the pool it is about, and a currency; raises Problem 404 where there is no such kind."""
    named, _, subject = what.partition("/")
    if named not in set(AlertKind):
        raise not_found()
    kind = AlertKind(named)
    return (kind, "", subject or None) if kind is AlertKind.TOTAL else (kind, subject, None)


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
