"""Everybody a close is about ends issued, zero, skipped or parked: real plans, real deeds, a real Postgres."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.deeds import Outside
from activities.messages import CloseMonth, MonthClosed
from adapters.files import read_policy
from adapters.postgres.booked_events import PostgresBookedEvents
from adapters.postgres.books import Books as BooksView
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.controls import PostgresControls
from adapters.postgres.corrections import PostgresCorrections
from adapters.postgres.desk import PostgresDesk, seed_people
from adapters.postgres.estimates import PostgresEstimates
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.stripe_events import PostgresEvents
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.watches import PostgresWatches
from billing import openings, slices
from billing.approval import ApprovalPolicy
from billing.reperform import reperform
from cli.dry_run import report_dry_run
from devstack.book import seed
from devstack.book.calls import Usage
from devstack.book.people import PEOPLE
from models.close import DRY_RUNS_FROM, DecisionKind, Ending, Stage, Standing, State
from models.contract import Contract
from models.credit_note import AtPlatform, CreditNote, CreditNoteAsked
from models.evidence import EvidencePack
from models.invoice import Invoice, IssuedInvoice
from models.money import to_minor
from models.parallel import BilledLine
from models.snapshot import Artifact
from models.stripe_event import Payment
from models.usage_policy import UsagePolicy
from runtime import temporal
from runtime.clock import SystemClock
from runtime.desk import DeskDoor
from tests.activities.test_deeds_twice import ListedUsage, OneHistory
from tests.adapters.postgres.rows import AT
from tests.billing.rating.builders import a_contract
from tests.billing.test_openings import YEARLY, an_opening
from tests.postgres_fixture import Books
from tests.workflows.conftest import skipping
from workers.registry import queues
from workflows import options
from workflows.monthly_close import MonthlyClose

pytestmark = pytest.mark.stack

MONTH = "2026-10"
TOKENS = {name: f"{name}-token" for name, _, _ in PEOPLE}
FEE = {"id": "platform", "amount": "100.00", "timing": "arrears"}


class Folder:
    """The `ObjectStore` port on a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        path = self.root / key
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return f"file:{key}"

    def put_table(self, key: str, body: bytes) -> str:
        return self.put(key, body)

    def put_file(self, folder: str, path: Path, content_type: str) -> tuple[str, str]:
        body = path.read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        return self.put(f"{folder}/{digest}{path.suffix}", body, content_type), digest

    def get(self, uri: str) -> bytes:
        return (self.root / uri.removeprefix("file:")).read_bytes()

    def path(self, artifact: Artifact) -> Path:
        path = self.root / artifact.uri.removeprefix("file:")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.sha256
        return path

    def uris(self, prefix: str) -> tuple[str, ...]:
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return tuple(sorted(f"file:{key}" for key in found if key.startswith(prefix)))


class Platform:
    """The `InvoicingPlatform` port, in memory."""

    def __init__(self) -> None:
        self.drafts: dict[str, Invoice] = {}
        self.final: set[str] = set()

    def ensure_customer(self, customer: str, name: str, email: str) -> str:
        return f"cus_{customer}"

    def draft(self, stripe_customer: str, invoice: Invoice) -> str:
        stripe_id = f"in_{invoice.reference}"
        self.drafts.setdefault(stripe_id, invoice)
        return stripe_id

    def read(self, stripe_id: str) -> tuple[str, tuple[int, ...], int]:
        one = self.drafts[stripe_id]
        amounts = tuple(to_minor(line.amount, one.currency) for line in one.lines)
        return "open" if stripe_id in self.final else "draft", amounts, to_minor(one.total, one.currency)

    def finalize(self, stripe_id: str, invoice: Invoice) -> IssuedInvoice:
        self.final.add(stripe_id)
        return IssuedInvoice(
            reference=invoice.reference,
            stripe_id=stripe_id,
            number=f"T-{invoice.customer}",
            status="open",
            currency=invoice.currency,
            total=invoice.total,
            lines=len(invoice.lines),
            issued_at=AT,
            due_on=AT.date(),
        )

    def void(self, stripe_id: str) -> None:
        self.drafts.pop(stripe_id)

    def state(self, stripe_id: str) -> AtPlatform:
        return AtPlatform(status="open", remaining=self.drafts[stripe_id].total, paid=Decimal(0))

    def states(self, stripe_ids: Collection[str], since: datetime, until: datetime) -> dict[str, AtPlatform]:
        return {stripe_id: self.state(stripe_id) for stripe_id in stripe_ids}

    def payment(self, stripe_id: str) -> Payment | None:
        return None

    def credit(self, note: CreditNoteAsked) -> CreditNote:
        raise NotImplementedError("nobody is credited here")

    def pdf(self, stripe_id: str) -> bytes:
        return f"%PDF {stripe_id}".encode()


