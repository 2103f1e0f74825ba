"""A month on a stack of its own: the demo's book for some customers, its people, and what must hold in the end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import psycopg
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client, ScheduleBackfill, ScheduleOverlapPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.deeds import Outside
from adapters.object_store import s3_client
from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from devstack.book import expected, seed, sources, tie_out
from devstack.book.calls import Usage, true_usage
from devstack.book.script import Script
from devstack.up import Stack
from devstack.workers import EMBEDDED, Workers
from migrations.upgrade import upgrade
from models.close import Stage, Standing, State
from models.contract import Contract
from models.journal import Account
from models.period import next_month
from runtime import schedule, temporal, wiring
from runtime.clock import SystemClock
from runtime.desk import DeskDoor
from runtime.settings import Settings
from tests.devstack.conftest import an_open_folder

MONTH = "2026-10"
COMPLETE_UNTIL = datetime(2026, 11, 2, tzinfo=UTC)
CUSTOMERS = ("bolt", "cirrus", "delta", "ember", "kite")
"""Each plays its part: rejected first, signed by signal, signed by its preparer, a sheet's own, an unknown alias."""
STRANGERS = ("KITE-EU",)
"""Accounts with usage that no contract knows: held as customers of their own, and skipped by the controller."""

ENDED = frozenset({State.DONE, State.SKIPPED})
AWAY = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.INTERNAL}
)
"""How a server that was killed answers whoever was talking to it."""


class _People(Script):
    """The demo's people, who leave some statements lying."""

    unsigned: frozenset[str] = frozenset()

    async def _act(self, standing: Standing) -> None:
        if standing.stage is Stage.APPROVE and standing.customer in self.unsigned:
            return
        await super()._act(standing)


