"""Callers: which customer a key reads and writes for. The database shows the caller that customer's rows alone."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials

from activities.ports import Clock
from api.limiting import Limits
from api.once import Key, Once, Writes, once_of
from api.problem import Problem
from api.v1 import bearer, nobody, token_of
from models.access import CustomerScope, KeyHolder
from runtime.customer_desk import CustomerDesk
from runtime.portal import CustomerBooks, Portal
from runtime.webhook_desk import DeskOf, WebhookDesk


class Keys(Protocol):
    """What tells whose key one is (`adapters.postgres.customer_keys.PostgresCustomerKeys`)."""

    def holder(self, secret: str) -> KeyHolder | None:
        """Return whose key has this secret, or None where none is in use."""
        ...


@dataclass(frozen=True)
class Door:
    """What the customers' API stands on; `issuer` is who bills."""

    portal: Portal
    keys: Keys
    writes: Writes
    clock: Clock
    issuer: str
    limits: Limits
    webhooks: DeskOf


@dataclass(frozen=True)
class Caller:
    """Whose key it is, and the books as their customer may see them."""

    holder: KeyHolder
    books: CustomerBooks
    desk: CustomerDesk
    webhooks: WebhookDesk
    clock: Clock

    def looked(self, what: str) -> None:
        """Log that something was taken."""
        self.books.kept.looked(self.holder.who, what, self.clock.now())


def door_of(request: Request) -> Door:
    """Return what the asked app stands on."""
    return cast(Door, request.app.state.door)


def _caller(request: Request, given: HTTPAuthorizationCredentials | None, scope: CustomerScope) -> Caller:
    door = door_of(request)
    holder = door.keys.holder(token_of(given))
    if holder is None:
        raise nobody("this key is not in use")
    door.limits.spend(request, holder.who)
    if scope not in holder.scopes:
        raise Problem(HTTPStatus.FORBIDDEN, "scope", f"this key may not do that: it needs the scope {scope.value}")
    books = door.portal.of(holder.customer)
    desk = CustomerDesk(books, door.issuer, holder.who, door.clock)
    return Caller(holder, books, desk, door.webhooks(holder.customer), door.clock)


def reader(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Caller:
    """Return who asks with a key that may read; raises Problem 401, 403, 429."""
    return _caller(request, given, CustomerScope.READ)


def writer(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Caller:
    """Return who asks with a key that may write; raises Problem 401, 403, 429."""
    return _caller(request, given, CustomerScope.WRITE)


Reader = Annotated[Caller, Depends(reader)]
"""A question takes this."""

Writer = Annotated[Caller, Depends(writer)]
"""A write takes this."""


async def once(request: Request, caller: Writer, key: Key) -> Once:
    """Return the write that is asked for."""
    door, holder = door_of(request), caller.holder
    return await once_of(request, door.writes, door.clock, holder.who, holder.customer, key)


AsOnce = Annotated[Once, Depends(once)]
"""A write takes this too, and answers by it."""
