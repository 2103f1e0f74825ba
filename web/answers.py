"""Answers: how refusals, faults and what isn't there become pages of their own."""

import logging
from http import HTTPStatus

from botocore.exceptions import BotoCoreError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from models.books import NotAuthenticated
from models.refusal import Refusal
from web.face import face_of
from web.problem import Problem, not_found

log = logging.getLogger(__name__)
STATEMENT_TIMED_OUT = "57014"


def told_by(app: FastAPI) -> None:
    """Have an app tell its problems as pages."""

    def page(request: Request, status: HTTPStatus, what: str, remedy: str) -> Response:
        headers = {"Retry-After": "10"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        return face_of(request).problem(int(status), what, remedy, headers)

    @app.exception_handler(Problem)
    def problem(request: Request, error: Problem) -> Response:
        return page(request, error.status, error.what, error.remedy)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return problem(request, not_found())
        status = HTTPStatus(error.status_code)
        return page(request, status, f"{status.phrase}.", "Go back, and try another way.")

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
        if first["loc"][0] == "path":
            return problem(request, not_found())
        what = f"{field or 'The form'}: {str(first['msg']).removeprefix('Value error, ')}."
        return page(request, HTTPStatus.UNPROCESSABLE_ENTITY, what, "Go back and correct it.")

    @app.exception_handler(NotAuthenticated)
    def nobody(request: Request, error: NotAuthenticated) -> Response:
        return page(request, HTTPStatus.FORBIDDEN, f"{error.what}.", error.remedy)

    @app.exception_handler(Refusal)
    def refused(request: Request, error: Refusal) -> Response:
        return page(request, HTTPStatus.CONFLICT, f"{error.what}.", error.remedy)

    @app.exception_handler(OperationalError)
    def unreachable(request: Request, error: OperationalError) -> Response:
        log.warning("the books cannot be reached: %s", type(error.orig).__name__)
        if getattr(error.orig, "sqlstate", None) == STATEMENT_TIMED_OUT:
            what = "The books take too long to answer at the moment, so no number is shown."
            return page(request, HTTPStatus.SERVICE_UNAVAILABLE, what, "Nothing is lost. Try again in a few seconds.")
        return page(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The books can't be reached at the moment, so no number is shown.",
            "Nothing is lost. Try again in a few seconds.",
        )

    @app.exception_handler(BotoCoreError)
    def no_store(request: Request, error: BotoCoreError) -> Response:
        log.warning("the store cannot be reached: %s", type(error).__name__)
        return page(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The usage behind this page can't be reached at the moment, so no number is shown.",
            "Nothing is lost. Try again in a few seconds; invoices are shown without it.",
        )

    @app.exception_handler(PoolTimeout)
    def crowded(request: Request, _: PoolTimeout) -> Response:
        return page(
            request, HTTPStatus.SERVICE_UNAVAILABLE, "Too many are asking at once.", "Try again in a few seconds."
        )

    @app.exception_handler(DBAPIError)
    def faulty(request: Request, error: DBAPIError) -> Response:
        code = getattr(error.orig, "sqlstate", None)
        log.error("the books answered %s", code)
        return page(
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Something went wrong on our side.",
            "It has been noted. Try again, or tell us when it happened.",
        )

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> Response:
        log.exception("a page broke", exc_info=error)
        return page(
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Something went wrong on our side.",
            "It has been noted. Try again, or tell us when it happened.",
        )
