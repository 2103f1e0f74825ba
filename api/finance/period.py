"""Period: its tie-outs with both sides' numbers, who signed them, what is in the way, and the lock."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints

from api.answers import tagged, told
from api.finance.callers import Asks, AsOnce
from api.finance.shared import Month, Revision
from api.v1 import Text
from models.close import DecisionKind, Role
from models.control import PeriodStatus, TieOutName
from models.value import Frozen

router = APIRouter(prefix="/v1")
TIES_OUT = (Role.PREPARER, Role.APPROVER, Role.CONTROLLER)


class PeriodShown(Frozen):
    """How a period stands; `fingerprints` are what a signature of each tie-out names."""

    period: PeriodStatus
    fingerprints: dict[TieOutName, str]
    untied: dict[TieOutName, int]


class TiedOutNow(Frozen):
    """A period tied out anew: how many lines of each tie-out do not tie."""

    fingerprints: dict[TieOutName, str]
    untied: dict[TieOutName, int]


class SignTieOut(Frozen):
    """A tie-out's numbers as they were seen, by their fingerprint; the signature dies when they move."""

    name: Annotated[TieOutName, Field(strict=False)]
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    reason: Text = ""


class Signed(Frozen):
    """That a tie-out is signed."""

    name: TieOutName
    fingerprint: str


class Lock(Frozen):
    """Why a period is locked."""

    reason: Text


class Locked(Frozen):
    """That a period is locked, and who was accrued because they wait still."""

    accrued: tuple[str, ...]


class Nothing(Frozen):
    """A body without content."""


@router.get("/closes/{month}/period", response_model=PeriodShown)
def period(request: Request, asks: Asks, month: Month, revision: Revision = 1) -> Response:
    """Return how the accounting period stands."""
    asks.known(month, revision)
    found = asks.console.period(month, revision)
    kept = [one.tie_out for one in found.tie_outs]
    return tagged(
        request,
        PeriodShown(
            period=found,
            fingerprints={one.name: one.fingerprint() for one in kept},
            untied={one.name: len(one.untied) for one in kept},
        ),
    )


@router.post("/closes/{month}/period/tie-out", response_model=TiedOutNow)
async def tie_out(asks: Asks, once: AsOnce, month: Month, revision: Revision = 1) -> Response:
    """Tie the period out anew."""
    asks.having(*TIES_OUT)

    async def act() -> Response:
        asks.known(month, revision)
        await asks.console.tie_out(month)
        kept = [one.tie_out for one in asks.console.controls.newest(month).values()]
        return told(
            TiedOutNow(
                fingerprints={one.name: one.fingerprint() for one in kept},
                untied={one.name: len(one.untied) for one in kept},
            )
        )

    return await once.answered(act)


@router.post("/closes/{month}/period/sign", response_model=Signed)
async def sign(asks: Asks, once: AsOnce, month: Month, asked: SignTieOut, revision: Revision = 1) -> Response:
    """Sign a tie-out's numbers as they were seen."""
    asks.may(DecisionKind.SIGN_TIE_OUT)

    async def act() -> Response:
        asks.known(month, revision)
        asks.console.sign(asks.token, month, revision, asked.name, asked.fingerprint, asked.reason, once.id)
        return told(Signed(name=asked.name, fingerprint=asked.fingerprint))

    return await once.answered(act)


@router.post("/closes/{month}/period/lock", response_model=Locked)
async def lock(asks: Asks, once: AsOnce, month: Month, asked: Lock, revision: Revision = 1) -> Response:
    """Lock the period; who waits still is accrued."""
    asks.may(DecisionKind.LOCK)

    async def act() -> Response:
        asks.known(month, revision)
        accrued = await asks.console.lock(asks.token, month, revision, asked.reason, once.id)
        return told(Locked(accrued=tuple(accrued)))

    return await once.answered(act)