class World:
    """The books, and six customers: each ends another way."""

    def __init__(self, database: Books, folder: Path) -> None:
        self.database = database
        worker, console = database.as_role("worker"), database.as_role("console")
        seed_people(database.owner_url, [(name, said, roles, TOKENS[name]) for name, said, roles in PEOPLE])
        policy = read_policy(seed.BOOK / "policy.yaml")
        used = [_used("acme", "1000"), _used("taken", "1000"), _used("left", "10"), _used("STRANGER", "5")]
        self.platform = Platform()
        self.outside = Outside(
            terms=PostgresTerms(worker),
            evidence=PostgresEvidence(worker),
            watches=PostgresWatches(worker),
            closes=PostgresCloses(worker),
            invoices=PostgresInvoices(worker),
            journal=PostgresJournal(worker),
            estimates=PostgresEstimates(worker),
            notices=PostgresNotices(worker),
            booked=PostgresBookedEvents(worker),
            store=Folder(folder),
            platform=self.platform,
            sources={"clickhouse": ListedUsage("clickhouse", used)},
            policy=UsagePolicy(
                sources={"clickhouse": policy.sources["clickhouse"]}, authority=policy.authority, timezone="UTC"
            ),
            approval=ApprovalPolicy(),
            histories=OneHistory(),
            clock=SystemClock(),
            engine="test",
            rate_changes=PostgresRateChanges(worker),
            corrections=PostgresCorrections(worker),
            events=PostgresEvents(worker),
            controls=PostgresControls(worker),
            scratch=folder,
        )
        self.console, self.books = console, BooksView(database.as_role("auditor"))
        for authority in policy.authority:
            self.outside.terms.declare(authority, AT)
        for contract in (
            _of("acme"),
            _of("quiet", fees=[FEE]),
            _of("idle"),
            _of("taken", commitments=[YEARLY]),
            _of("skipme", fees=[FEE]),
            _of("left", term={"start": "2026-01-01", "end": "2026-10-01"}),
            _of("owing", term={"start": "2026-01-01", "end": "2026-10-01"}, commitments=[YEARLY]),
            _of("settled", term={"start": "2026-01-01", "end": "2026-10-01"}),
        ):
            self.outside.terms.add_contract(contract, "rita", "cora", AT)
        self._owes("owing")
        row = {"id": "year", "granted": "1200.00", "drawn": "1170.00", "expired": "0", "deferred": "30.00"}
        opening = an_opening(row, deferred="30.00", contract="taken-2026", customer="taken")
        self.outside.terms.add_opening(opening, "pia", "cora", AT)
        entry = openings.entry_for(opening, self.outside.terms.contracts("taken"))
        assert entry is not None
        self.outside.journal.post([entry], "pia", AT)

    def _owes(self, customer: str) -> None:
        """Book a prepayment that a contract which ended left behind."""
        (contract,) = self.outside.terms.contracts(customer)
        row = {"id": "year", "granted": "1200.00", "drawn": "900.00", "expired": "0", "deferred": "300.00"}
        opening = an_opening(row, as_of="2026-09-01", contract=contract.contract, customer=customer)
        entry = openings.entry_for(opening, [contract])
        assert entry is not None
        self.outside.journal.post([entry], "pia", AT)

    @asynccontextmanager
    async def workers(self, client: Client) -> AsyncIterator[None]:
        """Serve every queue with the product's own deeds."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            async with AsyncExitStack() as stack:
                for queue in queues(self.outside).values():
                    worker = Worker(
                        client,
                        task_queue=queue.name,
                        workflows=queue.workflows,
                        activities=queue.activities,
                        activity_executor=pool,
                        workflow_runner=temporal.sandbox(),
                        interceptors=[temporal.RefusalsAreFinal()],
                    )
                    await stack.enter_async_context(worker)
                yield

    async def play(self, client: Client, until: Callable[[dict[str, Standing]], bool]) -> dict[str, Standing]:
        """Let aron approve what waits, and cora skip who is parked at her word, until something holds."""
        desk = DeskDoor(PostgresDesk(self.console), PostgresCloses(self.console), client, SystemClock())
        signed: set[str] = set()  # a projection may still show the wait that a decision has just ended
        while True:
            standings = {one.customer: one for one in self.books.standings(MONTH)}
            if until(standings):
                return standings
            for name, one in standings.items():
                if one.stage is Stage.APPROVE and one.state is State.WAITING and name not in signed:
                    signed.add(name)
                    kind, who, subject = DecisionKind.APPROVE, "aron", one.references["statement"]
                    if name == "skipme":
                        kind, who, subject = DecisionKind.SKIP, "cora", "approve"
                    decision = desk.write(kind, TOKENS[who], MONTH, 1, name, subject, "it is right", {})
                    await desk.deliver(decision)
            await asyncio.sleep(0.05)  # the books are a projection: nothing tells when it moved

    def rows(self) -> dict[str, int]:
        """Return how many rows each table has, but for those of terms, people and openings."""
        with self.database.connect() as connection:
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'tieout'").fetchall()
            counted = {
                str(name): connection.execute(f'SELECT count(*) FROM tieout."{name}"').fetchone() for (name,) in names
            }
        return {name: int(row[0]) for name, row in counted.items() if row}


def _of(customer: str, **more: Any) -> Contract:
    return a_contract(contract=f"{customer}-2026", customer=customer, **more)


def _used(customer: str, minutes: str) -> Usage:
    return Usage(
        id=f"{customer}-1",
        customer=customer,
        meter="call.minutes",
        quantity=Decimal(minutes),
        at=datetime(2026, 10, 10, 12, tzinfo=UTC),
        dimensions={},
    )


def test_every_member_of_the_population_ends_in_one_of_four_ways(fresh_database: Books, tmp_path: Path) -> None:
    world = World(fresh_database, tmp_path)
    population = {"acme", "taken", "quiet", "idle", "skipme", "left", "owing", "STRANGER"}

    async def run(env: WorkflowEnvironment) -> dict[str, Standing]:
        async with world.workers(env.client):
            await env.client.start_workflow(
                MonthlyClose.run, CloseMonth(month=MONTH), id=f"close/{MONTH}", task_queue=options.CLOSE_QUEUE
            )
            return await world.play(
                env.client,
                lambda standings: set(standings) == population and all(one.ending for one in standings.values()),
            )

    async def whole() -> dict[str, Standing]:
        async with skipping() as env:
            return await asyncio.wait_for(run(env), timedelta(seconds=100).total_seconds())

    ended = asyncio.run(whole())
    assert {name: one.ending for name, one in ended.items()} == {
        "acme": Ending.ISSUED,  # a contract and usage
        "taken": Ending.ISSUED,  # taken over: its opening's pool pays 30.00 of 50.00
        "quiet": Ending.ISSUED,  # a contract and no usage: its fee
        "idle": Ending.ZERO,  # a contract, no usage, no fee: a zero statement, issued
        "skipme": Ending.SKIPPED,
        "left": Ending.PARKED,  # usage after its contract ended
        "owing": Ending.ZERO,  # no contract, no usage, a prepayment left: recorded with the reason
        "STRANGER": Ending.PARKED,  # usage of nobody
    }
    assert ended["acme"].references["total"] == "50.00"
    assert ended["quiet"].references["total"] == "100.00"
    assert ended["owing"].detail == ("zero: no contract is in force and nothing was used; still open: 2110 -300 USD")
    assert "NoContract" in ended["left"].detail
    assert "NoContract" in ended["STRANGER"].detail
    assert "cora" in ended["skipme"].detail
    assert sorted(world.platform.final) == [f"in_{MONTH}@1/{name}/USD" for name in ("acme", "idle", "quiet", "taken")]
    assert ended["taken"].references["total"] == "20.00"
    _assert_reperforms(world, ended["taken"])


def _assert_reperforms(world: World, standing: Standing) -> None:
    """Assert that a month's pack alone gives the same statement, schedule and entries."""
    pack = EvidencePack.from_text(world.outside.store.get(standing.references["evidence"]).decode())
    assert pack.opening == world.outside.terms.opening(pack.statement.contract)
    known, path = world.outside.terms.population, world.outside.store.path
    sealed = [world.outside.evidence.snapshot(name, MONTH, 1) for name in sorted(world.outside.sources)]
    assert pack.snapshots == tuple(one.fingerprint() for one in sealed if one is not None)
    own = slices.slices_of(pack.customer, [one for one in sealed if one], pack.policy, lambda: known(MONTH), path)
    assert [check.name for check in reperform(pack, own, "test") if not check.agrees] == []


