"""The APIs over a database of a test's own, with two customers who must never see each other, and finance's people."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.postgres.api_writes import PostgresApiWrites
from adapters.postgres.customer_keys import PostgresCustomerKeys
from adapters.postgres.portal import PostgresPortal
from api.customers.app import customers_of
from api.customers.callers import Door
from api.limiting import Limits
from models.access import CustomerKey, CustomerScope
from runtime.portal import Portal
from tests.web.conftest import URL, World

BOTH = (CustomerScope.READ, CustomerScope.WRITE)
_numbers = itertools.count(1)


@dataclass
class Program:
    """A program with a key, or without one; each write has a new Idempotency-Key unless it is given."""

    client: TestClient
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: Any) -> Any:
        """Ask."""
        return self.client.get(path, params=query, headers=self.headers)

    def post(self, path: str, body: Any = None, key: str | None = None) -> Any:
        """Write."""
        sent = {**self.headers, "Idempotency-Key": key or f"key-{next(_numbers)}"}
        return self.client.post(path, json=body, headers=sent)

    def pages(self, path: str, limit: int = 1000, **query: Any) -> list[Any]:
        """Return a whole list, page by page."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            answer = self.get(path, limit=limit, **query, **({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            cursor = answer.json()["next"]
            if cursor is None:
                return found


def customers_app(world: World, limits: Limits | None = None) -> FastAPI:
    """Return the customers' API over a world's books."""
    role = world.books.as_role("portal")
    return customers_of(
        Door(
            Portal(role, world.shelf),
            PostgresCustomerKeys(role),
            PostgresApiWrites(role),
            world.clock,
            "Lumen",
            limits or Limits(100_000, 100_000),
        )
    )


def program(
    world: World, customer: str = "acme", scopes: tuple[CustomerScope, ...] = BOTH, app: FastAPI | None = None
) -> Program:
    """Return a program with a new key of a customer's administrator."""
    number = next(_numbers)
    secret = f"secret-{customer}-{number}"
    key = CustomerKey(
        id=f"{customer}-key-{number}", customer=customer, name="books", scopes=scopes, made_by=f"{customer}-admin",
        made_at=world.clock.at,
    )  # fmt: skip
    PostgresPortal(world.books.as_role("portal"), customer).keep_key(key, secret)
    return Program(client_of(world, app or customers_app(world)), {"Authorization": f"Bearer {secret}"})


def client_of(world: World, app: FastAPI) -> TestClient:
    """Return a client of an app, closed with the world."""
    client = TestClient(app, base_url=URL, raise_server_exceptions=False)
    world.clients.append(client)
    return client
