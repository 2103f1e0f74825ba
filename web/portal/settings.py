"""Settings: who is told and who may look, which links and keys are out; what the contract says of billing."""

from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from models.access import CustomerKey, CustomerScope
from models.notice import CHOICES, NoticeKind
from models.visitor import ADDRESS
from models.webhook import EventType
from runtime.customer_desk import CustomerDesk
from runtime.sign_in import new_id, new_token
from web.face import face_of
from web.portal.reading import reader_of
from web.portal.webhooks import desk_of
from web.problem import forbidden, not_found
from web.sessions import AsGuest, MayChange

router = APIRouter()
ZONES = tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))


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
        keys=books.kept.program_keys(),
        notices=[(kind.value, kind not in unwanted) for kind in CHOICES],
        contacts=books.kept.contacts(),
        zones=ZONES,
        webhooks=desk_of(request, guest),
        types=[one.value for one in EventType],
    )


@router.post("/keys")
def make_key(
    request: Request,
    guest: MayChange,
    name: Annotated[str, Form(min_length=1, max_length=100, pattern=r"^[^\x00]+$")],
    writes: Annotated[bool, Form()] = False,
) -> Response:
    """Make a key for a program; it is shown this once, and logged."""
    face, secret = face_of(request), new_token()
    scopes = (CustomerScope.READ, CustomerScope.WRITE) if writes else (CustomerScope.READ,)
    now = face.clock.now()
    key = CustomerKey(
        id=new_id(), customer=guest.customer, name=name, scopes=scopes, made_by=guest.user or "", made_at=now
    )
    kept = reader_of(request, guest).kept
    kept.keep_key(key, secret)
    kept.looked(guest.who, f"made the key {key.id} ({', '.join(scopes)})", now)
    return face.page(request, "portal/new_key.html", visitor=guest, key=key, secret=secret)


@router.post("/keys/{key_id}/revoke")
def revoke_key(request: Request, guest: MayChange, key_id: str) -> Response:
    """Revoke a key; it opens nothing from then on."""
    kept, now = reader_of(request, guest).kept, face_of(request).clock.now()
    if not kept.revoke_key(key_id, now):
        raise not_found()
    kept.looked(guest.who, f"revoked the key {key_id}", now)
    return RedirectResponse("/settings", 303)


@router.post("/settings/contacts")
def add_contact(
    request: Request, guest: MayChange, email: Annotated[str, Form(max_length=254, pattern=ADDRESS)]
) -> Response:
    """Have an address mailed beside the contract's."""
    desk = CustomerDesk(reader_of(request, guest), request.app.state.issuer, guest.who, face_of(request).clock)
    desk.add_contact(new_id(), email)
    return RedirectResponse("/settings", 303)


@router.post("/settings/contacts/{contact_id}/end")
def end_contact(request: Request, guest: MayChange, contact_id: str) -> Response:
    """Mail a contact no more."""
    if not reader_of(request, guest).kept.end_contact(contact_id, face_of(request).clock.now()):
        raise not_found()
    return RedirectResponse("/settings", 303)


@router.post("/settings/zone")
def show_times_in(request: Request, guest: AsGuest, zone: Annotated[str, Form(max_length=64)] = "") -> Response:
    """Keep the zone that times are shown to this user in; none: the contract's. Billing days stay the contract's."""
    if guest.user is None:
        raise forbidden("You may look at this, not change it.", "A customer's users choose for themselves.")
    if zone and zone not in ZONES:
        raise not_found()
    reader_of(request, guest).kept.show_times_in(guest.user, zone or None)
    return RedirectResponse("/settings", 303)


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
