"""Finance's app: closes as the books have them, and what a person may do about them."""

from dataclasses import replace
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from temporalio.service import RPCError

from runtime.console import Console
from runtime.reach import TemporalUnreachable
from web.app import app_of
from web.console import (
    approval,
    audit,
    closes,
    contracts,
    customers,
    exceptions,
    invoices,
    journal,
    period,
    picker,
    rate_drafts,
    rates,
    reports,
)
from web.face import Face, face_of
from web.signing_in import Provider, by_provider

TITLE = "Close"


def console_of(face: Face, console: Console, provider: Provider, word: str) -> FastAPI:
    """Return the app: the sign-in at a provider, and the pages over a reader of the books."""
    app = app_of(replace(face, periods=console.progress.periods), form_action=provider.issuer)
    app.state.console = console
    app.state.portal_url = None
    by_provider(app, provider, word)

    @app.exception_handler(RPCError)
    @app.exception_handler(TemporalUnreachable)
    def unreachable(request: Request, _: Exception) -> Response:
        return face_of(request).problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The workflows can't be reached at the moment, so nothing was decided.",
            TemporalUnreachable.remedy,
            {"Retry-After": "10"},
        )

    @app.get("/")
    def home() -> RedirectResponse:
        return RedirectResponse("/close", 303)

    for pages in (
        picker, closes, exceptions, approval, customers, invoices, period, journal, reports, rate_drafts, rates,
        contracts, audit,
    ):  # fmt: skip
        app.include_router(pages.router)
    return app
