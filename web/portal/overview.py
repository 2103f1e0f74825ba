"""Overview: what the newest month is on track to be billed, what is left of pools and credits, what changed."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from billing.bridge import totals_by_kind
from billing.spread import COMPONENT, view_of
from models.money import ZERO
from runtime.portal import CustomerBooks
from web.face import face_of
from web.live import live
from web.portal.reading import reader_of
from web.sessions import AsGuest, guest

router = APIRouter()
MOST_CHANGES = 5
LIVE_SECONDS = 5.0
STALE_AFTER = timedelta(hours=3)
"""Refreshes are hourly; after three that did not come, the page says so."""


@router.get("/")
def overview(request: Request, guest: AsGuest) -> Response:
    """Show the overview."""
    books, face = reader_of(request, guest), face_of(request)
    stamp = books.stamp()  # before the rest is read: what changes meanwhile is sent
    shown = {**_shown(books, face.clock.now()), **_chart(books)}
    return face.page(request, "portal/overview.html", visitor=guest, stamp=stamp, **shown)


@router.get("/live/overview", dependencies=[Depends(guest)])
async def overview_live(request: Request, since: str = "") -> Response:
    """Send headline and tiles again whenever they change."""

    def stamp() -> str:
        return reader_of(request, guest(request)).stamp()

    def read() -> str:
        face, visitor = face_of(request), guest(request)
        shown = _shown(reader_of(request, visitor), face.clock.now())
        return face.fragment("portal/overview_now.html", visitor=visitor, **shown)

    return live(request, read, LIVE_SECONDS, stamp, since)


def _shown(books: CustomerBooks, now: datetime) -> dict[str, Any]:
    newest = books.newest()
    if newest is None:
        return {"newest": None, "stale": False}
    told = newest.statement
    pools = [view for view in books.pools() if any(row.period == told.period for row in view.rows)]
    why = books.why(told)
    return {
        "newest": newest,
        "stale": newest.draft and now - newest.stored_at > STALE_AFTER,
        "made_up": totals_by_kind(told),
        "pools": [view for view in pools if view.kind in ("prepaid", "postpaid")],
        "credits": [view for view in pools if view.kind in ("paid", "promotional")],
        "allowances": [view for view in pools if view.kind == "entitlement"],
        "invoice": next(iter(books.invoices()), None),
        "why": why,
        "changes": why.rows[:MOST_CHANGES] if why else (),
    }


def _chart(books: CustomerBooks) -> dict[str, Any]:
    """Return the month's usage by day, and beside each day the total of the same day of the month before."""
    newest = books.newest()
    days = books.days(newest.statement) if newest else ()
    if newest is None or not days:
        return {"usage": None, "before": ()}
    usage, prior = view_of(days, COMPONENT, newest.statement.currency), books.before(newest.statement)
    earlier = view_of(books.days(prior), COMPONENT, prior.currency) if prior else None
    totals = {day.day: total for day, total in zip(earlier.days, earlier.day_totals, strict=True)} if earlier else {}
    return {"usage": usage, "before": [totals.get(day.day, ZERO) for day in usage.days] if totals else ()}
