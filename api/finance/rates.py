"""Rates: the catalog as known now, the inbox of proposals, and what a second person decides on one."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from api.answers import tagged, told
from api.finance.callers import Asks, AsOnce
from api.finance.shared import ACCEPTED, Decided, decided
from api.pages import AsPages, Page, at_place, page_of
from api.refused import not_found
from api.v1 import Chosen, Name, Text
from models.approval import Verdict
from models.close import DecisionKind, Role
from models.money import Currency
from models.rate_change import ChangeKind, ChangeStep, ChangeView, KnownRate
from models.value import Exact, Frozen, Instant

router = APIRouter(prefix="/v1")
SIMULATES = (Role.PREPARER, Role.APPROVER, Role.CONTROLLER)
Proposal = Annotated[Name, Path()]


class RateShown(Frozen):
    """A rate version by its id, with both its times."""

    id: str
    known: KnownRate


class ChangeShown(Frozen):
    """A proposal, what it does to the catalog, the last step taken, and how much more all pay by its simulation."""

    change: ChangeView
    kind: ChangeKind
    step: ChangeStep
    moves: dict[Currency, Exact]


class DecideRate(Frozen):
    """What is decided on a proposal; never by who proposed it."""

    kind: Literal["approve_rate", "reject_rate"]
    reason: Text = ""


@router.get("/rates", response_model=Page[RateShown])
def rates(
    request: Request,
    asks: Asks,
    asked: AsPages,
    card: Chosen = None,
    meter: Chosen = None,
    at: Annotated[Instant | None, Query(description="in force at this instant")] = None,
) -> Response:
    """List the catalog as it is known now, by rate and start."""
    found = [one for one in asks.console.catalog.listed(card, at) if meter in (None, one.version.meter)]
    rows, following = page_of(
        found, lambda one: (one.version.subject, at_place(one.version.starts_at), at_place(one.recorded_at)), asked
    )
    shown = tuple(RateShown(id=one.version.id, known=one) for one in rows)
    return tagged(request, Page[RateShown](items=shown, next=following))


@router.get("/rate-changes", response_model=Page[ChangeShown])
def changes(
    request: Request,
    asks: Asks,
    asked: AsPages,
    everything: Annotated[bool, Query(description="also those nobody waits for any more")] = False,
) -> Response:
    """List the proposals that wait for a person, oldest first."""
    found = asks.console.rate_changes.inbox(everything)
    rows, following = page_of(found, lambda one: (at_place(one.proposed_at), one.id), asked)
    return tagged(request, Page[ChangeShown](items=tuple(map(_shown, rows)), next=following))


@router.get("/rate-changes/{proposal}", response_model=ChangeShown)
def change(request: Request, asks: Asks, proposal: Proposal) -> Response:
    """Return a proposal."""
    view = asks.console.rate_changes.proposal(proposal)
    if view is None:
        raise not_found()
    return tagged(request, _shown(view))


@router.post("/rate-changes/{proposal}/simulate", response_model=ChangeShown)
async def simulate(asks: Asks, once: AsOnce, proposal: Proposal) -> Response:
    """Simulate a proposal over the last closed month and the month to date."""
    asks.having(*SIMULATES)

    async def act() -> Response:
        return told(_shown(await (await asks.console.rates()).simulate(proposal)))

    return await once.answered(act)


@router.post("/rate-changes/{proposal}/decide", response_model=Decided, responses=ACCEPTED)
async def decide(asks: Asks, once: AsOnce, proposal: Proposal, asked: DecideRate) -> Response:
    """Approve or reject a proposal that was simulated."""
    kind = DecisionKind(asked.kind)
    asks.may(kind)

    async def act() -> Verdict | None:
        desk = await asks.console.rates()
        _, verdict = await desk.decide(kind, asks.token, proposal, asked.reason, once.id)
        return verdict

    return await decided(once, act)


def _shown(view: ChangeView) -> ChangeShown:
    moves = view.simulation.money() if view.simulation is not None else {}
    return ChangeShown(change=view, kind=view.proposal.kind, step=view.step, moves=moves)
