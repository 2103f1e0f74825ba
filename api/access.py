"""Access: which key may do what. A key is a bearer token; the books compare its hash."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.limiting import Limits
from api.problem import Problem
from models.access import Scope
from models.value import fingerprint_of

_bearer = HTTPBearer(auto_error=False, description="A key made by `tieout rates key create`.")


class Keys(Protocol):
    """What tells whose key one is (`adapters.postgres.keys.PostgresKeys`)."""

    def scopes_of(self, secret: str) -> Sequence[str] | None:
        """Return what the key may do, or None where there is none in use."""
        ...


def needs(keys: Keys, scope: Scope, limits: Limits) -> Callable[..., None]:
    """Return the dependency that lets only keys with a scope in, as often as they may ask."""

    def check(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        scopes = keys.scopes_of(given.credentials) if given else None
        if scopes is None:
            said = "no key, or one that is not in use" if given else "a key is needed"
            raise Problem(HTTPStatus.UNAUTHORIZED, "no_key", said, {"WWW-Authenticate": "Bearer"})
        limits.spend(
            request, fingerprint_of(given.credentials) if given else "", changes=False
        )  # a quote changes nothing
        if scope not in scopes:
            raise Problem(HTTPStatus.FORBIDDEN, "scope", f"this key may not do that: it needs the scope {scope.value}")

    return check
