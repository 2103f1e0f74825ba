"""The double's switches and windows for tests: `/_faults`, `/_rate_limit`, `/_idempotency`, `/_state`, `/_requests`.

They ask for no key: the double listens on the loopback interface and holds nothing real.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devstack.stripe import idempotency
from devstack.stripe.api import Api
from devstack.stripe.faults import Fault

Endpoint = Callable[[Request], Awaitable[Response]]


class Control:
    """The switches over one API."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._store = api.shop.store

    def routes(self) -> list[Route]:
        """Return the routes, all below an underscore, which no path of Stripe's begins with."""
        return [
            Route("/_faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_rate_limit", self.rate_limit, methods=["POST"]),
            Route("/_idempotency", self.prune, methods=["DELETE"]),
            Route("/_state", self.state, methods=["GET"]),
            Route("/_requests", self.requests, methods=["GET", "DELETE"]),
        ]

    async def faults(self, request: Request) -> Response:
        """List the faults still to happen; POST one to add it, DELETE to clear them."""
        if request.method == "POST":
            try:
                self._api.faults.add(Fault.model_validate_json(await request.body()))
            except ValidationError as error:
                return Response(error.json(include_url=False), 422, media_type="application/json")
        if request.method == "DELETE":
            self._api.faults.clear()
        return JSONResponse({"faults": self._api.faults.waiting()})

    async def rate_limit(self, request: Request) -> Response:
        """Set `{"per_second": 100}` as in live mode, or null for no limit."""
        per_second = (await request.json())["per_second"]
        if per_second is not None and not (isinstance(per_second, int) and per_second > 0):
            return JSONResponse({"error": "per_second is a whole number above 0, or null"}, 422)
        self._api.rate_limit.per_second = per_second
        return JSONResponse({"per_second": per_second})

    async def prune(self, request: Request) -> Response:
        """Forget idempotency keys of at least `older_than_seconds` (all by default), as Stripe may after a day."""
        older_than = int(request.query_params.get("older_than_seconds", "0"))
        with self._store.transaction():
            return JSONResponse({"pruned": idempotency.prune(self._store, older_than)})

    async def state(self, request: Request) -> Response:
        """Count what there is. `?metadata=close` also counts invoices by that metadata key."""
        invoices = self._store.all("invoice")
        counts: dict[str, Any] = {
            kind + "s": self._store.count(kind)
            for kind in ("customer", "invoice", "invoiceitem", "credit_note", "event")
        }
        counts["idempotency_keys"] = self._store.sql.execute("SELECT count(*) FROM idempotency").fetchone()[0]
        counts["invoices_by_status"] = Counter(one["status"] for one in invoices)
        if (name := request.query_params.get("metadata")) is not None:
            counts["invoices_by_metadata"] = Counter(one["metadata"].get(name, "") for one in invoices)
        return JSONResponse(counts)

    async def requests(self, request: Request) -> Response:
        """List the API calls since the last DELETE, oldest first; `?path=/v1/invoices` keeps paths that begin so."""
        if request.method == "DELETE":
            self._store.sql.execute("DELETE FROM requests")
        rows = self._store.sql.execute(
            "SELECT * FROM requests WHERE substr(path, 1, length(?1)) = ?1 ORDER BY seq",
            (request.query_params.get("path", ""),),
        ).fetchall()
        return JSONResponse({"requests": [dict(row) | {"replayed": bool(row["replayed"])} for row in rows]})
