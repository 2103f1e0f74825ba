"""Exports: files of a month, made on request, listed with rows and hash; a file always comes out as it was made."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from models.reports import StatementView
from models.visitor import Export, Guest
from runtime.customer_exports import FORMATS, KINDS, File, NotAsMade, file_of
from runtime.portal import CustomerBooks
from runtime.sign_in import new_id
from web.face import face_of
from web.portal.reading import reader_of
from web.problem import not_found
from web.sessions import AsGuest

router = APIRouter()


@router.get("/exports")
def exports(request: Request, guest: AsGuest) -> Response:
    """List the files that were made, and offer to make more."""
    books = reader_of(request, guest)
    return face_of(request).page(
        request,
        "portal/exports.html",
        visitor=guest,
        made=books.kept.exports(),
        months=books.closed_months(),
        kinds=KINDS,
        formats=tuple(FORMATS),
    )


@router.post("/exports")
def make(
    request: Request,
    guest: AsGuest,
    month: Annotated[str, Form()],
    kind: Annotated[str, Form()],
    format: Annotated[str, Form()],
) -> Response:
    """Make a file, and keep what it was: of which statement, how many rows, which bytes."""
    books, face = reader_of(request, guest), face_of(request)
    if kind not in KINDS or format not in FORMATS or month not in books.closed_months():
        raise not_found()
    newest = books.newest(month)
    if newest is None:
        raise not_found()
    made = _file(request, books, newest, kind, format)
    books.kept.keep_export(
        Export(
            id=new_id(),
            customer=guest.customer,
            period=month,
            kind=kind,
            format=format,
            statement=newest.kept_as,
            rows_written=made.rows,
            sha256=made.sha256,
            made_by=guest.who,
            made_at=face.clock.now(),
        )
    )
    return RedirectResponse("/exports", 303)


@router.get("/exports/{export_id}")
def fetch(request: Request, guest: AsGuest, export_id: str) -> Response:
    """Give a file: made again of the same statement, and refused unless it is the same bytes."""
    books = reader_of(request, guest)
    export = books.kept.export(export_id)
    statement = books.statement(export.statement) if export else None
    if export is None or statement is None:
        raise not_found()
    issuer = request.app.state.issuer
    made = file_of(export.kind, export.format, statement, lambda: books.usage(statement), issuer)
    if made.sha256 != export.sha256:
        raise NotAsMade("the file comes out otherwise than it was made", made=export.made_at, export=export.id)
    _log(books, guest, request, export)
    name = f"{export.customer}-{export.period}-{export.kind}.{export.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-SHA256": made.sha256}
    return Response(made.body, media_type=FORMATS[export.format], headers=headers)


def _file(request: Request, books: CustomerBooks, newest: StatementView, kind: str, form: str) -> File:
    statement = newest.statement
    return file_of(kind, form, statement, lambda: books.usage(statement), request.app.state.issuer)


def _log(books: CustomerBooks, guest: Guest, request: Request, export: Export) -> None:
    what = f"export {export.id}: {export.kind} of {export.period} as {export.format}, {export.rows_written} rows"
    books.kept.looked(guest.who, what, face_of(request).clock.now())
