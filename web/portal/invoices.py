"""Invoices: what was issued, every line with its explanation, and why a month differs from the one before."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from billing.bridge import totals_by_kind
from billing.customer_files import FORMATS, file_of
from billing.explained import explanation_of
from models.draft import DayOfLine
from models.reports import InvoiceView
from models.statement import Statement
from models.visitor import Share
from runtime.portal import CustomerBooks
from runtime.sign_in import new_id, new_token
from web.face import face_of
from web.portal.reading import portal_of, reader_of
from web.problem import not_found
from web.sessions import AsGuest, MayChange

router = APIRouter()
SHARED = "/invoices/"
DAYS = (1, 7, 30)


@router.get("/invoices")
def invoices(request: Request, guest: AsGuest) -> Response:
    """List what was issued."""
    books = reader_of(request, guest)
    return face_of(request).page(
        request,
        "portal/invoices.html",
        visitor=guest,
        invoices=books.invoices(),
        corrections=books.kept.corrections(),
    )


@router.get("/invoices/{reference:path}")
def invoice(request: Request, guest: AsGuest, reference: str) -> Response:
    """Show an invoice with its lines explained."""
    books = reader_of(request, guest)
    view = _found(books, reference)
    return face_of(request).page(
        request, "portal/invoice.html", visitor=guest, days_to_share=DAYS, **_shown(books, view, request.app.state.ask)
    )


@router.get("/papers/{reference:path}")
def paper(request: Request, guest: AsGuest, reference: str) -> Response:
    """Give an invoice's PDF as it was issued."""
    books = reader_of(request, guest)
    view = _found(books, reference)
    body = books.paper(view)
    if body is None or view.issued is None:
        raise not_found()
    books.kept.looked(guest.who, f"PDF of {reference}", face_of(request).clock.now())
    named = {"Content-Disposition": f'attachment; filename="{view.issued.number}.pdf"'}
    return Response(body, media_type="application/pdf", headers=named)


@router.get("/lines.csv/{reference:path}")
def lines(request: Request, guest: AsGuest, reference: str) -> Response:
    """Give an invoice's lines as CSV, the bytes that an export of them has."""
    books = reader_of(request, guest)
    view = _found(books, reference)
    statement = books.statement(view.invoice.statement)
    if statement is None or view.issued is None:
        raise not_found()
    made = file_of("lines", "csv", statement, lambda: (), request.app.state.issuer)
    books.kept.looked(guest.who, f"lines of {reference}", face_of(request).clock.now())
    named = {
        "Content-Disposition": f'attachment; filename="{view.issued.number}.csv"',
        "X-Content-SHA256": made.sha256,
    }
    return Response(made.body, media_type=FORMATS["csv"], headers=named)


@router.post("/shares")
def share(
    request: Request, guest: MayChange, reference: Annotated[str, Form()], days: Annotated[int, Form()]
) -> Response:
    """Make a link to one invoice for somebody who can't sign in; it is shown this once."""
    books, face = reader_of(request, guest), face_of(request)
    view = _found(books, reference)
    if days not in DAYS:
        raise not_found()
    now, token = face.clock.now(), new_token()
    made = Share(
        id=new_id(),
        customer=guest.customer,
        scope=f"{SHARED}{view.invoice.reference}",
        made_by=guest.user or "",
        made_at=now,
        expires_at=now + timedelta(days=days),
    )
    books.kept.share(made, token)
    books.kept.looked(guest.who, f"shared {made.scope} until {made.expires_at.isoformat()}", now)
    return face.page(request, "portal/shared_link.html", visitor=guest, share=made, link=f"{face.url}/shared/{token}")


@router.post("/shares/{share_id}/revoke")
def revoke(request: Request, guest: MayChange, share_id: str) -> Response:
    """Revoke a share link; it opens nothing from then on."""
    if not reader_of(request, guest).kept.revoke(share_id, face_of(request).clock.now()):
        raise not_found()
    return RedirectResponse("/settings", 303)


@router.get("/shared/{token}")
def shared(request: Request, token: str) -> HTMLResponse:
    """Show the one page a share link is for, to whoever holds the link; nothing on it leads further."""
    face = face_of(request)
    share = face.sessions.share(token, face.clock.now())
    if share is None:
        raise not_found()
    books = portal_of(request).of(share.customer)
    view = _found(books, share.scope.removeprefix(SHARED))
    books.kept.looked(f"share:{share.id}", share.scope, face.clock.now())
    return face.page(request, "portal/invoice.html", visitor=None, days_to_share=(), **_shown(books, view, None))


def _found(books: CustomerBooks, reference: str) -> InvoiceView:
    view = books.invoice(reference)
    if view is None:
        raise not_found()
    return view


def _shown(books: CustomerBooks, view: InvoiceView, ask: str | None) -> dict[str, Any]:
    statement = books.statement(view.invoice.statement)
    if statement is None:
        raise not_found()
    return {
        "view": view,
        "statement": statement,
        "made_up": totals_by_kind(statement),
        "groups": _groups(statement, books.before(statement), books.days(statement)),
        "why": books.why(statement),
        "ask": ask,
    }


def _groups(
    statement: Statement, prior: Statement | None, days: Sequence[DayOfLine]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the lines as the page lists them: by meter or clause, each with its explanation and last month's line."""
    earlier = {line.id: line for line in prior.lines} if prior else {}
    by_line: dict[str, list[DayOfLine]] = {}
    for one in days:
        by_line.setdefault(one.line, []).append(one)
    groups: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(statement.lines, 1):
        groups.setdefault(line.meter or line.kind.value, []).append(
            {
                "number": number,
                "line": line,
                "told": explanation_of(line, statement),
                "days": by_line.get(line.id, ()),
                "earlier": earlier.get(line.id),
            }
        )
    return list(groups.items())
