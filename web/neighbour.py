"""Neighbour: another app at the same address as the pages, with none of their cookies, forms and sessions."""

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/v1/"
PAGE = "/openapi.json"


class Beside:
    """The pages, and beside them an API under its own addresses."""

    def __init__(self, pages: ASGIApp, api: ASGIApp) -> None:
        self._pages, self._api = pages, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        asked = scope["type"] == "http" and (path.startswith(PREFIX) or path == PAGE)
        await (self._api if asked else self._pages)(scope, receive, send)
