"""Alerts: what a customer wants to be told of."""

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from api.answers import tagged, told
from api.customers.callers import AsOnce, Reader, Writer
from api.pages import AsPages, Page, at_place, page_of
from api.problem import Problem
from api.refused import not_found
from api.v1 import Name
from billing.alerting import AlertKind, Firing
from models.value import Exact, Frozen, Instant
from models.visitor import Alert
from runtime.customer_desk import HIGHEST, fits

router = APIRouter(prefix="/v1")


class AlertSet(Frozen):
    """An alert in force: of the month's total, or of a pool by name, from a threshold on (an amount, percent, days)."""

    id: str
    kind: AlertKind
    pool: str | None
    threshold: Exact
    made_by: str
    made_at: Instant
    fired: tuple[Firing, ...] = Field(description="months in which it is told, and of what value")


class AlertAsked(Frozen):
    """An alert to be set: an amount in the invoice's currency, a percentage of a pool, or a number of days."""

    kind: Annotated[AlertKind, Field(strict=False)] = AlertKind.TOTAL
    threshold: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$")]
    pool: Name | None = Field(default=None, description="by name; a month's total has none")


class Ended(Frozen):
    """That an alert is in force no more."""

    id: str


@router.get("/alerts", response_model=Page[AlertSet])
def alerts(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List the alerts in force, oldest first."""
    rows, following = page_of(caller.desk.alerts(), lambda one: (at_place(one[0].made_at), one[0].id), asked)
    return tagged(request, Page[AlertSet](items=tuple(_set(*one) for one in rows), next=following))


@router.post("/alerts", response_model=AlertSet)
async def add(caller: Writer, once: AsOnce, asked: AlertAsked) -> Response:
    """Set an alert."""
    threshold = Decimal(asked.threshold)
    if not fits(asked.kind, threshold):
        said = f"a threshold is above 0 and at most {HIGHEST[asked.kind]}; days are whole"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", said)

    async def act() -> Response:
        made = await run_in_threadpool(caller.desk.add_alert, once.id.hex, asked.kind, asked.pool or "", threshold)
        if made is None:
            raise not_found()
        fired = dict(await run_in_threadpool(caller.desk.alerts))
        return told(_set(made, fired.get(made, ())))

    return await once.answered(act)


@router.post("/alerts/{alert_id}/end", response_model=Ended)
async def end(caller: Writer, once: AsOnce, alert_id: Annotated[Name, Path()]) -> Response:
    """End an alert."""

    async def act() -> Response:
        if not await run_in_threadpool(caller.books.kept.end_alert, alert_id, caller.clock.now()):
            raise not_found()
        return told(Ended(id=alert_id))

    return await once.answered(act)


def _set(one: Alert, fired: tuple[Firing, ...]) -> AlertSet:
    return AlertSet(
        id=one.id,
        kind=AlertKind(one.kind),
        pool=one.subject or None,
        threshold=one.threshold,
        made_by=one.made_by,
        made_at=one.made_at,
        fired=fired,
    )
