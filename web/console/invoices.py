"""Invoices: what was asked for and what is issued, each line with the explanation of every amount in it."""

from fastapi import APIRouter, Depends, Request, Response

from models.reports import InvoiceView
from web.console.reading import Name, OneMonth, back, console_of
from web.face import face_of
from web.problem import not_found
from web.sessions import SignedIn, visitor
from web.tables import download

router = APIRouter()
MOST = 200
"""Invoices a page lists; the CSV has all."""
COLUMNS = (
    "reference",
    "customer",
    "period",
    "number",
    "status",
    "owed",
    "total",
    "currency",
    "issued_at",
    "due_on",
    "statement",
)


@router.get("/invoices")
def invoices(request: Request, person: SignedIn, period: OneMonth = None, customer: Name = None) -> Response:
    """Show invoices, newest month first."""
    books = console_of(request).books
    return face_of(request).page(
        request,
        "console/invoices.html",
        visitor=person,
        invoices=books.invoices(period, customer or None, MOST),
        count=books.count_invoices(period, customer or None),
        filters={"period": period, "customer": customer},
    )


@router.get("/invoices.csv", dependencies=[Depends(visitor)])
def invoices_csv(request: Request, period: OneMonth = None, customer: Name = None) -> Response:
    """Return the invoices as they are shown."""
    return download("invoices", COLUMNS, map(_cells, console_of(request).books.invoices(period, customer or None)))


@router.get("/invoices/{reference:path}")
def invoice(request: Request, person: SignedIn, reference: str) -> Response:
    """Show an invoice: its lines, and under each the rated lines it sums."""
    console = console_of(request)
    books = console.books
    view = books.invoice(reference)
    statement = books.statement(view.invoice.statement) if view else None
    if view is None or statement is None:
        raise not_found()
    lines = {line.id: line for line in statement.lines}
    asked = view.invoice
    closed = console.standing(asked.period, view.revision, asked.customer)  # none of months before the takeover
    return face_of(request).page(
        request,
        "console/invoice.html",
        visitor=person,
        view=view,
        statement=statement,
        lines=lines,
        close=back(asked.period, view.revision, f"/customers/{asked.customer}") if closed else "",
    )


def _cells(view: InvoiceView) -> tuple[object, ...]:
    invoice, issued = view.invoice, view.issued
    return (
        invoice.reference,
        invoice.customer,
        invoice.period,
        issued.number if issued else None,
        view.state,
        view.owed,
        invoice.total,
        invoice.currency,
        issued.issued_at.isoformat() if issued else None,
        issued.due_on.isoformat() if issued else None,
        invoice.statement,
    )
