"""Period: its tie-outs with both sides' numbers, who signed them, what is in the way, and the lock."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from models.close import Role
from models.control import PeriodState, TieOutName
from models.visitor import Visitor
from web.console.reading import Month, Reason, Revision, back, console_of, known, reach
from web.face import face_of
from web.sessions import SignedIn, having, token_in, visitor
from web.tables import download

router = APIRouter()
SIGNERS = (Role.PREPARER, Role.APPROVER, Role.CONTROLLER)
Signer = Annotated[Visitor, Depends(having(*SIGNERS))]
Locker = Annotated[Visitor, Depends(having(Role.CONTROLLER))]


@router.get("/close/{month}/period")
def period(request: Request, person: SignedIn, month: Month, revision: Revision = 1) -> Response:
    """Show how the accounting period stands."""
    known(request, month, revision)
    console = console_of(request)
    found = console.period(month, revision)
    return face_of(request).page(
        request,
        "console/period.html",
        visitor=person,
        month=month,
        revision=revision,
        period=found,
        signed={one.name: one for one in found.signatures if one.stands},
        locked=found.state is PeriodState.LOCKED,
        asked=console.asked_to_reopen(month, revision),
        may={role.value for role in person.person.roles},
        **reach(request, console.books.standings(month, revision)),
    )


@router.get("/close/{month}/period.csv", dependencies=[Depends(visitor)])
def period_csv(request: Request, month: Month, revision: Revision = 1) -> Response:
    """Return both sides' numbers of every tie-out as they are shown."""
    known(request, month, revision)
    rows = [
        (kept.tie_out.name.value, line.subject, line.left, line.right, line.unit, kept.tie_out.fingerprint())
        for kept in console_of(request).period(month, revision).tie_outs
        for line in kept.tie_out.lines
    ]
    return download(f"tie-outs-{month}@{revision}", ("tie_out", "of", "left", "right", "unit", "fingerprint"), rows)


@router.post("/close/{month}/period/tie-out")
async def tie_out(request: Request, _person: Signer, month: Month, revision: Revision = 1) -> Response:
    """Tie the period out anew."""
    known(request, month, revision)
    await console_of(request).tie_out(month)
    return RedirectResponse(back(month, revision, "/period"), 303)


@router.post("/close/{month}/period/sign")
def sign(
    request: Request,
    _person: Signer,
    month: Month,
    name: Annotated[TieOutName, Form()],
    fingerprint: Annotated[str, Form(pattern="^[0-9a-f]{64}$")],
    reason: Reason = "",
    revision: Revision = 1,
) -> Response:
    """Sign a tie-out's numbers as they are shown."""
    known(request, month, revision)
    console_of(request).sign(token_in(request), month, revision, name, fingerprint, reason)
    return RedirectResponse(back(month, revision, "/period"), 303)


@router.post("/close/{month}/period/reopen")
async def reopen(
    request: Request,
    _person: Signer,
    month: Month,
    reason: Reason = "",
    hours: Annotated[int, Form(ge=1, le=240)] = 24,
    revision: Revision = 1,
) -> Response:
    """Ask to open a locked period again, or, as a controller who did not ask, open it; every signature is dropped."""
    known(request, month, revision)
    await console_of(request).reopen(token_in(request), month, revision, reason, timedelta(hours=hours))
    return RedirectResponse(back(month, revision, "/period"), 303)


@router.post("/close/{month}/period/lock")
async def lock(request: Request, _person: Locker, month: Month, reason: Reason, revision: Revision = 1) -> Response:
    """Lock the period; who waits still is accrued."""
    known(request, month, revision)
    await console_of(request).lock(token_in(request), month, revision, reason)
    return RedirectResponse(back(month, revision, "/period"), 303)
