"""Pools: commitments with their burn-down, credits and allowances, each month's movement, and how long they last."""

from fastapi import APIRouter, Request, Response

from web.face import face_of
from web.portal.reading import reader_of
from web.sessions import AsGuest

router = APIRouter()
COMMITMENTS = ("prepaid", "postpaid", "minimum")
CREDITS = ("paid", "promotional")


@router.get("/commitments")
def commitments(request: Request, guest: AsGuest) -> Response:
    """Show every commitment, the window in force first."""
    books = reader_of(request, guest)
    contract = books.contract()
    return face_of(request).page(
        request,
        "portal/commitments.html",
        visitor=guest,
        pools=[view for view in books.pools() if view.kind in COMMITMENTS],
        clauses={one.id: one for one in contract.commitments} if contract else {},
        contract=contract,
        as_of=books.as_of(),
    )


@router.get("/credits")
def credits(request: Request, guest: AsGuest) -> Response:
    """Show every credit and allowance."""
    books = reader_of(request, guest)
    contract = books.contract()
    views = books.pools()
    return face_of(request).page(
        request,
        "portal/credits.html",
        visitor=guest,
        credits=[view for view in views if view.kind in CREDITS],
        allowances=[view for view in views if view.kind == "entitlement"],
        clauses={one.id: one for one in contract.entitlements} if contract else {},
        grants={one.id: one for one in contract.credits} if contract else {},
        contract=contract,
        as_of=books.as_of(),
    )
