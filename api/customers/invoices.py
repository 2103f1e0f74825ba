"""Invoices: what was issued, every line with its explanation, why a month differs, its paper, and corrections."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.answers import tagged
from api.customers.callers import Caller, Reader
from api.explained import ExplainedLine, lines_of
from api.pages import AsPages, Page, at_place, count_place, page_of
from api.refused import not_found
from api.v1 import Name
from billing.bridge import Bridge, BridgeStep, totals_by_kind
from models.correction import Cause, DeltaLine, Settlement
from models.invoice import InvoiceLine
from models.money import Currency
from models.period import Month
from models.reports import InvoiceView
from models.statement import Statement
from models.value import Day, Exact, Frozen, Instant

router = APIRouter(prefix="/v1")
Reference = Annotated[Name, Path(description="such as 2026-10@1/acme/USD; a slash is written %2F, or as it is")]


class IssuedAs(Frozen):
    """An issued invoice: its total, when it is due, and the fingerprint of the statement it bills."""

    reference: str
    number: str
    month: Month
    contract: str
    total: Exact
    currency: Currency
    status: str
    issued_at: Instant
    due_on: Day
    purchase_order: str | None
    statement: str
    pdf_sha256: str | None
    stripe_id: str


class WholeInvoice(Frozen):
    """An invoice with its lines and how its total is made up."""

    invoice: IssuedAs
    lines: tuple[InvoiceLine, ...]
    made_up: tuple[BridgeStep, ...]


class Why(Frozen):
    """The way from the total of the month before, in steps that sum to the change; null: there is none before."""

    why: Bridge | None


class Corrected(Frozen):
    """What was corrected of an issued invoice, line by line, with tax before and after."""

    id: str
    invoice: str
    month: Month
    cause: Cause
    settlement: Settlement
    reason: str
    currency: Currency
    lines: tuple[DeltaLine, ...]
    tax_before: Exact
    tax_after: Exact
    total: Exact
    settled_at: Instant


@router.get("/invoices", response_model=Page[IssuedAs])
def invoices(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List what was issued, newest month first."""
    rows, following = page_of(caller.books.invoices(), _place, asked, newest_first=True)
    return tagged(request, Page[IssuedAs](items=tuple(map(_issued, rows)), next=following))


@router.get("/invoices/{reference:path}/lines", response_model=Page[ExplainedLine])
def lines(request: Request, caller: Reader, asked: AsPages, reference: Reference) -> Response:
    """List the rated lines an invoice sums, each with its explanation, in their order."""
    rows, following = page_of(
        lines_of(_statement(caller, _found(caller, reference))), lambda one: (count_place(one.number),), asked
    )
    return tagged(request, Page[ExplainedLine](items=rows, next=following))


@router.get("/invoices/{reference:path}/why", response_model=Why)
def why(request: Request, caller: Reader, reference: Reference) -> Response:
    """Return why an invoice differs from the one of the month before."""
    return tagged(request, Why(why=caller.books.why(_statement(caller, _found(caller, reference)))))


@router.get(
    "/invoices/{reference:path}/pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}},
)
def paper(caller: Reader, reference: Reference) -> Response:
    """Give an invoice's PDF as it was issued."""
    view = _found(caller, reference)
    body = caller.books.paper(view)
    if body is None or view.issued is None:
        raise not_found()
    caller.looked(f"PDF of {view.invoice.reference}")
    named = {"Content-Disposition": f'attachment; filename="{view.issued.number}.pdf"', "Cache-Control": "no-store"}
    return Response(body, media_type="application/pdf", headers=named)


@router.get("/invoices/{reference:path}", response_model=WholeInvoice)
def invoice(request: Request, caller: Reader, reference: Reference) -> Response:
    """Return an invoice."""
    view = _found(caller, reference)
    made_up = totals_by_kind(_statement(caller, view))
    return tagged(request, WholeInvoice(invoice=_issued(view), lines=view.invoice.lines, made_up=made_up))


@router.get("/corrections", response_model=Page[Corrected])
def corrections(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List what was corrected and settled, newest first."""
    found = [
        Corrected(
            id=one.id,
            invoice=one.request.invoice,
            month=one.period,
            cause=one.request.cause,
            settlement=one.request.settlement,
            reason=one.request.reason,
            currency=one.currency,
            lines=one.lines,
            tax_before=one.tax_before,
            tax_after=one.tax_after,
            total=one.total,
            settled_at=at,
        )
        for one, at in caller.books.kept.corrections()
    ]
    rows, following = page_of(found, lambda one: (at_place(one.settled_at), one.id), asked, newest_first=True)
    return tagged(request, Page[Corrected](items=rows, next=following))


def _found(caller: Caller, reference: str) -> InvoiceView:
    view = caller.books.invoice(reference)
    if view is None:
        raise not_found()
    return view


def _statement(caller: Caller, view: InvoiceView) -> Statement:
    statement = caller.books.statement(view.invoice.statement)
    if statement is None:
        raise not_found()
    return statement


def _place(view: InvoiceView) -> tuple[str, ...]:
    return view.invoice.period, count_place(view.revision), view.invoice.reference


def _issued(view: InvoiceView) -> IssuedAs:
    invoice, issued = view.invoice, view.issued
    assert issued is not None  # a customer's books show no other
    return IssuedAs(
        reference=invoice.reference,
        number=issued.number,
        month=invoice.period,
        contract=invoice.contract,
        total=issued.total,
        currency=issued.currency,
        status=issued.status,
        issued_at=issued.issued_at,
        due_on=issued.due_on,
        purchase_order=invoice.purchase_order,
        statement=invoice.statement,
        pdf_sha256=issued.pdf_sha256,
        stripe_id=issued.stripe_id,
    )
