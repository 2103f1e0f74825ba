"""CSRF: a form is taken only from a page we gave to this browser."""

import hashlib
import hmac
from http import HTTPStatus

from fastapi import Request

from web.problem import Problem

FIELD = "csrf"
HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_BYTES = 256 * 1024


def token_of(secret: str) -> str:
    """Return the token of a browser's forms, from what its cookie holds; it does not show that."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


async def checked(request: Request) -> None:
    """Refuse a change that does not come from a form of ours; the dependency of both apps.

    Raises:
        Problem: 403, or 413 for a form that is longer than any of ours.
    """
    if request.method in SAFE:
        return
    if not _short(request.headers.get("content-length", "0"), request.headers.get("transfer-encoding")):
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is longer than any form.", "Send less at once.")
    secret = request.app.state.face.secret(request)
    given = request.headers.get(HEADER) or (await request.form()).get(FIELD)
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if elsewhere or secret is None or not isinstance(given, str) or not hmac.compare_digest(given, token_of(secret)):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "This form was not made for this browser's session, so nothing was changed.",
            "Load the page again, and send the form from there.",
        )


def _short(length: str, encoding: str | None) -> bool:
    """Return whether a body says its length, and is no longer than any form of ours."""
    return encoding is None and length.isdecimal() and int(length) <= MOST_BYTES
