"""Exports: files of a closed month, made on request, listed with rows and hash; they come out as they were made."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.answers import tagged, told
from api.customers.callers import AsOnce, Reader, Writer
from api.pages import AsPages, Page, at_place, page_of
from api.refused import not_found
from api.v1 import MonthOf, Name
from billing.customer_files import FORMATS
from models.money import Currency
from models.period import Month
from models.value import Exact, Frozen, Instant
from models.visitor import Export, StandingExport

router = APIRouter(prefix="/v1")
ExportId = Annotated[Name, Path()]


class ExportMade(Frozen):
    """A file: of which statement, how many rows, and the SHA-256 of its bytes."""

    id: str
    month: Month
    kind: str
    format: str
    statement: str
    rows: int
    sha256: str
    total: Exact | None = Field(description="the statement's")
    currency: Currency | None
    made_by: str = Field(description="a user, a key, or `every month`")
    made_at: Instant


Kind = Literal["lines", "usage", "focus"]
Format = Literal["csv", "parquet"]


class ExportAsked(Frozen):
    """A file to be made of a closed month."""

    month: MonthOf
    kind: Kind
    format: Format


class StandingChosen(Frozen):
    """Whether a file is made of every month, once its invoice is issued."""

    kind: Kind
    format: Format
    wanted: bool


@router.get("/exports", response_model=Page[ExportMade])
def exports(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List the files that were made, newest first."""
    found = caller.books.kept.exports(most=None)
    rows, following = page_of(found, lambda one: (at_place(one.made_at), one.id), asked, newest_first=True)
    return tagged(request, Page[ExportMade](items=tuple(map(_made, rows)), next=following))


@router.post("/exports", response_model=ExportMade)
async def make(caller: Writer, once: AsOnce, asked: ExportAsked) -> Response:
    """Make a file of a closed month."""

    async def act() -> Response:
        made = await run_in_threadpool(caller.desk.make_export, once.id.hex, asked.month, asked.kind, asked.format)
        if made is None:
            raise not_found()
        return told(_made(made))

    return await once.answered(act)


@router.get("/exports/{export_id}", response_model=ExportMade)
def export(request: Request, caller: Reader, export_id: ExportId) -> Response:
    """Return what a file is."""
    found = caller.books.kept.export(export_id)
    if found is None:
        raise not_found()
    return tagged(request, _made(found))


@router.get(
    "/exports/{export_id}/file",
    response_class=Response,
    responses={
        200: {"content": {form: {"schema": {"type": "string", "format": "binary"}} for form in FORMATS.values()}}
    },
)
def file(caller: Reader, export_id: ExportId) -> Response:
    """Give a file: made again of the same statement, and refused unless it is the same bytes."""
    found = caller.desk.file(export_id)
    if found is None:
        raise not_found()
    one, made = found
    name = f"{one.customer}-{one.period}-{one.kind}.{one.format}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-SHA256": made.sha256,
        "Cache-Control": "no-store",
    }
    return Response(made.body, media_type=FORMATS[one.format], headers=headers)


@router.get("/standing-exports", response_model=Page[StandingExport])
def standing(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List the files that are made of every month, by kind and format."""
    rows, following = page_of(caller.books.kept.standing_exports(), lambda one: (one.kind, one.format), asked)
    return tagged(request, Page[StandingExport](items=rows, next=following))


@router.post("/standing-exports", response_model=StandingChosen)
async def choose(caller: Writer, once: AsOnce, asked: StandingChosen) -> Response:
    """Choose whether a file is made of every month whose invoice is issued from now on."""

    async def act() -> Response:
        if not await run_in_threadpool(caller.desk.choose_export, asked.kind, asked.format, asked.wanted):
            raise not_found()
        return told(asked)

    return await once.answered(act)


def _made(one: Export) -> ExportMade:
    return ExportMade(
        id=one.id,
        month=one.period,
        kind=one.kind,
        format=one.format,
        statement=one.statement,
        rows=one.rows_written,
        sha256=one.sha256,
        total=one.total,
        currency=one.currency,
        made_by=one.made_by,
        made_at=one.made_at,
    )
