"""Reading: a guest's own reader of the books."""

from typing import cast

from fastapi import Request

from models.visitor import Guest
from runtime.portal import CustomerBooks, Portal


def reader_of(request: Request, guest: Guest) -> CustomerBooks:
    """Return the books as the guest's customer may see them."""
    return cast(Portal, request.app.state.portal).of(guest.customer)
