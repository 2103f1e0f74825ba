"""Overview: what the running month is on track to be billed, what is left, and the last invoice."""

from fastapi import APIRouter, Request, Response

from web.face import face_of
from web.portal.reading import reader_of
from web.sessions import AsGuest

router = APIRouter()


@router.get("/")
def overview(request: Request, guest: AsGuest) -> Response:
    """Show the overview."""
    reader = reader_of(request, guest)
    return face_of(request).page(
        request,
        "portal/overview.html",
        visitor=guest,
        statement=reader.newest(),
        invoices=reader.invoices()[:1],
    )
