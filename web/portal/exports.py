"""Exports: files made on request or of every month, listed with rows and hash; each comes out as it was made."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from billing.customer_files import FORMATS, KINDS
from models.visitor import Guest
from runtime.customer_desk import CustomerDesk
from runtime.sign_in import new_id
from web.face import face_of
from web.portal.reading import reader_of
from web.problem import not_found
from web.sessions import AsGuest, MayChange

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
        standing={(one.kind, one.format) for one in books.kept.standing_exports()},
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
    if _desk(request, guest).make_export(new_id(), month, kind, format) is None:
        raise not_found()
    return RedirectResponse("/exports", 303)


@router.post("/exports/every-month")
def choose(
    request: Request,
    guest: MayChange,
    kind: Annotated[str, Form()],
    format: Annotated[str, Form()],
    wanted: Annotated[bool, Form()],
) -> Response:
    """Choose whether a file is made of every month, once its invoice is issued."""
    if not _desk(request, guest).choose_export(kind, format, wanted):
        raise not_found()
    return RedirectResponse("/exports", 303)


@router.get("/exports/{export_id}")
def fetch(request: Request, guest: AsGuest, export_id: str) -> Response:
    """Give a file: made again of the same statement, and refused unless it is the same bytes."""
    found = _desk(request, guest).file(export_id)
    if found is None:
        raise not_found()
    export, made = found
    name = f"{export.customer}-{export.period}-{export.kind}.{export.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-SHA256": made.sha256}
    return Response(made.body, media_type=FORMATS[export.format], headers=headers)


def _desk(request: Request, guest: Guest) -> CustomerDesk:
    return CustomerDesk(reader_of(request, guest), request.app.state.issuer, guest.who, face_of(request).clock)
