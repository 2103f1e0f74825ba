"""Problems: every refusal as application/problem+json (RFC 9457), naming line and field where there are any."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from billing.quote import Unpriced


class ProblemBody(BaseModel):
    """A problem as it is told (RFC 9457), with the place of the fault where there is one."""

    type: str
    title: str
    status: int
    detail: str
    line: int | None = Field(default=None, description="which line of a quote, counted from 0")
    field: str | None = Field(default=None, description="the place of the fault, such as lines[1].meter")
    remedy: str | None = None
    facts: dict[str, str] | None = Field(
        default=None, description="what the refusal is about, such as a verdict's code"
    )


RESPONSES: dict[int | str, dict[str, Any]] = {
    int(status): {
        "description": status.phrase,
        "content": {"application/problem+json": {"schema": ProblemBody.model_json_schema()}},
    }
    for status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
    )
}
"""How every question may be refused, for the OpenAPI page."""


class Problem(Exception):
    """A request that is not answered: status, a sentence, and where the fault lies."""

    def __init__(self, status: HTTPStatus, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers
        super().__init__(detail)


def refuse_unknown(request: Request) -> None:
    """Refuse a parameter that the question does not have, or has once: what is asked is answered. Raises Problem."""
    known = set(_parameters(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known:
            said = f"there is no parameter {name!r}; there are {', '.join(sorted(known)) or 'none'}"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_parameter", said)
        if len(request.query_params.getlist(name)) > 1:
            said = f"the parameter {name!r} is given twice: one of them would not be answered"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "parameter_twice", said)


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def answer(
    status: HTTPStatus, kind: str, detail: str, more: Mapping[str, Any], headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a problem as a response; `kind` is its name, the same as long as the fault is."""
    body = {"type": f"urn:tieout:problem:{kind}", "title": status.phrase, "status": int(status), "detail": detail}
    return JSONResponse({**body, **more}, int(status), headers, media_type="application/problem+json")


def told_by(app: FastAPI) -> None:
    """Have an app tell its problems this one way."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.kind, error.detail, {}, error.headers)

    @app.exception_handler(Unpriced)
    async def unpriced(_: Request, error: Unpriced) -> JSONResponse:
        place: list[int | str] = ["lines", error.line, error.field] if error.line is not None else [error.field]
        more = {**_line(place), "field": _path(place), "remedy": error.remedy}
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "unpriced", error.what, more)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = [part for part in first["loc"] if part not in ("body", "query", "path")]
        said = str(first["msg"]).removeprefix("Value error, ")
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", said, {**_line(place), "field": _path(place)})

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        return answer(status, status.name.lower(), str(error.detail), {}, dict(error.headers or {}))


def _line(place: Sequence[int | str]) -> dict[str, int]:
    """Return which line of a quote a place lies in, counted from 0, if in any."""
    return {"line": place[1]} if place[0:1] == ["lines"] and len(place) > 1 and isinstance(place[1], int) else {}


def _path(place: Sequence[int | str]) -> str:
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{part}"
    return path
