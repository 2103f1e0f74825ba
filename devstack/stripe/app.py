"""The Stripe double as a process: `python -m devstack.stripe.app`, set up by four DOUBLE_ variables.

Nothing usable exists to test invoicing against without an account, so this stands in, held to the SDK's own parameter
types. What cannot be known of Stripe is refused rather than guessed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from devstack.stripe import papers
from devstack.stripe.api import Api, Call, Served
from devstack.stripe.control import Control
from devstack.stripe.errors import StripeError
from devstack.stripe.shop import Shop
from devstack.stripe.store import Store
from devstack.stripe.webhooks import Deliveries

_connections: dict[tuple[str, int], asyncio.Transport] = {}


class Droppable(H11Protocol):
    """The HTTP protocol, with its connections known by peer, so that one can be broken under a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _connections[transport.get_extra_info("peername")] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _connections.pop(self.transport.get_extra_info("peername"), None)
        super().connection_lost(exc)


def application(shop: Shop, key: str) -> Starlette:
    """Return the ASGI application over one account."""
    api = Api(shop, key)
    deliveries = Deliveries(shop, api.faults)

    async def call(request: Request) -> Response:
        served = api.serve(await _read(request))
        deliveries.wake()
        return await _answer(request, served)

    def paper(make: Callable[[Shop, str], bytes]) -> Callable[[Request], Response]:
        def get(request: Request) -> Response:
            try:
                return Response(make(shop, request.path_params["id"]), media_type="application/pdf")
            except StripeError as error:
                return Response(json.dumps(error.body()), error.status, media_type="application/json")

        return get

    async def pdf(request: Request) -> Response:
        return paper(papers.invoice_pdf)(request)

    async def credit_note_pdf(request: Request) -> Response:
        return paper(papers.credit_note_pdf)(request)

    async def page(request: Request) -> Response:
        try:
            return HTMLResponse(papers.invoice_page(shop, request.path_params["id"]))
        except StripeError as error:
            return Response(str(error), error.status)

    @asynccontextmanager
    async def delivering(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(deliveries.run())
        yield
        task.cancel()

    return Starlette(
        routes=[
            *Control(api).routes(),
            Route("/invoice/{id}/pdf", pdf),  # unguessable and without a key, as Stripe's own links are
            Route("/credit_note/{id}/pdf", credit_note_pdf),
            Route("/invoice/{id}", page),
            Route("/{path:path}", call, methods=["GET", "POST", "DELETE"]),
        ],
        lifespan=delivering,
    )


async def _read(request: Request) -> Call:
    body = await request.body()
    return Call(
        method=request.method,
        path=request.url.path,
        text=request.url.query if request.method == "GET" else body.decode(),
        key=_key_of(request.headers.get("authorization", "")),
        idempotency_key=request.headers.get("idempotency-key"),
        version=request.headers.get("stripe-version"),
    )


def _key_of(authorization: str) -> str | None:
    """Return the key of a Bearer or Basic header; Basic has it as the user name."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme == "Bearer":
        return credentials
    if scheme == "Basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


async def _answer(request: Request, served: Served) -> Response:
    """Return the answer, after what was to go wrong with it has gone wrong."""
    match served.fault.fault if served.fault is not None else None:
        case "timeout_after_commit":
            assert served.fault is not None
            await _gone_or_after(request, served.fault.seconds)
        case "connection_drop" | "connection_drop_before_commit":
            assert request.client is not None
            _connections[(request.client.host, request.client.port)].abort()
    status = served.answer.status or 500  # 0: nobody is there to read it
    return Response(json.dumps(served.answer.body), status, dict(served.headers), "application/json")


async def _gone_or_after(request: Request, seconds: float) -> None:
    """Wait until the caller has given up, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return


def main() -> None:
    """Serve until SIGTERM."""
    port = int(os.environ["DOUBLE_PORT"])
    store = Store(Path(os.environ["DOUBLE_FILE"]))
    shop = Shop(store, f"http://127.0.0.1:{port}", os.environ["DOUBLE_WEBHOOK_SECRET"])
    config = uvicorn.Config(
        application(shop, os.environ["DOUBLE_KEY"]),
        host="127.0.0.1",
        port=port,
        http=Droppable,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
