"""The identity provider of the embedded stack: OpenID Connect for the demo people, on this machine alone.

    python -m devstack.identity --port 9000

It speaks what the console uses: discovery, authorize (code, PKCE S256), token, keys; tokens are RS256. Anybody who
can reach it signs in as anybody of the demo, so it refuses any address but loopback.
"""

import base64
import hashlib
import hmac
import html
import ipaddress
import os
import secrets
import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

import typer
import uvicorn
from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

from devstack.book import people

CLIENT = "tieout-console"
CODE_SECONDS = 60
TOKEN_SECONDS = 300
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class NotLoopback(ValueError):
    """The demo's sign-in would be reachable from other machines."""


@dataclass(frozen=True)
class Grant:
    """A code, until it is spent."""

    subject: str
    redirect: str
    challenge: str
    nonce: str
    until: float


def refuse_beyond_loopback(host: str) -> None:
    """Return for a loopback address; raises NotLoopback for any other, a name among them."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopback(f"the demo's sign-in is for 127.0.0.1 alone, not for {host}")


def provider_of(issuer: str, secret: str, redirect: str) -> FastAPI:
    """Return the provider. `secret` is the console's, `redirect` the one address codes are sent to."""
    app = FastAPI(title="Demo identity provider", docs_url=None, redoc_url=None, openapi_url=None)
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(8)})
    names = {person: name for person, name, _ in people.PEOPLE}
    grants: dict[str, Grant] = {}

    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        return {"serves": True}

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, object]:
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["openid", "profile"],
        }

    @app.get("/keys")
    def keys() -> dict[str, object]:
        return {"keys": [key.as_dict(private=False)]}

    @app.get("/authorize")
    def authorize(
        client_id: str,
        redirect_uri: str,
        response_type: str,
        state: str,
        nonce: str,
        code_challenge: str,
        code_challenge_method: str,
        login_hint: str = "",
    ) -> Response:
        if (
            client_id != CLIENT
            or redirect_uri != redirect
            or (response_type, code_challenge_method) != ("code", "S256")
        ):
            return HTMLResponse("<p>This client is not known here.</p>", 400, HEADERS)
        asked = {"state": state, "nonce": nonce, "code_challenge": code_challenge}
        if login_hint not in names:
            return HTMLResponse(_choice(names, asked | {"client_id": client_id}, redirect_uri), headers=HEADERS)
        code = secrets.token_urlsafe(32)
        grants[code] = Grant(login_hint, redirect_uri, code_challenge, nonce, time.monotonic() + CODE_SECONDS)
        return RedirectResponse(f"{redirect_uri}?{urlencode({'code': code, 'state': state})}", 303, HEADERS)

    @app.post("/token")
    def token(
        request: Request,
        grant_type: Annotated[str, Form()],
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        client_id: Annotated[str, Form()] = "",
        client_secret: Annotated[str, Form()] = "",
    ) -> Response:
        who, word = _client(request.headers.get("authorization", ""), client_id, client_secret)
        if who != CLIENT or not hmac.compare_digest(word, secret):
            return _wrong("invalid_client", 401)
        grant = grants.pop(code, None)  # a code is spent by the first who shows it, right or wrong
        if grant_type != "authorization_code" or grant is None or grant.until < time.monotonic():
            return _wrong("invalid_grant", 400)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        if grant.redirect != redirect_uri or not hmac.compare_digest(grant.challenge, challenge):
            return _wrong("invalid_grant", 400)
        now = int(time.time())
        claims = {"iss": issuer, "sub": grant.subject, "aud": CLIENT, "iat": now, "exp": now + TOKEN_SECONDS}
        claims |= {"nonce": grant.nonce, "name": names[grant.subject]}
        said = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
        answer = {"access_token": secrets.token_urlsafe(32), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse({**answer, "id_token": said}, headers={"Cache-Control": "no-store"})

    return app


def _choice(names: dict[str, str], asked: dict[str, str], redirect: str) -> str:
    more = {"redirect_uri": redirect, "response_type": "code", "code_challenge_method": "S256"}
    links = "".join(
        f'<li><a href="/authorize?{html.escape(urlencode({**asked, **more, "login_hint": person}))}">'
        f"{html.escape(name)}</a></li>"
        for person, name in names.items()
    )
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Who are you?</title>'
    return f"{head}<main><h1>Who are you, in the demo?</h1><ul>{links}</ul></main></html>"


def _client(header: str, client: str, secret: str) -> tuple[str, str]:
    if header.lower().startswith("basic "):
        try:
            client, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
        except ValueError:
            return "", ""
    return client, secret


def _wrong(error: str, status: int) -> JSONResponse:
    return JSONResponse({"error": error}, status, {"Cache-Control": "no-store"})


def main(
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 9000,
) -> None:
    """Serve until SIGINT or SIGTERM."""
    refuse_beyond_loopback(host)
    secret, console = os.environ["TIEOUT_IDENTITY_SECRET"], os.environ["TIEOUT_CONSOLE_URL"]
    app = provider_of(f"http://{host}:{port}", secret, f"{console}/sign-in/back")
    uvicorn.run(app, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
