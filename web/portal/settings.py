"""Settings: who is told and who may look, which links are out, and who looked; what the contract says of billing."""

from fastapi import APIRouter, Request, Response

from web.face import face_of
from web.portal.reading import reader_of
from web.sessions import AsGuest

router = APIRouter()


@router.get("/settings")
def settings(request: Request, guest: AsGuest) -> Response:
    """Show them."""
    books = reader_of(request, guest)
    return face_of(request).page(
        request,
        "portal/settings.html",
        visitor=guest,
        contract=books.contract(),
        users=books.kept.users(),
        shares=books.kept.shares(),
    )
