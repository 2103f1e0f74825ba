"""Closes: the periods, how each stands, and what was invoiced."""

from fastapi import APIRouter, Depends, Request, Response

from web.console.reading import console_of
from web.face import face_of
from web.live import live
from web.sessions import SignedIn, visitor

router = APIRouter()
LIST = "console/closes_list.html"


@router.get("/close")
def closes(request: Request, person: SignedIn) -> Response:
    """Show the periods."""
    return face_of(request).page(request, "console/closes.html", visitor=person, closes=console_of(request).closes())


@router.get("/live/close", dependencies=[Depends(visitor)])
async def closes_live(request: Request) -> Response:
    """Send the list again whenever it changes."""

    def read() -> str:
        visitor(request)  # who was signed out sees nothing more
        return face_of(request).fragment(LIST, closes=console_of(request).closes())

    return live(request, read)
