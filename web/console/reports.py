"""Reports: the eleven of a close, as tables and as CSV; those of a locked period are the same bytes whenever asked."""

from decimal import Decimal

from fastapi import APIRouter, Depends, Request, Response

from billing.reports.registry import REPORTS
from models.reports import Report
from web.console.reading import OneMonth, console_of
from web.face import face_of
from web.problem import not_found
from web.sessions import SignedIn, visitor
from web.tables import download

router = APIRouter()
MOST = 500
"""Rows a page shows; the CSV has all."""


@router.get("/reports")
def reports(request: Request, person: SignedIn) -> Response:
    """Show which reports there are, and of which periods."""
    return face_of(request).page(
        request, "console/reports.html", visitor=person, names=tuple(REPORTS), closes=console_of(request).closes()
    )


@router.get("/reports/{name}")
def report(request: Request, person: SignedIn, name: str, period: OneMonth = None) -> Response:
    """Show a report of a period."""
    found = _report(request, name, period)
    return face_of(request).page(
        request,
        "console/report.html",
        visitor=person,
        report=found,
        closes=console_of(request).closes(),
        rows=found.rows[:MOST],
        numeric=[all(_number(row[at]) for row in found.rows[:MOST] if row[at]) for at in range(len(found.columns))],
    )


@router.get("/reports/{name}/csv", dependencies=[Depends(visitor)])
def report_csv(request: Request, name: str, period: OneMonth = None) -> Response:
    """Return a report as it is shown."""
    found = _report(request, name, period)
    rows = [[_cell(value) for value in row] for row in found.rows]
    return download(f"{found.name}-{found.month}", found.columns, rows)


def _report(request: Request, name: str, period: str | None) -> Report:
    console = console_of(request)
    closes = console.closes()
    month = period or (closes[0].month if closes else None)
    found = console.report(name, month) if month else None
    if found is None:
        raise not_found()
    return found


def _number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


def _cell(text: str) -> object:
    """Return a number of a report as one, so that it stays one in a spreadsheet."""
    return Decimal(text) if _number(text) else text
