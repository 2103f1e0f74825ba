"""Sessions: who is looking at a page; nobody is sent to sign in and brought back to the same page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from models.close import Role
from models.visitor import Guest, Visitor
from web.face import face_of
from web.problem import forbidden

LASTS = {"console": timedelta(hours=10), "portal": timedelta(days=7)}
VIEW_AS_LASTS = timedelta(hours=1)


class SignInFirst(Exception):
    """Nobody is signed in."""


def token_in(request: Request) -> str:
    """Return the session's token of a request; raises SignInFirst where there is none."""
    token = request.cookies.get(face_of(request).session_cookie)
    if not token:
        raise SignInFirst
    return token


def guest(request: Request) -> Guest:
    """Return whose session at the portal this is; raises SignInFirst."""
    face = face_of(request)
    found = face.sessions.guest(token_in(request), face.clock.now())
    if found is None:
        raise SignInFirst
    return found


def visitor(request: Request) -> Visitor:
    """Return who of finance is signed in; raises SignInFirst."""
    face = face_of(request)
    found = face.sessions.visitor(token_in(request), face.clock.now())
    if found is None:
        raise SignInFirst
    return found


SignedIn = Annotated[Visitor, Depends(visitor)]
"""A page of the console takes this: somebody of finance, of whatever role."""

AsGuest = Annotated[Guest, Depends(guest)]
"""A page of the portal takes this: somebody who sees one customer's pages."""


def changes(found: AsGuest) -> Guest:
    """Return a guest who may change things; raises Problem for a viewer and for finance."""
    if not found.may_change:
        raise forbidden("You may look at this, not change it.", "Ask an administrator of your company's account.")
    return found


MayChange = Annotated[Guest, Depends(changes)]
"""A form of the portal takes this: an administrator of the customer."""


def having(*roles: Role) -> Callable[[Visitor], Visitor]:
    """Return the dependency that lets in only people with one of these roles: `Annotated[Visitor, having(…)]`."""

    def check(found: SignedIn) -> Visitor:
        if not set(roles) & set(found.person.roles):
            allowed = ", ".join(sorted(role.value for role in roles))
            raise forbidden(f"This is for {allowed}.", "Ask somebody who has that role.")
        return found

    return check


def safe_path(given: str | None, otherwise: str) -> str:
    """Return a path of ours to go on to; another host's, or anything else, is replaced by `otherwise`."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")):
        return otherwise
    if any(ord(letter) < 32 for letter in given) or "\\" in given or urlsplit(given).netloc:
        return otherwise
    return otherwise if urlsplit(given).path.startswith("/sign-in") else given


def told_by(app: FastAPI) -> None:
    """Have an app send nobody to the sign-in, and from there back to the page they wanted."""

    @app.exception_handler(SignInFirst)
    def sign_in(request: Request, _: SignInFirst) -> Response:
        if request.headers.get("accept", "").startswith("text/event-stream"):
            return Response(status_code=401)  # a stream is not followed anywhere; the page itself is asked again
        return RedirectResponse(f"/sign-in?next={quote(_wanted(request), safe='/')}", 303)


def _wanted(request: Request) -> str:
    """Return the page somebody was on: of a form, the one it stood on."""
    url: Any = request.url
    if request.method not in ("GET", "HEAD"):
        before = urlsplit(request.headers.get("referer", ""))
        return f"{before.path or '/'}{f'?{before.query}' if before.query else ''}"
    return f"{url.path}{f'?{url.query}' if url.query else ''}"
