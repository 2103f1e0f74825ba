"""Webhooks: where a customer's systems are told of events, what was delivered, and what to do about what was not."""

from http import HTTPStatus
from typing import Annotated, cast

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from adapters.webhook_client import AddressForbidden, UrlUnusable
from models.visitor import Guest
from models.webhook import EventType
from runtime.webhook_desk import DeskOf, NoSuchEndpoint, NothingToReplay, WebhookDesk
from web.face import face_of
from web.problem import Problem, not_found
from web.sessions import AsGuest, MayChange

router = APIRouter()
MOST_CHARACTERS = 500


def desk_of(request: Request, guest: Guest) -> WebhookDesk:
    """Return the guest's customer's desk of the app that was asked."""
    return cast(DeskOf, request.app.state.webhooks)(guest.customer)


@router.post("/settings/webhooks")
def add(
    request: Request,
    guest: MayChange,
    url: Annotated[str, Form(max_length=MOST_CHARACTERS)],
    types: Annotated[list[EventType], Form()],
) -> Response:
    """Add an endpoint and show its secret, this once."""
    try:
        endpoint, secret = desk_of(request, guest).add(guest.customer, url.strip(), types, guest.who)
    except (UrlUnusable, AddressForbidden) as refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{refused.what.capitalize()}.", refused.remedy) from refused
    return face_of(request).page(request, "portal/secret.html", visitor=guest, endpoint=endpoint, secret=secret)


@router.get("/settings/webhooks/{endpoint_id}")
def deliveries(request: Request, guest: AsGuest, endpoint_id: str) -> Response:
    """Show an endpoint and what was delivered there, with every try."""
    desk = desk_of(request, guest)
    try:
        view = desk.view(endpoint_id)
    except NoSuchEndpoint as missing:
        raise not_found() from missing
    return face_of(request).page(
        request, "portal/webhook.html", visitor=guest, view=view, deliveries=desk.deliveries(endpoint_id), desk=desk
    )


@router.post("/settings/webhooks/{endpoint_id}/secret")
def rotate(request: Request, guest: MayChange, endpoint_id: str) -> Response:
    """Make a new secret and show it, this once."""
    desk = desk_of(request, guest)
    try:
        secret = desk.rotate(endpoint_id, guest.who)
    except NoSuchEndpoint as missing:
        raise not_found() from missing
    endpoint = desk.view(endpoint_id).endpoint
    return face_of(request).page(request, "portal/secret.html", visitor=guest, endpoint=endpoint, secret=secret)


@router.post("/settings/webhooks/{endpoint_id}/replay")
def replay(
    request: Request, guest: MayChange, endpoint_id: str, notice: Annotated[str, Form(max_length=128)] = ""
) -> Response:
    """Ask for a delivery once more."""
    try:
        desk_of(request, guest).replay(endpoint_id, notice, guest.who)
    except (NoSuchEndpoint, NothingToReplay) as missing:
        raise not_found() from missing
    return RedirectResponse(f"/settings/webhooks/{endpoint_id}", 303)


@router.post("/settings/webhooks/{endpoint_id}/end")
def end(request: Request, guest: MayChange, endpoint_id: str) -> Response:
    """End an endpoint."""
    try:
        desk_of(request, guest).end(endpoint_id, guest.who)
    except NoSuchEndpoint as missing:
        raise not_found() from missing
    return RedirectResponse("/settings", 303)
