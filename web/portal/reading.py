"""Reading: a guest's own reader of the books."""

from typing import cast

from fastapi import Request

from models.visitor import Guest
from runtime.portal import CustomerBooks, Portal


def portal_of(request: Request) -> Portal:
    """Return the door to the books of the app that was asked."""
    return cast(Portal, request.app.state.portal)


def reader_of(request: Request, guest: Guest) -> CustomerBooks:
    """Return the books as the guest's customer may see them."""
    return portal_of(request).of(guest.customer)