def test_a_dry_run_leaves_nothing_but_what_it_sealed_reconciled_and_rated(
    fresh_database: Books, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(fresh_database, tmp_path)
    before = world.rows()

    async def run(env: WorkflowEnvironment) -> MonthClosed:
        async with world.workers(env.client):
            task = CloseMonth(month=MONTH, revision=DRY_RUNS_FROM, started_by="pia", by_hand=True, dry_run=True)
            return await env.client.execute_workflow(
                MonthlyClose.run, task, id=f"close/{MONTH}@{DRY_RUNS_FROM}", task_queue=options.CLOSE_QUEUE
            )

    async def whole() -> MonthClosed:
        async with skipping() as env:
            return await asyncio.wait_for(run(env), timedelta(seconds=100).total_seconds())

    closed = asyncio.run(whole())
    assert closed.states == {"done": 6, "needs_attention": 2}
    after = world.rows()
    grown = {name for name in after if after[name] != before[name]}
    assert grown <= {
        "closes",
        "close_starts",
        "customer_closes",
        "snapshots",
        "reconciliations",
        "reconciliation_uses",
        "findings",
        "statement_facts",
        "statements",
        "statement_uses",
    }
    assert (world.platform.drafts, world.platform.final) == ({}, set())
    assert not (tmp_path / "evidence").exists()
    assert world.outside.evidence.snapshot("clickhouse", MONTH, 1) is None  # the close seals its own
    assert world.outside.evidence.snapshots_before("clickhouse", "2026-11") == ()
    assert world.outside.closes.starters(MONTH, 1) == frozenset()  # and pia prepared nothing of it
    assert {one.ending for one in world.books.standings(MONTH, DRY_RUNS_FROM)} == {None}
    theirs = [
        ("acme", "call.minutes", "49.99"),
        ("taken", "call.minutes", "20.00"),
        ("quiet", "platform", "100.00"),
        ("skipme", "platform", "100.00"),
    ]
    billed = [BilledLine(customer=a, line=b, amount=Decimal(c), currency="USD") for a, b, c in theirs]
    with pytest.raises(typer.Exit) as left:
        report_dry_run(world.books, closed, billed, as_json=True)
    assert left.value.exit_code == 3  # the two who are parked wait for a person
    found = json.loads(capsys.readouterr().out)
    assert found["comparison"]["difference"] == {"USD": "0.01"}
    assert [one.split(":")[0] for one in found["waiting"]] == ["STRANGER", "left"]
