"""Signing in: finance by OpenID Connect, customers by a link that is mailed to them and spent once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from authlib.integrations.starlette_client import OAuth, OAuthError
from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware

from runtime.sign_in import link_to, new_id, new_token
from web.face import Face, face_of
from web.problem import Problem
from web.sessions import LASTS, safe_path

LINK_LASTS = timedelta(minutes=30)
SIGN_IN_SECONDS = 600
HOME = {"console": "/close", "portal": "/"}


@dataclass(frozen=True)
class Provider:
    """The identity provider of finance: its issuer, and who we are there."""

    issuer: str
    client: str
    secret: str


def by_provider(app: FastAPI, provider: Provider, word: str) -> None:
    """Add the sign-in of finance: authorization code with PKCE, state and nonce.

    `word` signs the cookie that holds these while somebody is away at the provider; it is nothing else's.
    """
    face: Face = app.state.face
    app.add_middleware(
        SessionMiddleware,
        secret_key=word,
        session_cookie=f"{'__Host-' if face.secure else ''}tieout-away",
        max_age=SIGN_IN_SECONDS,
        same_site="lax",
        https_only=face.secure,
    )
    client = OAuth().register(
        "finance",
        client_id=provider.client,
        client_secret=provider.secret,
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "trust_env": False},
    )

    @app.get("/sign-in")
    def sign_in(request: Request, next: str = "") -> Response:
        return face.page(request, "console/sign_in.html", next=safe_path(next, HOME["console"]))

    @app.get("/sign-in/start")
    async def start(request: Request, next: str = "", login_hint: str = "") -> Response:
        request.session["next"] = safe_path(next, HOME["console"])
        more = {"login_hint": login_hint} if login_hint else {}
        answer: Response = await client.authorize_redirect(request, f"{face.url}/sign-in/back", **more)
        return answer

    @app.get("/sign-in/back")
    async def back(request: Request) -> Response:
        to = safe_path(request.session.pop("next", None), HOME["console"])
        claims = await _claims(client, request)
        token, now = new_token(), face.clock.now()
        until = now + LASTS["console"]
        subject = str(claims["sub"])
        await run_in_threadpool(face.sessions.open_person, provider.issuer, subject, new_id(), token, now, until)
        return face.signed_in(token, until, to)

    _sign_out(app)


def by_link(app: FastAPI, mail: Callable[[str, str], None]) -> None:
    """Add the sign-in of customers. `mail(address, link)` sends a link to whom it is for.

    Whether there is such an address is told by the mail alone. The link's page only asks; the POST on it spends.
    """
    face: Face = app.state.face

    @app.get("/sign-in")
    def sign_in(request: Request, next: str = "") -> Response:
        return face.page(request, "portal/sign_in.html", next=safe_path(next, HOME["portal"]), sent=False)

    @app.post("/sign-in")
    def ask(
        request: Request, email: Annotated[str, Form(max_length=254)], next: Annotated[str, Form()] = ""
    ) -> Response:
        token, now, to = new_token(), face.clock.now(), safe_path(next, HOME["portal"])
        if face.sessions.ask_link(email.strip().lower(), new_id(), token, now, now + LINK_LASTS):
            mail(email.strip().lower(), link_to(face.url, token, to))
        return face.page(request, "portal/sign_in.html", next=to, sent=True)

    @app.get("/sign-in/link/{token}")
    def confirm(request: Request, token: str, next: str = "") -> Response:
        name = face.sessions.link_name(token, face.clock.now())
        if name is None:
            raise spent()
        return face.page(request, "portal/confirm.html", token=token, name=name, next=safe_path(next, HOME["portal"]))

    @app.post("/sign-in/link/{token}")
    def spend(token: str, next: Annotated[str, Form()] = "") -> Response:
        session, now = new_token(), face.clock.now()
        until = now + LASTS["portal"]
        if not face.sessions.spend(token, new_id(), session, now, until):
            raise spent()
        return face.signed_in(session, until, safe_path(next, HOME["portal"]))

    _sign_out(app)


def spent() -> Problem:
    """Return the answer to a link that opens nothing: spent, expired, or never made."""
    return Problem(
        HTTPStatus.GONE, "This link was used already, or its time is over.", "Ask for a new one at the sign-in page."
    )


async def _claims(client: Any, request: Request) -> dict[str, Any]:
    try:
        found = await client.authorize_access_token(request)
    except (OAuthError, JoseError) as error:
        raise Problem(
            HTTPStatus.FORBIDDEN, "The sign-in was not completed.", "Begin it again from the sign-in page."
        ) from error
    claims: dict[str, Any] = found.get("userinfo") or {}
    if "sub" not in claims:
        raise Problem(HTTPStatus.FORBIDDEN, "The provider did not say who you are.", "Begin the sign-in again.")
    return claims


def _sign_out(app: FastAPI) -> None:
    @app.post("/sign-out")
    def sign_out(request: Request) -> RedirectResponse:
        face = face_of(request)
        token = request.cookies.get(face.session_cookie)
        if token:
            face.sessions.end(token, face.clock.now())
        return face.signed_out("/sign-in")
