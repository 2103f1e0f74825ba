"""Face: what a page of either app needs to be made: templates, clock, sessions, and who is looking."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.postgres.web_sessions import PostgresWebSessions
from models.refusal import Refusal
from web import charts, csrf, filters

TEMPLATES = Path(__file__).resolve().parent / "templates"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PATIENCE_SECONDS = 5
"""How long a page waits for one answer of the books; then it says that they are slow."""

NAV = {
    "portal": (
        ("/", "Overview"),
        ("/usage", "Usage"),
        ("/commitments", "Commitments"),
        ("/credits", "Credits"),
        ("/invoices", "Invoices"),
        ("/exports", "Exports"),
        ("/alerts", "Alerts"),
        ("/settings", "Settings"),
    ),
    "console": (
        ("/close", "Closes"),
        ("/invoices", "Invoices"),
        ("/journal", "Journal"),
        ("/reports", "Reports"),
        ("/rates", "Rates"),
        ("/contracts", "Contracts"),
        ("/audit", "Audit"),
    ),
}


class NotSecure(Refusal):
    """A face would be served without TLS to more than this machine."""

    remedy = "Give the address people use, https://…; plain http is for 127.0.0.1 alone."


class Clock(Protocol):
    """The present instant, in UTC."""

    def now(self) -> datetime:
        """Return it."""
        ...


@dataclass(frozen=True)
class Face:
    """One of the two apps: `portal` for customers, `console` for finance. `url` is the address people use."""

    name: str
    title: str
    url: str
    sessions: PostgresWebSessions
    clock: Clock
    embedded: bool = False
    periods: Callable[[], Sequence[str]] = tuple  # finance's pages go from one to another by them

    def __post_init__(self) -> None:
        if not self.secure and urlsplit(self.url).hostname not in LOOPBACK:
            raise NotSecure(f"the {self.name} is given a plain http address", url=self.url)

    @property
    def secure(self) -> bool:
        """Whether cookies are for TLS only."""
        return self.url.startswith("https://")

    @property
    def session_cookie(self) -> str:
        """The name of the cookie that holds a session's token; of a face its own, as ports share cookies."""
        return f"{'__Host-' if self.secure else ''}tieout-{self.name}"

    @property
    def visit_cookie(self) -> str:
        """The name of the cookie that holds a random word, for the forms of who is not signed in."""
        return f"{'__Host-' if self.secure else ''}tieout-{self.name}-visit"

    def page(
        self, request: Request, template: str, status: int = HTTPStatus.OK, /, visitor: Any = None, **context: Any
    ) -> HTMLResponse:
        """Return a page; `visitor` is who is signed in (a Guest or a Visitor), None on the pages before that."""
        word = self.secret(request) or secrets.token_urlsafe(32)
        body = self.fragment(
            template,
            csrf=csrf.token_of(word),
            path=request.url.path,
            query=request.url.query,
            visitor=visitor,
            **context,
        )
        answer = HTMLResponse(body, status)
        if self.secret(request) is None:
            self._set(answer, self.visit_cookie, word, None)
        return answer

    def fragment(self, template: str, **context: Any) -> str:
        """Return a template's text: a part of a page, as the stream and a swapped form send it."""
        shared = {"face": self, "nav": NAV[self.name], "now": self.clock.now(), "csrf": "", "path": "", "query": ""}
        return environment().get_template(template).render({"visitor": None, **shared, **context})

    def problem(self, status: int, what: str, remedy: str, headers: Mapping[str, str]) -> HTMLResponse:
        """Return a problem's page. It says nothing of who asks or for what, so that equal problems are equal bytes."""
        body = self.fragment("problem.html", status=status, what=what, remedy=remedy)
        return HTMLResponse(body, status, dict(headers))

    def secret(self, request: Request) -> str | None:
        """Return what the forms of this browser are bound to: its session, or the word of its visit."""
        return request.cookies.get(self.session_cookie) or request.cookies.get(self.visit_cookie)

    def signed_in(self, token: str, until: datetime, to: str) -> RedirectResponse:
        """Return the way to a page with a new session in hand."""
        answer = RedirectResponse(to, HTTPStatus.SEE_OTHER)
        lasts = int((until - self.clock.now()).total_seconds())
        self._set(answer, self.session_cookie, token, lasts)
        return answer

    def signed_out(self, to: str) -> RedirectResponse:
        """Return the way out, without the session."""
        answer = RedirectResponse(to, HTTPStatus.SEE_OTHER)
        answer.delete_cookie(self.session_cookie, path="/", secure=self.secure, httponly=True, samesite="lax")
        return answer

    def _set(self, answer: HTMLResponse | RedirectResponse, name: str, value: str, lasts: int | None) -> None:
        answer.set_cookie(name, value, max_age=lasts, path="/", secure=self.secure, httponly=True, samesite="lax")


def face_of(request: Request) -> Face:
    """Return the face of the app that was asked."""
    return cast(Face, request.app.state.face)


@lru_cache
def environment() -> Environment:
    """Return the templates: everything is escaped, and a name that is missing is a fault, not an empty word."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(filters.ALL)
    made.globals.update(charts.ALL)
    return made
