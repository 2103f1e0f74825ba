"""Usage: a month by day and group, drawn and listed; a subtotal, never the amount due."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from billing.customer_files import csv_of
from billing.spread import COMPONENT, UsageView, hours_of, view_of
from models.period import Month, month_of
from models.value import Day, decimal_text
from runtime.portal import CustomerBooks
from web.face import face_of
from web.portal.reading import reader_of
from web.problem import not_found
from web.sessions import AsGuest

router = APIRouter()
Asked = Annotated[Month | None, Query()]
MOST_CALLS = 500
"""Calls a page lists."""
By = Annotated[str, Query(max_length=64)]


@router.get("/usage")
def usage(request: Request, guest: AsGuest, month: Asked = None, by: By = COMPONENT, only: By = "") -> Response:
    """Show a month's usage by group."""
    shown = _shown(reader_of(request, guest), month, by, only)
    return face_of(request).page(request, "portal/usage.html", visitor=guest, **shown)


@router.get("/usage/day")
def usage_day(request: Request, guest: AsGuest, day: Day) -> Response:
    """Show one day by hour, as the sources were reconciled; of a closed month."""
    books = reader_of(request, guest)
    newest = books.newest(month_of(day))
    if newest is None:
        raise not_found()
    hours = hours_of(books.usage(newest.statement), day, newest.statement.timezone)
    return face_of(request).page(request, "portal/usage_day.html", visitor=guest, newest=newest, day=day, hours=hours)


@router.get("/usage/calls")
def usage_calls(
    request: Request, guest: AsGuest, day: Day, meter: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """Show the single calls of one day (of one meter), where events are sealed."""
    books = reader_of(request, guest)
    newest = books.newest(month_of(day))
    if newest is None:
        raise not_found()
    found = books.calls(newest.statement, day)
    chosen = [one for one in found or () if meter in ("", one.meter)]
    books.kept.looked(guest.who, f"single calls of {day.isoformat()}", face_of(request).clock.now())
    return face_of(request).page(
        request,
        "portal/usage_calls.html",
        visitor=guest,
        newest=newest,
        day=day,
        meter=meter,
        opened=found is not None,
        meters=sorted({one.meter for one in found or ()}),
        count=len(chosen),
        calls=chosen[:MOST_CALLS],
    )


@router.get("/usage.csv")
def usage_csv(request: Request, guest: AsGuest, month: Asked = None, by: By = COMPONENT, only: By = "") -> Response:
    """Give exactly what the page lists, as CSV."""
    books = reader_of(request, guest)
    view: UsageView | None = _shown(books, month, by, only)["view"]
    if view is None:
        raise not_found()
    columns = {"day": False, **{group.name: True for group in view.groups}, "subtotal": True, "currency": False}
    rows = [
        {
            "day": day.isoformat(),
            **{group.name: decimal_text(group.amounts[place]) for group in view.groups},
            "subtotal": decimal_text(view.day_totals[place]),
            "currency": view.currency,
        }
        for place, day in enumerate(view.days)
    ]
    books.kept.looked(guest.who, f"usage as CSV, {len(rows)} rows", face_of(request).clock.now())
    named = {"Content-Disposition": f'attachment; filename="usage-{month or "newest"}.csv"'}
    return Response(csv_of(columns, rows), media_type="text/csv; charset=utf-8", headers=named)


def _shown(books: CustomerBooks, month: str | None, by: str, only: str) -> dict[str, Any]:
    newest, months = books.newest(month), books.months()
    if newest is None:
        if month is not None and months:
            raise not_found()
        return {"newest": None, "view": None}
    days = books.days(newest.statement)
    dimensions = sorted({name for one in days for name in one.dimensions})
    groupings = (COMPONENT, *dimensions)
    by = by if by in groupings else COMPONENT
    meters = sorted({one.meter for one in days})
    chosen = {COMPONENT: only} if only in meters else {}
    return {
        "newest": newest,
        "view": view_of(days, by, newest.statement.currency, chosen) if days else None,
        "months": months,
        "groupings": groupings,
        "by": by,
        "meters": meters,
        "only": chosen.get(COMPONENT, ""),
        "before": books.before(newest.statement),
    }
