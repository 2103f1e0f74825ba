"""Alerts: what a customer wants to be told of."""

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from api.answers import tagged, told
from api.customers.callers import AsOnce, Reader, Writer
from api.pages import AsPages, Page, at_place, page_of
from api.problem import Problem
from api.refused import not_found
from api.v1 import Chosen, Name
from billing.alerting import AlertKind, Firing
from models.money import Currency
from models.value import Exact, Frozen, Instant
from models.visitor import Alert
from runtime.customer_desk import HIGHEST, fits

router = APIRouter(prefix="/v1")
Threshold = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$")]


class AlertSet(Frozen):
    """An alert in force: of the month's total, or of a pool by name, from a threshold on (an amount, percent, days)."""

    id: str
    kind: AlertKind
    pool: str | None
    threshold: Exact
    currency: Currency | None = Field(description="of a month's total")
    made_by: str
    made_at: Instant
    fired: tuple[Firing, ...] = Field(description="months in which it is told, and of what value")


class AlertAsked(Frozen):
    """An alert to be set: an amount in a currency, a percentage of a pool, or a number of days."""

    kind: Annotated[AlertKind, Field(strict=False)] = AlertKind.TOTAL
    threshold: Threshold
    pool: Name | None = Field(default=None, description="by name; a month's total has none")
    currency: Currency | None = Field(default=None, description="of a month's total; null: the newest month's")


class Preview(Frozen):
    """An alert that is not set, and the months in which it would have been told, and of what value."""

    kind: AlertKind
    pool: str | None
    threshold: Exact
    currency: Currency | None
    would_fire: tuple[Firing, ...]


class Ended(Frozen):
    """That an alert is in force no more."""

    id: str


@router.get("/alerts", response_model=Page[AlertSet])
def alerts(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List the alerts in force, oldest first."""
    rows, following = page_of(caller.desk.alerts(), lambda one: (at_place(one[0].made_at), one[0].id), asked)
    return tagged(request, Page[AlertSet](items=tuple(_set(*one) for one in rows), next=following))


@router.get("/alerts/preview", response_model=Preview)
def preview(
    request: Request,
    caller: Reader,
    threshold: Annotated[Threshold, Query()],
    kind: AlertKind = AlertKind.TOTAL,
    pool: Chosen = None,
    currency: Annotated[Currency | None, Query()] = None,
) -> Response:
    """Return in which months an alert would have been told, without setting it."""
    found = caller.desk.preview(kind, pool or "", _fitting(kind, threshold), currency)
    if found is None:
        raise not_found()
    alert, fired = found
    return tagged(
        request,
        Preview(
            kind=kind, pool=alert.subject or None, threshold=alert.threshold, currency=alert.currency, would_fire=fired
        ),
    )


@router.post("/alerts", response_model=AlertSet)
async def add(caller: Writer, once: AsOnce, asked: AlertAsked) -> Response:
    """Set an alert."""
    threshold = _fitting(asked.kind, asked.threshold)

    async def act() -> Response:
        made = await run_in_threadpool(
            caller.desk.add_alert, once.id.hex, asked.kind, asked.pool or "", threshold, asked.currency
        )
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


def _fitting(kind: AlertKind, threshold: str) -> Decimal:
    """Return a threshold as a number; raises Problem 422 where it is none of its kind."""
    given = Decimal(threshold)
    if not fits(kind, given):
        said = f"a threshold is above 0 and at most {HIGHEST[kind]}; days are whole"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", said)
    return given


def _set(one: Alert, fired: tuple[Firing, ...]) -> AlertSet:
    return AlertSet(
        id=one.id,
        kind=AlertKind(one.kind),
        pool=one.subject or None,
        threshold=one.threshold,
        currency=one.currency,
        made_by=one.made_by,
        made_at=one.made_at,
        fired=fired,
    )
