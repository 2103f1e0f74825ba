"""Callers: who of finance asks, by their own desk token. Roles and the two people are the desk's and the workflows'."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials

from activities.ports import Clock
from api.limiting import Limits
from api.once import Key, Once, Writes, once_of
from api.problem import Problem
from api.refused import not_found
from api.v1 import bearer, token_of
from billing.approval import ROLES_FOR
from models.approval import Person
from models.close import DecisionKind, Role
from models.reports import CloseSummary
from runtime.console import Console


@dataclass(frozen=True)
class Door:
    """What finance's API stands on; the console takes people's own tokens."""

    console: Console
    writes: Writes
    clock: Clock
    limits: Limits


@dataclass(frozen=True)
class Caller:
    """Who asks, and the books and desks as they may use them."""

    person: Person
    token: str
    console: Console

    def may(self, kind: DecisionKind) -> None:
        """Refuse who may not decide so, before anything is asked of a workflow; raises Problem 403."""
        self.having(*ROLES_FOR[kind])

    def having(self, *roles: Role) -> None:
        """Refuse who has none of these roles; raises Problem 403."""
        if not set(roles) & set(self.person.roles):
            allowed = ", ".join(sorted(role.value for role in roles))
            raise Problem(HTTPStatus.FORBIDDEN, "role", f"this is for {allowed}")

    def known(self, month: str, revision: int) -> CloseSummary:
        """Return a month's close; raises Problem 404."""
        found = self.console.close(month, revision)
        if found is None:
            raise not_found()
        return found


def door_of(request: Request) -> Door:
    """Return what the asked app stands on."""
    return cast(Door, request.app.state.door)


def caller(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Caller:
    """Return who asks; raises Problem 401, 429, NotAuthenticated."""
    door, token = door_of(request), token_of(given)
    person = door.console.person(token)
    door.limits.spend(request, f"person:{person.id}")
    return Caller(person, token, door.console)


Asks = Annotated[Caller, Depends(caller)]
"""Every question takes this."""


async def once(request: Request, asks: Asks, key: Key) -> Once:
    """Return the write that is asked for."""
    door = door_of(request)
    return await once_of(request, door.writes, door.clock, f"person:{asks.person.id}", None, key)


AsOnce = Annotated[Once, Depends(once)]
"""A write takes this too, and answers by it."""
