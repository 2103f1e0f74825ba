"""V1: what the customers' API and finance's are both made of, and the parts of a question they share."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, StringConstraints

from api import refused
from api.limiting import Guarded
from api.problem import Problem, ProblemBody, refuse_unknown

MONTH = r"^2[01]\d\d-(0[1-9]|1[0-2])$"
MonthOf = Annotated[str, StringConstraints(pattern=MONTH)]
"""A month in an address or a body, such as 2026-10."""


def _plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("expected text without the character NUL")
    return text


Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_plain)]
"""Words in a body."""

Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)]
"""An id in an address or a body."""

Chosen = Annotated[Name | None, Query(min_length=1)]
"""What a filter chooses; left out: everything."""

bearer = HTTPBearer(auto_error=False)


class Questions(FastAPI):
    """An app whose OpenAPI page says once what a problem is."""

    def openapi(self) -> dict[str, Any]:
        """Return the page."""
        page = super().openapi()
        page["components"]["schemas"].setdefault("Problem", ProblemBody.model_json_schema())
        return page


def app_of(title: str, description: str, routers: Iterable[APIRouter] = ()) -> FastAPI:
    """Return an app over questions: problems, limits of a body and headers are the same for both."""
    app = Questions(
        title=title,
        version="1",
        description=description,
        docs_url=None,
        redoc_url=None,
        responses=refused.RESPONSES,
        generate_unique_id_function=_name_of,
        dependencies=[Depends(refuse_unknown)],
    )
    refused.told_by(app)
    app.add_middleware(Guarded)
    for router in routers:
        app.include_router(router)
    return app


def _name_of(route: APIRoute) -> str:
    """Return a question's name on the OpenAPI page: what its module is about, and what it asks of it."""
    return f"{route.endpoint.__module__.rpartition('.')[2]}_{route.name}"


def token_of(given: HTTPAuthorizationCredentials | None) -> str:
    """Return the token of a question; raises Problem 401. Cookies are never looked at."""
    if given is None:
        raise nobody("a key is needed: Authorization: Bearer …")
    return given.credentials


def nobody(said: str) -> Problem:
    """Return the answer to a question without a key, or with one that opens nothing."""
    return Problem(HTTPStatus.UNAUTHORIZED, "no_key", said, {"WWW-Authenticate": "Bearer"})
