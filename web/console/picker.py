"""The period picker: from a page of one period to the same page of another."""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from models.close import Standing
from web.console.reading import OneMonth, console_of
from web.sessions import visitor

router = APIRouter()
_OF_A_CLOSE = re.compile(r"/close/\d{4}-\d{2}(?:/(?P<page>exceptions|approval|period)|/customers/(?P<customer>[^/]+))?")
_BY_PERIOD = re.compile(r"/(?:invoices|journal|audit|reports/[a-z-]+)")


@router.get("/period", dependencies=[Depends(visitor)])
def to_period(
    request: Request, month: OneMonth = None, path: Annotated[str, Query(max_length=500)] = "/close"
) -> Response:
    """Go to where a page leads in another period; to its overview where the page has no such place."""
    if month is None:
        return RedirectResponse("/close", 303)
    if _BY_PERIOD.fullmatch(path):
        return RedirectResponse(f"{path}?period={month}", 303)
    found = _OF_A_CLOSE.fullmatch(path)
    page = ""
    if found and found["page"]:
        page = f"/{found['page']}"
    elif found and found["customer"]:
        standing: Standing | None = console_of(request).standing(month, 1, found["customer"])
        page = f"/customers/{quote(standing.customer, safe='')}" if standing else ""
    return RedirectResponse(f"/close/{month}{page}", 303)
