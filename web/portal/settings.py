"""Settings: who is told and who may look, which links are out, and who looked; what the contract says of billing."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from models.notice import CHOICES, NoticeKind
from models.webhook import EventType
from web.face import face_of
from web.portal.reading import reader_of
from web.portal.webhooks import desk_of
from web.problem import not_found
from web.sessions import AsGuest, MayChange

router = APIRouter()


@router.get("/settings")
def settings(request: Request, guest: AsGuest) -> Response:
    """Show them."""
    books = reader_of(request, guest)
    unwanted = books.notices.unwanted(guest.customer)
    return face_of(request).page(
        request,
        "portal/settings.html",
        visitor=guest,
        contract=books.contract(),
        users=books.kept.users(),
        shares=books.kept.shares(),
        notices=[(kind.value, kind not in unwanted) for kind in CHOICES],
        webhooks=desk_of(request, guest),
        types=[one.value for one in EventType],
    )


@router.post("/settings/notices")
def choose(
    request: Request, guest: MayChange, kind: Annotated[NoticeKind, Form()], wanted: Annotated[bool, Form()]
) -> Response:
    """Choose whether a kind of mail is wanted; of what is owed by contract there is no choice."""
    if kind not in CHOICES:
        raise not_found()
    now = face_of(request).clock.now()
    reader_of(request, guest).notices.choose(guest.customer, kind, wanted, guest.user or guest.name, now)
    return RedirectResponse("/settings", 303)
