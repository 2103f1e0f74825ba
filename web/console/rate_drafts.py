"""Rate drafts: a price written into a form, shown beside the catalog's, then proposed and simulated."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from models.close import Role
from models.rate_change import RateProposal
from models.refusal import Refusal
from models.visitor import Visitor
from runtime.rate_drafts import FIELDS
from runtime.reach import TemporalUnreachable
from web.console.reading import console_of
from web.face import face_of
from web.problem import not_found
from web.sessions import SignedIn, having, token_in

router = APIRouter()
Proposer = Annotated[Visitor, Depends(having(Role.PREPARER, Role.CONTROLLER))]
Word = Annotated[str, Form(max_length=500)]


@router.get("/rates/timeline")
def timeline(request: Request, person: SignedIn, subject: Annotated[str, Query(max_length=500)]) -> Response:
    """Show everything ever known of one rate, in both times, and what was proposed about it."""
    console = console_of(request)
    versions, proposals = console.catalog.timeline(subject), console.rate_changes.of_subject(subject)
    if not versions and not proposals:
        raise not_found()
    return face_of(request).page(
        request, "console/rate.html", visitor=person, subject=subject, versions=versions, proposals=proposals
    )


@router.get("/rates/changes/new")
def blank(request: Request, person: Proposer, of: Annotated[str, Query(max_length=500)] = "") -> Response:
    """Show the form; with the newest version of a rate filled in where one is named."""
    versions = console_of(request).catalog.timeline(of) if of else ()
    newest = versions[-1].version if versions else None
    said = dict.fromkeys(FIELDS, "")
    if newest is not None:
        where = ", ".join(f"{name}={value}" for name, value in sorted(newest.where.items()))
        said |= {"rate": newest.rate, "meter": newest.meter, "where": where, "currency": newest.currency}
        said |= {"per": f"{newest.per:f}"}
    return _form(request, person, said)


@router.post("/rates/changes/new")
async def draft(
    request: Request,
    person: Proposer,
    step: Annotated[str, Form(pattern="^(draft|propose)$")],
    rate: Word = "",
    meter: Word = "",
    where: Word = "",
    from_: Annotated[str, Form(alias="from", max_length=40)] = "",
    amount: Word = "",
    per: Word = "",
    currency: Word = "",
    source: Word = "",
    checked_on: Word = "",
) -> Response:
    """Compare a draft with the catalog and write nothing; or propose it, and go to its simulation."""
    values = (rate, meter, where, from_, amount, per, currency, source, checked_on)
    said = dict(zip(FIELDS, values, strict=True))
    console = console_of(request)
    try:
        if step == "propose":
            proposal = await console.propose_rate(token_in(request), said)
            return RedirectResponse(f"/rates/changes/{proposal}", 303)
        return _form(request, person, said, drafted=console.draft_rate(said))
    except TemporalUnreachable:
        raise
    except Refusal as refusal:
        return _form(request, person, said, HTTPStatus.UNPROCESSABLE_ENTITY, refused=refusal)


def _form(
    request: Request,
    person: Visitor,
    said: dict[str, str],
    status: int = HTTPStatus.OK,
    drafted: RateProposal | None = None,
    refused: Refusal | None = None,
) -> Response:
    return face_of(request).page(
        request, "console/rate_draft.html", status, visitor=person, said=said, drafted=drafted, refused=refused
    )