class Month:
    """October of some of the demo's customers on a stack: seeded, then closed by scheduler, workers and people."""

    def __init__(self, stack: Stack, customers: Sequence[str] = CUSTOMERS) -> None:
        self.stack = stack
        self.customers = tuple(customers)
        environment = {**EMBEDDED, **stack.endpoints.as_environment()}
        cache = {"cache_folder": str(stack.state.root / "cache-of-the-test")}
        self.config = Settings(
            **{name.removeprefix("TIEOUT_").lower(): value for name, value in environment.items()} | cache  # type: ignore[arg-type]
        )
        self.workers = Workers(stack.state.root, stack.endpoints.as_environment())
        self.tokens: dict[str, str] = {}
        self.usage: list[Usage] = []
        self.outages: list[str] = []
        self._doors: dict[str, Database] = {}

    # Before the close.

    def contracts(self) -> tuple[Contract, ...]:
        """Return the contracts of the customers in this book."""
        return tuple(one for one in seed.contracts() if one.customer in self.customers)

    def prepare(self) -> None:
        """Make the database, the people, the terms and the three sources with their planted faults."""
        owner = self.stack.endpoints.database_url
        upgrade(owner)
        self.tokens = seed.seed_demo_people(owner, self.stack.state.root)
        seed.seed_terms(PostgresTerms(self.door("worker")), self.contracts(), seed.rates())
        self.usage = list(true_usage(MONTH, COMPLETE_UNTIL, self.customers))
        s3 = s3_client(self.config.s3_url, self.stack.endpoints.s3_access_key, self.stack.endpoints.s3_secret_key)
        sources.write_clickhouse(self.stack.endpoints.clickhouse_url, self.usage)
        sources.write_posthog(s3, self.config.sources_bucket, self.usage, sources.double_of(self.config.posthog_url))
        sources.write_sheet(s3, self.config.sources_bucket, MONTH, self.usage)

    # The close.

    async def client(self) -> Client:
        """Return a client of the stack's Temporal."""
        return await temporal.connect(self.config, "a test")

    async def start(self, client: Client) -> None:
        """Let the scheduler start the close of the month, as on the 1st of the next."""
        await schedule.apply(client, self.config.entity_zone)
        first = datetime.fromisoformat(f"{next_month(MONTH)}-01T12:00:00+00:00")
        await client.get_schedule_handle(schedule.SCHEDULE_ID).backfill(
            ScheduleBackfill(
                start_at=first - timedelta(days=1),
                end_at=first + timedelta(days=1),
                overlap=ScheduleOverlapPolicy.ALLOW_ALL,
            )
        )

    def desk(self, client: Client) -> DeskDoor:
        """Return the desk the people decide at."""
        console = self.door("console")
        return DeskDoor(PostgresDesk(console), PostgresCloses(console), client, SystemClock())

    async def people(
        self, client: Client, until: Callable[[Sequence[Standing]], bool], unsigned: Collection[str] = ()
    ) -> Sequence[Standing]:
        """Let the demo's people work until `until` holds; whom an outage interrupts looks again when it is over.

        What they had written and nobody delivered is sent again, as `tieout close deliver` does. Statements of
        `unsigned` customers are left lying.
        """
        desk = self.desk(client)
        books = Books(self.door("console"))
        while True:
            script = _People(MONTH, books, desk, client, self.tokens, lambda words: None)
            script.unsigned = frozenset(unsigned)
            try:
                if self.outages:
                    for standing in books.standings(MONTH):
                        if standing.state not in ENDED:
                            await desk.redeliver(MONTH, 1, standing.customer)
                return await script.play(until)
            except (DBAPIError, RPCError) as outage:
                if isinstance(outage, RPCError) and outage.status not in AWAY:
                    raise
                if isinstance(outage, DBAPIError) and not _is_away(outage):
                    raise
                self.outages.append(f"{type(outage).__name__}: {str(outage)[:120]}")
                await asyncio.sleep(0.2)  # a person who saw an error page presses reload; nothing tells them when

    def all_ended(self, standings: Sequence[Standing]) -> bool:
        """Return whether every customer of the book has ended; a parked one is told at once."""
        parked = [one for one in standings if one.state is State.NEEDS_ATTENTION and "NoContract" not in one.detail]
        assert not parked, [f"{one.customer} at {one.stage.value}: {one.detail}" for one in parked]
        everyone = {*self.customers, *STRANGERS}
        return everyone <= {one.customer for one in standings if one.state in ENDED}

    # What can be seen from outside.

    def door(self, role: str) -> Database:
        """Return the database as a role sees it."""
        if role not in self._doors:
            self._doors[role] = wiring.database(self.config, role)
        return self._doors[role]

    def where_it_stands(self) -> str:
        """Return who has not ended, where they stand, and what people saw: what to read when a close hangs."""
        standings = Books(self.door("auditor")).standings(MONTH)
        open_ = [
            f"{one.customer} {one.stage.value} {one.state.value} since {one.at:%H:%M:%S} {one.detail}"
            for one in standings
            if one.state not in ENDED
        ]
        return f"open: {'; '.join(open_) or 'nobody'}; outages: {self.outages}"

    def close_doors(self) -> None:
        """Give every connection back."""
        for door in self._doors.values():
            door.dispose()

    def count(self, sql: str) -> int:
        """Return the number a query of the books answers, asked as their owner on a connection of its own."""
        with psycopg.connect(self.stack.endpoints.database_url, connect_timeout=5) as db:
            row = db.execute(sql).fetchone()
        return int(row[0]) if row else 0

    def at_stripe(self) -> dict[str, int]:
        """Return how many invoices the platform holds by our reference."""
        url = f"{self.stack.endpoints.stripe_url}/_state"
        state = httpx.get(url, params={"metadata": "tieout_reference"}).raise_for_status().json()
        return dict(state["invoices_by_metadata"])

    def outside(self) -> Outside:
        """Return what deeds work with, for reading."""
        return wiring.outside_of(self.config, temporal.NoHistories())

    def assert_ties_out(self) -> None:
        """Assert one invoice and one set of entries for each customer, and one number from statement to journal."""
        books = Books(self.door("auditor"))
        standings = books.standings(MONTH)
        assert {one.customer: one.state for one in standings} == {
            **dict.fromkeys(self.customers, State.DONE),
            **dict.fromkeys(STRANGERS, State.SKIPPED),
        }
        assert self.at_stripe() == {f"{MONTH}@1/{customer}/USD": 1 for customer in self.customers}

        truth = expected.invoices(list(true_usage(MONTH, COMPLETE_UNTIL)), MONTH)  # of everybody: it knows no subset
        outside = self.outside()
        customers = [one for one in standings if one.customer in self.customers]
        rows = tie_out.rows(outside, books, MONTH, customers, truth.totals, truth.quantities)
        assert {row.customer: row.problem for row in rows} == dict.fromkeys(self.customers)

        lines = books.journal()
        entries = {line.key: (line.customer, line.rule) for line in lines}
        twice = [once for once, times in Counter(entries.values()).items() if times > 1]
        assert not twice, f"posted more than once: {twice}"
        assert sum((one.balance for one in books.trial_balance()), Decimal(0)) == 0
        receivable: dict[str | None, Decimal] = {}
        for line in lines:
            if line.account is Account.RECEIVABLE:
                receivable[line.invoice] = receivable.get(line.invoice, Decimal(0)) + line.amount
        asked = {view.invoice.reference: view.invoice.total for view in books.invoices(MONTH) if view.invoice.total}
        assert receivable == asked
        assert PostgresJournal(self.door("auditor")).verify_chain().whole


@contextmanager
def a_month(customers: Sequence[str] = CUSTOMERS) -> Iterator[Month]:
    """Yield a prepared month on a stack of its own, its workers running; everything is stopped at the end."""
    with an_open_folder() as folder, Stack(folder, {}) as stack:
        month = Month(stack, customers)
        month.prepare()
        month.workers.start()
        try:
            yield month
        finally:
            month.workers.stop()
            month.close_doors()


def _is_away(error: DBAPIError) -> bool:
    """Return whether the database was not there, as opposed to: was there and said no."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state.startswith(("08", "57P"))
