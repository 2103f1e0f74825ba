"""The APIs over a database of a test's own, with two customers who must never see each other, and finance's people."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.postgres.api_writes import PostgresApiWrites
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.customer_keys import PostgresCustomerKeys
from adapters.postgres.desk import PostgresDesk, by_token, seed_people
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.portal import PostgresPortal
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.statements import PostgresStatements
from adapters.postgres.terms import PostgresTerms
from api.customers.app import customers_of
from api.customers.callers import Door
from api.finance.app import finance_of
from api.finance.callers import Door as FinanceDoor
from api.limiting import Limits
from models.access import CustomerKey, CustomerScope
from models.close import DecisionKind, Role, Stage, State
from models.rate_change import RateProposal
from runtime.console import Console
from runtime.portal import Portal
from tests.adapters.postgres.rows import a_decision, a_rate, an_entry
from tests.web.conftest import URL, World, desks_of

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
            desks_of(role, world.clock),
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


PEOPLE = {
    "audra": Role.AUDITOR,
    "erik": Role.ENGINEER,
    "pia": Role.PREPARER,
    "aron": Role.APPROVER,
    "cora": Role.CONTROLLER,
}
MONTH = "2026-10"


def finance_app(world: World, limits: Limits | None = None) -> FastAPI:
    """Return finance's API over a world's books in which acme's October waits for its approval.

    It has no way to the workflows.
    """
    seed_people(world.books.owner_url, [(who, who.title(), (role,), f"t-{who}") for who, role in PEOPLE.items()])
    worker, role = world.books.as_role("worker"), world.books.as_role("console")
    closes, at = PostgresCloses(worker), world.clock.at
    closes.open_close("2026-09", 1, "pia", False, at)
    closes.open_close(MONTH, 1, "pia", True, at)
    for customer in ("acme", "bolt"):
        view = PostgresStatements(worker, customer).newest(MONTH)
        assert view is not None
        state = State.WAITING if customer == "acme" else State.DONE
        closes.project(
            MONTH, 1, customer, Stage.APPROVE if customer == "acme" else Stage.PUBLISH, state, at, "1 to approve",
            statement=view.kept_as, total="140", currency="USD",
        )  # fmt: skip
    PostgresTerms(worker).add_rates([a_rate("2026-01-01"), a_rate("2026-10-20", "2")], "pia", "cora", at)
    proposal = RateProposal(table="file", version=a_rate("2026-11-01", "3"), known=a_rate("2026-10-20", "2"))
    PostgresRateChanges(role).propose([proposal], "pia", at)
    journal = PostgresJournal(worker)
    journal.post([an_entry(f"k{n}", f"{n}.50", ("acme", "bolt")[n % 2]) for n in range(1, 6)], "pia", at)
    desk = PostgresDesk(role)
    for number in range(1, 4):
        said = f"00000000-0000-0000-0000-00000000000{number}"
        desk.write(a_decision(said, kind=DecisionKind.RETRY, person=desk.person("t-pia"), subject="rate"))
    return finance_of(
        FinanceDoor(
            Console(role, clock=world.clock, desk=by_token),
            PostgresApiWrites(role),
            world.clock,
            limits or Limits(100_000, 100_000),
        )
    )


def as_person(world: World, app: FastAPI, who: str) -> Program:
    """Return a program that acts as a person of finance."""
    return Program(client_of(world, app), {"Authorization": f"Bearer t-{who}"})
