"""Approval: what is to be signed, on one page: the statements, the checks, why they differ, and the signature."""

from bisect import bisect_left
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from models.close import Role, State
from models.visitor import Visitor
from runtime import list_changes
from runtime.console import ListChanged, listed
from web.console.reading import Month, Reason, Revision, back, console_of, known, reach
from web.face import face_of
from web.sessions import SignedIn, having, token_in, visitor
from web.tables import download

router = APIRouter()
APPROVERS = (Role.APPROVER, Role.CONTROLLER)
Approver = Annotated[Visitor, Depends(having(*APPROVERS))]
MOST_CHANGES = 200
"""Changes a page lists, the largest first; the CSV has all."""
WAITING_COLUMNS = (
    "customer", "total", "currency", "prior_total", "prior_currency", "change", "lines", "statement", "open_findings",
    "why",
)  # fmt: skip
FLUX_COLUMNS = (
    "customer", "product", "currency", "before", "now", "change", "volume", "mix", "price", "new", "lost", "late",
    "explain",
)  # fmt: skip
MOST_TERM_CHANGES = 500
"""Contracts and rates a page and its CSV list, the newest first."""
TERM_COLUMNS = ("kind", "name", "says", "in_force_from", "recorded_at", "proposed_by", "approved_by")


@router.get("/close/{month}/approval")
def approval(request: Request, person: SignedIn, month: Month, revision: Revision = 1) -> Response:
    """Show what is to be signed."""
    known(request, month, revision)
    console = console_of(request)
    found = console.approval(month, revision)
    parked = [one.customer for one in found.standings if one.state in (State.NEEDS_ATTENTION, State.REJECTED)]
    rows, held, engines = found.flux.rows, found.held, found.engines
    changes = bisect_left(rows, True, key=lambda row: not row.change)  # the largest change first: what is equal is last
    checks = [
        ("No finding holds a customer", not held, f"{len(held)} findings hold somebody"),
        ("No customer is parked by a refusal", not parked, ", ".join(parked) or "nobody is"),
        ("All statements were rated by the same engine", len(engines) <= 1, ", ".join(engines) or "none waits"),
        (
            "Lines sum to each total, and no pool is below zero",
            True,
            f"{len(found.waiting)} statements; one that does not tie cannot be stored",
        ),
    ]
    return face_of(request).page(
        request,
        "console/approval.html",
        visitor=person,
        month=month,
        revision=revision,
        waiting=found.waiting,
        clean=found.clean,
        checks=checks,
        flux=found.flux,
        changes=rows[: min(changes, MOST_CHANGES)],
        count=changes,
        sample=found.sample,
        terms=console.term_changes.since_last_close(month, MOST_TERM_CHANGES),
        engines=engines,
        engines_before=found.engines_before,
        list_fingerprint=console.list_fingerprint(found.clean),
        list_text=list_changes.text_of(listed(found.clean)),
        may=bool(set(APPROVERS) & set(person.person.roles)),
        **reach(request, found.standings),
    )


@router.post("/close/{month}/approval")
async def approve_list(
    request: Request,
    person: SignedIn,
    _approver: Approver,
    month: Month,
    list_fingerprint: Annotated[str, Form(pattern="^[0-9a-f]{64}$")],
    seen: Annotated[str, Form(max_length=5_000_000)] = "",
    reason: Reason = "",
    revision: Revision = 1,
) -> Response:
    """Sign the list that was seen; where it changed since nothing is signed, and the page says what is another."""
    known(request, month, revision)
    try:
        refused = await console_of(request).approve_list(token_in(request), month, revision, list_fingerprint, reason)
    except ListChanged:
        before = list_changes.listed_in(seen, list_fingerprint)
        if before is None:
            raise
        return await run_in_threadpool(_changed, request, person, month, revision, before)
    if not refused:
        return RedirectResponse(back(month, revision), 303)
    return face_of(request).page(
        request,
        "console/refused.html",
        visitor=person,
        month=month,
        revision=revision,
        refused=refused,
        to=back(month, revision, "/approval"),
    )


def _changed(request: Request, person: Visitor, month: str, revision: int, before: Mapping[str, str]) -> Response:
    """Return what is another than in the list that was seen."""
    console = console_of(request)
    found = console.approval(month, revision)
    return face_of(request).page(
        request,
        "console/list_changed.html",
        HTTPStatus.CONFLICT,
        visitor=person,
        month=month,
        revision=revision,
        count=len(before),
        moved=list_changes.moved(console.books, before, listed(found.clean), found.standings),
        to=back(month, revision, "/approval"),
    )


@router.get("/close/{month}/approval.csv", dependencies=[Depends(visitor)])
def approval_csv(request: Request, month: Month, revision: Revision = 1) -> Response:
    """Return what waits for a signature as it is shown."""
    known(request, month, revision)
    rows = [
        (
            one.standing.customer, one.rated.total, one.rated.currency, one.rated.prior_total,
            one.rated.prior_currency, one.rated.change, one.rated.lines, one.rated.statement, one.open_findings,
            one.standing.detail,
        )
        for one in console_of(request).approval(month, revision).waiting
    ]  # fmt: skip
    return download(f"approval-{month}@{revision}", WAITING_COLUMNS, rows)


@router.get("/close/{month}/flux.csv", dependencies=[Depends(visitor)])
def flux_csv(request: Request, month: Month, revision: Revision = 1) -> Response:
    """Return the flux as it is shown."""
    known(request, month, revision)
    rows = [
        (
            row.customer, row.product, row.currency, row.prior, row.this, row.change, row.volume, row.mix, row.price,
            row.new, row.lost, row.late, "yes" if row.material else "no",
        )
        for row in console_of(request).flux(month, revision).rows
    ]  # fmt: skip
    return download(f"flux-{month}@{revision}", FLUX_COLUMNS, rows)


@router.get("/close/{month}/term-changes.csv", dependencies=[Depends(visitor)])
def term_changes_csv(request: Request, month: Month, revision: Revision = 1) -> Response:
    """Return the contracts and rates that came since the last close as they are shown."""
    known(request, month, revision)
    found = console_of(request).term_changes.since_last_close(month, MOST_TERM_CHANGES).changes
    rows = [
        (
            one.kind, one.name, one.says, one.in_force_from, one.recorded_at.isoformat(), one.proposed_by,
            one.approved_by,
        )
        for one in found
    ]  # fmt: skip
    return download(f"term-changes-{month}@{revision}", TERM_COLUMNS, rows)
