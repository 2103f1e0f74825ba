"""Overview: what the newest month is on track to be billed, what is left of pools and credits, what changed."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from billing.bridge import totals_by_kind
from billing.spread import COMPONENT, view_of
from runtime.portal import CustomerBooks
from web.face import face_of
from web.live import live
from web.portal.reading import reader_of
from web.sessions import AsGuest, guest

router = APIRouter()
MOST_CHANGES = 5


@router.get("/")
def overview(request: Request, guest: AsGuest) -> Response:
    """Show the overview."""
    books = reader_of(request, guest)
    return face_of(request).page(request, "portal/overview.html", visitor=guest, **_shown(books), **_chart(books))


@router.get("/live/overview", dependencies=[Depends(guest)])
async def overview_live(request: Request) -> Response:
    """Send headline and tiles again whenever they change."""

    def read() -> str:
        books = reader_of(request, guest(request))
        return face_of(request).fragment("portal/overview_now.html", **_shown(books))

    return live(request, read, every=5.0)


def _shown(books: CustomerBooks) -> dict[str, Any]:
    newest = books.newest()
    if newest is None:
        return {"newest": None}
    told = newest.statement
    pools = [view for view in books.pools() if any(row.period == told.period for row in view.rows)]
    why = books.why(told)
    return {
        "newest": newest,
        "made_up": totals_by_kind(told),
        "pools": [view for view in pools if view.kind in ("prepaid", "postpaid")],
        "credits": [view for view in pools if view.kind in ("paid", "promotional")],
        "allowances": [view for view in pools if view.kind == "entitlement"],
        "invoice": next(iter(books.invoices()), None),
        "why": why,
        "changes": why.rows[:MOST_CHANGES] if why else (),
    }


def _chart(books: CustomerBooks) -> dict[str, Any]:
    newest = books.newest()
    if newest is None:
        return {"usage": None}
    days = books.days(newest.statement)
    return {"usage": view_of(days, COMPONENT, newest.statement.currency) if days else None}
