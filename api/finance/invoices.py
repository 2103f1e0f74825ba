"""Invoices: what was asked for and what was issued, of every customer, each line with its explanation."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.answers import tagged
from api.explained import ExplainedLine, lines_of
from api.finance.callers import Asks, Caller
from api.finance.shared import OfMonth
from api.pages import AsPages, Page, count_place, page_of
from api.refused import not_found
from api.v1 import Chosen, Name
from models.reports import InvoiceView

router = APIRouter(prefix="/v1")
Reference = Annotated[Name, Path(description="such as 2026-10@1/acme/USD; a slash is written %2F, or as it is")]


@router.get("/invoices", response_model=Page[InvoiceView])
def invoices(request: Request, asks: Asks, asked: AsPages, period: OfMonth = None, customer: Chosen = None) -> Response:
    """List invoices as asked for and as issued, newest month first."""
    found = asks.console.books.invoices(period, customer)
    rows, following = page_of(
        found,
        lambda one: (one.invoice.period, one.invoice.customer, count_place(one.revision), one.invoice.reference),
        asked,
        newest_first=True,
    )
    return tagged(request, Page[InvoiceView](items=rows, next=following))


@router.get("/invoices/{reference:path}/lines", response_model=Page[ExplainedLine])
def lines(request: Request, asks: Asks, asked: AsPages, reference: Reference) -> Response:
    """List the rated lines an invoice sums, each with its explanation, in their order."""
    statement = asks.console.books.statement(_found(asks, reference).invoice.statement)
    if statement is None:
        raise not_found()
    rows, following = page_of(lines_of(statement), lambda one: (count_place(one.number),), asked)
    return tagged(request, Page[ExplainedLine](items=rows, next=following))


@router.get("/invoices/{reference:path}", response_model=InvoiceView)
def invoice(request: Request, asks: Asks, reference: Reference) -> Response:
    """Return an invoice."""
    return tagged(request, _found(asks, reference))


def _found(asks: Caller, reference: str) -> InvoiceView:
    found = asks.console.books.invoice(reference)
    if found is None:
        raise not_found()
    return found
