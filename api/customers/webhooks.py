"""Webhooks: where a customer's systems are told of events and what came of it; a delivery asked for again.

Endpoints are added, and their secrets shown, on the pages alone: what `/v1` answers to a write is kept.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import tagged, told
from api.customers.callers import AsOnce, Caller, Reader, Writer
from api.pages import AsPages, Cursor, Page, at_place, none_of_ours, page_of
from api.refused import not_found
from api.v1 import Name
from models.value import Frozen
from models.webhook import Delivery, DeliveryView, EndpointView
from runtime.webhook_desk import NoSuchEndpoint, NothingToReplay

router = APIRouter(prefix="/v1")
EndpointId = Annotated[Name, Path()]


class ReplayAsked(Frozen):
    """The event to be delivered again, under the same webhook-id."""

    notice: Name


class EndpointEnded(Frozen):
    """That nothing is sent to an endpoint any more."""

    id: str


@router.get("/webhooks", response_model=Page[EndpointView])
def endpoints(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List the endpoints, ended ones among them, oldest first."""
    rows, following = page_of(
        caller.webhooks.views(), lambda one: (at_place(one.endpoint.made_at), one.endpoint.id), asked
    )
    return tagged(request, Page[EndpointView](items=rows, next=following))


@router.get("/webhooks/{endpoint_id}", response_model=EndpointView)
def endpoint(request: Request, caller: Reader, endpoint_id: EndpointId) -> Response:
    """Return an endpoint."""
    return tagged(request, _found(caller, endpoint_id))


@router.get("/webhooks/{endpoint_id}/deliveries", response_model=Page[DeliveryView])
def deliveries(request: Request, caller: Reader, asked: AsPages, endpoint_id: EndpointId) -> Response:
    """List the deliveries to an endpoint, newest first, each with every try."""
    _found(caller, endpoint_id)
    before = _before(endpoint_id, asked.cursor) if asked.cursor else None
    found = caller.webhooks.deliveries(endpoint_id, asked.limit + 1, before)
    rows = found[: asked.limit]
    following = _place(rows[-1].delivery).text() if len(found) > len(rows) else None
    return tagged(request, Page[DeliveryView](items=rows, next=following))


@router.post("/webhooks/{endpoint_id}/replay", response_model=Delivery)
async def replay(caller: Writer, once: AsOnce, endpoint_id: EndpointId, asked: ReplayAsked) -> Response:
    """Ask for a delivery that has ended once more."""

    async def act() -> Response:
        try:
            made = await run_in_threadpool(caller.webhooks.replay, endpoint_id, asked.notice, caller.holder.who)
        except (NoSuchEndpoint, NothingToReplay) as missing:
            raise not_found() from missing
        return told(made)

    return await once.answered(act)


@router.post("/webhooks/{endpoint_id}/end", response_model=EndpointEnded)
async def end(caller: Writer, once: AsOnce, endpoint_id: EndpointId) -> Response:
    """End an endpoint."""

    async def act() -> Response:
        try:
            await run_in_threadpool(caller.webhooks.end, endpoint_id, caller.holder.who)
        except NoSuchEndpoint as missing:
            raise not_found() from missing
        return told(EndpointEnded(id=endpoint_id))

    return await once.answered(act)


def _found(caller: Caller, endpoint_id: str) -> EndpointView:
    try:
        return caller.webhooks.view(endpoint_id)
    except NoSuchEndpoint as missing:
        raise not_found() from missing


def _place(one: Delivery) -> Cursor:
    return Cursor(after=(one.notice, str(one.number)))


def _before(endpoint_id: str, cursor: Cursor) -> Delivery:
    """Return the delivery a page ended with; raises Problem 422 where the cursor is none of ours."""
    try:
        notice, number = cursor.after
        return Delivery(endpoint=endpoint_id, notice=notice, number=int(number))
    except ValueError as error:
        raise none_of_ours() from error
