"""Rates: the catalog in both times, one rate's timeline, and the inbox of proposals that a second person decides."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from models.close import DecisionKind, Role
from models.visitor import Visitor
from web.console.reading import Name, OneInstant, Reason, console_of, reach
from web.face import face_of
from web.live import live
from web.problem import not_found
from web.sessions import SignedIn, having, token_in, visitor
from web.tables import download

router = APIRouter()
Decider = Annotated[Visitor, Depends(having(Role.APPROVER, Role.CONTROLLER))]
Simulator = Annotated[Visitor, Depends(having(Role.PREPARER, Role.APPROVER, Role.CONTROLLER))]
COLUMNS = (
    "id", "card", "meter", "where", "amount", "per", "currency", "from", "until", "known_since", "source",
    "proposed_by", "approved_by",
)  # fmt: skip


@router.get("/rates")
def rates(request: Request, person: SignedIn, card: Name = None, meter: Name = None, at: OneInstant = None) -> Response:
    """Show the inbox and the catalog."""
    console = console_of(request)
    found = [one for one in console.catalog.listed(card or None, at) if not meter or one.version.meter == meter]
    return face_of(request).page(
        request,
        "console/rates.html",
        visitor=person,
        rates=found,
        inbox=console.rate_changes.inbox(),
        filters={"card": card, "meter": meter, "at": at.isoformat() if at else None},
        **reach(request),
    )


@router.get("/rates.csv", dependencies=[Depends(visitor)])
def rates_csv(request: Request, card: Name = None, meter: Name = None, at: OneInstant = None) -> Response:
    """Return the catalog as it is shown."""
    rows = [
        (
            one.version.id, one.version.rate, one.version.meter,
            " ".join(f"{name}={value}" for name, value in sorted(one.version.where.items())),
            one.version.amount, one.version.per, one.version.currency, one.version.starts_at.isoformat(),
            one.effective_until.isoformat() if one.effective_until else None, one.recorded_at.isoformat(),
            one.version.source, one.proposed_by, one.approved_by,
        )
        for one in console_of(request).catalog.listed(card or None, at)
        if not meter or one.version.meter == meter
    ]  # fmt: skip
    return download("rates", COLUMNS, rows)


@router.get("/rates/changes/{proposal}")
def change(request: Request, person: SignedIn, proposal: str) -> Response:
    """Show a proposal: what it says, what it would move, and who decides."""
    console = console_of(request)
    view = console.rate_changes.proposal(proposal)
    if view is None:
        raise not_found()
    may = bool({Role.APPROVER, Role.CONTROLLER} & set(person.person.roles))
    mine = view.proposed_by == person.person.id
    return face_of(request).page(
        request, "console/rate_change.html", visitor=person, view=view, may=may, mine=mine, **reach(request)
    )


@router.get("/live/rates/changes/{proposal}", dependencies=[Depends(visitor)])
def change_live(request: Request, proposal: str) -> Response:
    """Send the steps of a change again whenever it takes one."""
    changes = console_of(request).rate_changes
    if changes.proposal(proposal) is None:
        raise not_found()

    def read() -> str:
        visitor(request)
        return face_of(request).fragment("console/rate_steps.html", view=changes.proposal(proposal))

    return live(request, read)


@router.post("/rates/changes/{proposal}/simulate")
async def simulate(request: Request, _person: Simulator, proposal: str) -> Response:
    """Simulate a proposal over the last closed month and the month to date."""
    await (await console_of(request).rates()).simulate(proposal)
    return RedirectResponse(f"/rates/changes/{proposal}", 303)


@router.post("/rates/changes/{proposal}/decide")
async def decide(
    request: Request, _person: Decider, proposal: str, kind: Annotated[DecisionKind, Form()], reason: Reason = ""
) -> Response:
    """Approve or reject a proposal; never who proposed it."""
    if kind not in (DecisionKind.APPROVE_RATE, DecisionKind.REJECT_RATE):
        raise not_found()
    await (await console_of(request).rates()).decide(kind, token_in(request), proposal, reason)
    return RedirectResponse(f"/rates/changes/{proposal}", 303)
