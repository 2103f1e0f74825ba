"""Alerts: what a customer wants to be told of, with the months in which they would have been told."""

from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from billing.alerting import AlertKind, firings
from runtime.customer_desk import CustomerDesk
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
    newest, pools = books.newest(), books.pools()
    issued = books.issued(newest.statement.contract) if newest else ()
    return face_of(request).page(
        request,
        "portal/alerts.html",
        visitor=guest,
        alerts=[
            (one, firings(AlertKind(one.kind), one.subject, one.threshold, issued, pools))
            for one in books.kept.alerts()
        ],
        newest=newest,
        watched=sorted({view.pool for view in pools if view.kind in ("prepaid", "paid", "promotional")}),
    )


@router.post("/alerts")
def add(
    request: Request,
    guest: MayChange,
    threshold: Annotated[str, Form(max_length=40)],
    subject: Annotated[str, Form(max_length=128)] = "",
) -> Response:
    """Add an alert: of the month's total, or of a pool by name."""
    desk = CustomerDesk(reader_of(request, guest), request.app.state.issuer, guest.who, face_of(request).clock)
    kind = AlertKind.POOL if subject else AlertKind.TOTAL
    if desk.add_alert(new_id(), kind, subject, _threshold(threshold, percent=bool(subject))) is None:
        raise not_found()
    return RedirectResponse("/alerts", 303)


@router.post("/alerts/{alert_id}/end")
def end(request: Request, guest: MayChange, alert_id: str) -> Response:
    """End an alert."""
    if not reader_of(request, guest).kept.end_alert(alert_id, face_of(request).clock.now()):
        raise not_found()
    return RedirectResponse("/alerts", 303)


def _threshold(text: str, percent: bool) -> Decimal:
    try:
        given = Decimal(text.strip())
    except InvalidOperation:
        given = Decimal("NaN")
    highest = Decimal(100) if percent else Decimal(10) ** 12
    if not given.is_finite() or not 0 < given <= highest:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The threshold {text[:40]!r} is no number between 0 and {highest:,}.",
            "Go back and write it with a point, such as 1500.00; a pool's is a percentage.",
        )
    return given
