"""The faces over a database of a test's own, with two customers who must never see each other."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.postgres.desk import seed_people
from adapters.postgres.sessions import Database
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from adapters.sealer import Sealer
from adapters.webhook_client import WebhookClient
from models.close import Role
from models.visitor import PortalRole, PortalUser
from runtime.portal import Portal
from runtime.webhook_desk import DeskOf, desks
from tests.postgres_fixture import Books
from tests.web.filled import Shelf, fill, seal
from web.face import Face
from web.portal.app import portal_of

URL = "http://127.0.0.1:8082"
ISSUER = "http://127.0.0.1:9"
SEALER = Sealer(Fernet.generate_key().decode())
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clock:
    """An instant that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        """Return it."""
        return self.at

    def later(self, **by: int) -> None:
        """Move it on."""
        self.at += timedelta(**by)


@dataclass
class World:
    """The portal, its clock, the mail it sent, and the books behind it."""

    books: Books
    clock: Clock
    shelf: Shelf
    mails: list[tuple[str, str]]
    app: FastAPI
    clients: list[TestClient] = field(default_factory=list)

    @property
    def sessions(self) -> PostgresWebSessions:
        """The portal's sessions."""
        return PostgresWebSessions(self.books.as_role("portal"))

    def browser(self) -> TestClient:
        """Return a new browser, with no cookie."""
        client = TestClient(self.app, base_url=URL, follow_redirects=False, raise_server_exceptions=False)
        self.clients.append(client)
        return client

    def link(self, user: str) -> str:
        """Return the path of a new link for a user."""
        token = f"link-of-{user}-{len(self.mails)}-{time.monotonic_ns()}"
        console = PostgresWebSessions(self.books.as_role("console"))
        assert console.make_link(user, token[-12:] + user, token, self.clock.at, self.clock.at + timedelta(hours=1))
        return f"/sign-in/link/{token}"

    def signed_in(self, user: str) -> TestClient:
        """Return a browser that a user is signed in with."""
        client, link = self.browser(), self.link(user)
        answer = client.post(link, data={"csrf": csrf_in(client.get(link).text)})
        assert answer.status_code == 303
        return client


def desks_of(portal_role: Database, clock: Clock) -> DeskOf:
    """Return the customers' webhook desks, for whom every name leads to one public address."""
    return desks(portal_role, SEALER, WebhookClient(lambda _host, _port: ("93.184.216.34",)), clock)


def csrf_in(page: str) -> str:
    """Return the token in a page's first form."""
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@pytest.fixture
def world(fresh_database: Books, tmp_path: Path) -> Iterator[World]:
    """A portal whose customers are acme and bolt."""
    owner = fresh_database.owner_url
    seed_people(owner, [("pia", "Pia", (Role.PREPARER,), "t-pia"), ("cora", "Cora", (Role.CONTROLLER,), "t-cora")])
    users = [
        PortalUser(id=f"{customer}-{role}", customer=customer, email=f"{role}@{customer}.example", name=name, role=role)
        for customer, name in (("acme", "Acme Robotics"), ("bolt", "Bolt Calls"))
        for role in PortalRole
    ]
    seed_visitors(owner, [(ISSUER, "pia", "pia"), (ISSUER, "cora", "cora")], users)
    clock, mails = Clock(), list[tuple[str, str]]()
    portal_role = fresh_database.as_role("portal")
    face = Face("portal", "Billing", URL, PostgresWebSessions(portal_role), clock)
    shelf = Shelf(tmp_path)
    portal = Portal(portal_role, shelf)
    hooks = desks_of(portal_role, clock)
    app = portal_of(face, portal, lambda address, link: mails.append((address, link)), "Lumen", hooks)
    world = World(fresh_database, clock, shelf, mails, app)
    yield world
    for client in world.clients:
        client.close()


@pytest.fixture
def filled(world: World) -> World:
    """The portal with two months of both customers."""
    seal(world.books, world.shelf)
    for customer in ("acme", "bolt"):
        fill(world.books, world.shelf, customer)
    return world


@contextlib.contextmanager
def serving(app: FastAPI, port: int | None = None) -> Iterator[str]:
    """Serve an app in a thread of this process, and give its address."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port or 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(10)


def a_free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
