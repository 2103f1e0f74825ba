"""Audit: everything anybody decided, and what the workflow said."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.answers import tagged
from api.finance.callers import Asks
from api.finance.customers import DecisionShown
from api.finance.shared import OfMonth
from api.pages import AsPages, Cursor, Page
from api.v1 import Chosen
from models.close import DecisionKind

router = APIRouter(prefix="/v1")


@router.get("/decisions", response_model=Page[DecisionShown])
def decisions(
    request: Request,
    asks: Asks,
    asked: AsPages,
    period: OfMonth = None,
    by: Chosen = None,
    kind: Annotated[DecisionKind | None, Query()] = None,
) -> Response:
    """List decisions, newest first: on a period, by a person, of a kind."""
    before = asked.cursor.after[0] if asked.cursor else None
    found = asks.console.books.decisions(period, by, kind.value if kind else None, most=asked.limit + 1, before=before)
    page = found[: asked.limit]
    following = Cursor(after=(page[-1][0].id,)).text() if len(found) > len(page) else None
    shown = tuple(DecisionShown(decision=one, verdict=verdict) for one, verdict in page)
    return tagged(request, Page[DecisionShown](items=shown, next=following))
