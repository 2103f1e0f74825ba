"""Refused: what rules, desks and the books say no to, as problems; the same words as the pages and the terminal."""

import logging
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio.service import RPCError

from activities.change_rate import NoProposal
from api import problem
from api.problem import Problem
from models.books import FourEyes, NotAuthenticated
from models.refusal import Refusal
from runtime.close_desk import NotYours
from runtime.finding_desk import UnknownFinding
from runtime.rate_desk import NotYourRate
from runtime.reach import TemporalUnreachable

log = logging.getLogger(__name__)
AGAIN = {"Retry-After": "10"}
NOT_ALLOWED = (NotYours, NotYourRate, FourEyes)
NOT_THERE = (UnknownFinding, NoProposal)
IDEMPOTENCY_KEY = "Idempotency-Key"
REFUSED = (Problem, Refusal, RPCError)
"""What an answer can be made of; anything else is a fault of ours."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    int(status): {
        "description": status.phrase,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.LENGTH_REQUIRED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
}
"""How every question may be refused, for the OpenAPI page; `api.v1` adds what a Problem is."""


def not_found() -> Problem:
    """Return the one answer to what isn't there and to what is somebody else's."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", "there is no such thing, or it is not yours to see")


def answer_to(refused: Exception) -> JSONResponse:
    """Return a problem or a refusal (one of REFUSED) as a response."""
    match refused:
        case Problem():
            return problem.answer(refused.status, refused.kind, refused.detail, {}, refused.headers)
        case RPCError() | TemporalUnreachable():
            said = "the workflows can't be reached at the moment, so nothing was decided"
            remedy = {"remedy": TemporalUnreachable.remedy}
            return problem.answer(HTTPStatus.SERVICE_UNAVAILABLE, "workflows_unreachable", said, remedy, AGAIN)
        case UnknownFinding() | NoProposal():
            return answer_to(not_found())
        case NotAuthenticated():
            bearer = {"WWW-Authenticate": "Bearer"}
            return problem.answer(HTTPStatus.UNAUTHORIZED, "no_key", refused.what, {"remedy": refused.remedy}, bearer)
        case Refusal():
            status = HTTPStatus.FORBIDDEN if isinstance(refused, NOT_ALLOWED) else HTTPStatus.CONFLICT
            more: dict[str, Any] = {"remedy": refused.remedy, "facts": refused.facts}
            return problem.answer(status, _word(refused.code), refused.what, more)
    raise refused


def told_by(app: FastAPI) -> None:
    """Have an app tell refusals, and faults without their inside."""
    problem.told_by(app)

    for kind in (Refusal, RPCError):

        @app.exception_handler(kind)
        def refused(_: Request, error: Exception) -> JSONResponse:
            return answer_to(error)

    plain = app.exception_handlers[RequestValidationError]

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        places = [one["loc"] for one in error.errors()]
        if ("header", IDEMPOTENCY_KEY) in places:
            said = f"a write needs the header {IDEMPOTENCY_KEY}: 1 to 255 printable characters, new for each write"
            return problem.answer(HTTPStatus.BAD_REQUEST, "no_idempotency_key", said, {})
        if places[0][0] == "path":
            return answer_to(not_found())
        told: JSONResponse = await plain(request, error)  # type: ignore[misc]
        return told

    @app.exception_handler(OperationalError)
    def unreachable(_: Request, error: OperationalError) -> JSONResponse:
        log.warning("the books do not answer: %s", type(error.orig).__name__)
        said = "the books do not answer at the moment; nothing is lost"
        return problem.answer(HTTPStatus.SERVICE_UNAVAILABLE, "books_unreachable", said, {}, AGAIN)

    @app.exception_handler(PoolTimeout)
    def crowded(_: Request, __: PoolTimeout) -> JSONResponse:
        return problem.answer(HTTPStatus.SERVICE_UNAVAILABLE, "crowded", "too many are asking at once", {}, AGAIN)

    @app.exception_handler(DBAPIError)
    def faulty(_: Request, error: DBAPIError) -> JSONResponse:
        log.error("the books answered %s", getattr(error.orig, "sqlstate", None))
        return _broken()

    @app.exception_handler(Exception)
    def broken(_: Request, error: Exception) -> JSONResponse:
        log.exception("a question broke", exc_info=error)
        return _broken()


def _broken() -> JSONResponse:
    said = "something went wrong on our side; it has been noted"
    return problem.answer(HTTPStatus.INTERNAL_SERVER_ERROR, "broken", said, {})


def _word(code: str) -> str:
    """Return a refusal's name as a problem's: PeriodNotOver as period_not_over."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).lower()
