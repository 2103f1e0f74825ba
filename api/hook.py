"""The hook: where the invoicing platform tells what became of invoices. Kept first, applied by a workflow."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from adapters.stripe_events import event_of
from api.problem import answer
from models.refusal import Refusal
from models.stripe_event import PlatformEvent

PATH = "/v1/stripe/events"
MOST_BYTES = 1_000_000


class Events(Protocol):
    """Where events are kept."""

    def keep(self, event: PlatformEvent, at: datetime) -> None:
        """Keep an event once."""
        ...


class Clock(Protocol):
    """The present instant, in UTC."""

    def now(self) -> datetime:
        """Return it."""
        ...


def hook_of(events: Events, apply: Callable[[str], Awaitable[None]], secret: str, clock: Clock) -> FastAPI:
    """Return the app: it keeps a signed event and starts its workflow; only then does it answer 200.

    Anything before fails with 5xx, and the platform sends it again. A wrong signature is 400 and leaves nothing.
    """
    app = FastAPI(title="Tieout Stripe hook", version="1", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(Refusal)
    async def refused(_request: Request, refusal: Refusal) -> Response:
        return answer(HTTPStatus.BAD_REQUEST, refusal.code, refusal.what, {"remedy": refusal.remedy})

    @app.post(PATH)
    async def receive(request: Request) -> dict[str, str]:
        payload = await request.body()
        if len(payload) > MOST_BYTES:
            raise TooLong("the payload is longer than any event", bytes=len(payload))
        event = event_of(payload, request.headers.get("Stripe-Signature", ""), secret)
        await run_in_threadpool(events.keep, event, clock.now())
        await apply(event.id)
        return {"received": event.id}

    @app.get("/healthz")
    async def healthy() -> dict[str, bool]:
        return {"receives": True}

    return app


class TooLong(Refusal):
    """A payload is longer than what is read."""

    remedy = "Stripe's events are far shorter; whoever sends this is somebody else."
