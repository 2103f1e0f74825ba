"""The faces in the embedded stack: customers' and finance's pages with their APIs, and the identity provider."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from adapters.postgres.portal import PostgresPortal
from adapters.postgres.sessions import Database
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from devstack.book import people
from devstack.servers import Server
from devstack.state import State
from migrations.roles import role_url
from models.access import CustomerKey, CustomerScope
from models.contract import Contract
from models.visitor import PortalRole, PortalUser
from runtime.sign_in import link_to, new_id, new_token

INVITED_FOR = timedelta(hours=12)
INVITED = (("acme", PortalRole.ADMIN), ("acme", PortalRole.VIEWER), ("delta", PortalRole.ADMIN))


class Faces:
    """Three processes that belong together: each knows the others' addresses."""

    def __init__(self, state: State, environment: Mapping[str, str]) -> None:
        self._state = state
        self._owner = environment["TIEOUT_DATABASE_URL"]
        secret = state.secret("identity", "client-secret")
        given = dict(environment)
        self.portal = Server("portal", "web.portal", state, given)
        given["TIEOUT_IDENTITY_SECRET"] = secret
        given["TIEOUT_PAGES_SECRET"] = state.secret("identity", "pages-secret")
        console = Server("console", "web.console", state, given)
        given["TIEOUT_CONSOLE_URL"] = console.url
        given["TIEOUT_PORTAL_URL"] = self.portal.url
        self.identity = Server("identity", "devstack.identity", state, given)
        given["TIEOUT_IDENTITY_ISSUER"] = self.identity.url
        self.console = console.with_environment(given)

    @property
    def servers(self) -> tuple[Server, ...]:
        """Return the processes, in the order they start."""
        return self.identity, self.console, self.portal

    def seed(self, contracts: tuple[Contract, ...]) -> None:
        """Let the demo people and two users of each customer in. Safe to repeat."""
        subjects = [(self.identity.url, person, person) for person, _, _ in people.PEOPLE]
        seed_visitors(self._owner, subjects, users(contracts))

    def start(self) -> None:
        """Start the processes beside each other, and return when they answer."""
        with ThreadPoolExecutor(len(self.servers)) as hands:
            for started in [hands.submit(server.start) for server in self.servers]:
                started.result()

    def stop(self) -> None:
        """Stop them, last first."""
        for server in reversed(self.servers):
            server.stop()

    def running(self) -> dict[str, bool]:
        """Return which runs, by name."""
        return {server.name: server.running for server in self.servers}

    def sign_ins(self) -> dict[str, str]:
        """Return an address for each role of the demo; a customer's also asks for confirmation, and works once."""
        found = {
            f"{person} ({', '.join(role.value for role in roles)})": self.console_sign_in(person)
            for person, _, roles in people.PEOPLE
        }
        for customer, role in INVITED:
            found[f"{customer} ({role.value})"] = self.portal_sign_in(f"{customer}-{role.value}")
        return found

    def console_sign_in(self, person: str) -> str:
        """Return the address by which a demo person signs in at the console."""
        return f"{self.console.url}/sign-in/start?login_hint={person}"

    def portal_sign_in(self, user: str) -> str:
        """Return a new single-use link of a demo user to the portal."""
        database = Database(role_url(self._owner, "console"), connections=1)
        token, now = new_token(), datetime.now(UTC)
        try:
            PostgresWebSessions(database).make_link(user, new_id(), token, now, now + INVITED_FOR)
        finally:
            database.dispose()
        return link_to(self.portal.url, token)

    def program_key(self, customer: str) -> str:
        """Return the key of a demo customer's program, which reads and writes; made on first use."""
        secret = self._state.secret("program-keys", customer)
        database = Database(role_url(self._owner, "portal"), connections=1)
        try:
            kept, made = PostgresPortal(database, customer), f"{customer}-demo"
            if made not in {one.id for one in kept.program_keys()}:
                admin = f"{customer}-{PortalRole.ADMIN.value}"
                key = CustomerKey(
                    id=made, customer=customer, name="demo program", scopes=tuple(CustomerScope), made_by=admin,
                    made_at=datetime.now(UTC),
                )  # fmt: skip
                kept.keep_key(key, secret)
        finally:
            database.dispose()
        return secret


def users(contracts: tuple[Contract, ...]) -> list[PortalUser]:
    """Return two users of each customer: whom the invoice goes to, and one who may only look."""
    found = []
    for one in contracts:
        name = one.name or one.customer
        for role, address in (
            (PortalRole.ADMIN, one.email or f"billing@{one.customer}.example"),
            (PortalRole.VIEWER, f"viewer@{one.customer}.example"),
        ):
            found.append(
                PortalUser(
                    id=f"{one.customer}-{role.value}", customer=one.customer, email=address, name=name, role=role
                )
            )
    return found
