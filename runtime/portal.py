"""The portal's door to the books: one customer's stored numbers, read as the role that sees no other's."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from adapters.postgres.books import Books
from adapters.postgres.drafts import PostgresDrafts
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.portal import PostgresPortal
from adapters.postgres.sessions import Database
from adapters.postgres.statements import PostgresStatements
from billing.bridge import Bridge, bridge
from billing.pool_views import PoolView, views_of
from billing.pools import ledger_of
from billing.single_calls import Call, calls_of
from billing.spread import days_of
from billing.usage_table import to_lines
from models.contract import Contract
from models.draft import DayOfLine
from models.period import days_period, next_month
from models.reports import InvoiceView, StatementView
from models.snapshot import Artifact
from models.statement import Statement
from models.usage import UsageLine

EVENT_COLUMNS = ["id", "meter", "quantity", "starts_at", "ends_at", "dims"]
MOST_BYTES = 64 * 1024 * 1024
"""Of sealed rows that a page opens."""
MOST_KEPT = 64
"""Statements whose days are kept at hand; they never change, so they are never stale."""


class Store(Protocol):
    """Where usage and papers are kept (`adapters.object_store.S3Store`)."""

    def path(self, artifact: Artifact) -> Path:
        """Return a local copy, checked by its checksum."""
        ...

    def get(self, uri: str) -> bytes:
        """Return what is kept there."""
        ...


class Portal:
    """Hands out each customer's books."""

    def __init__(self, database: Database, store: Store | None = None) -> None:
        self._database = database
        self._store = store
        self._days: OrderedDict[str, tuple[DayOfLine, ...]] = OrderedDict()

    def of(self, customer: str) -> "CustomerBooks":
        """Return a customer's books."""
        return CustomerBooks(self._database, customer, self._store, self._days)


class CustomerBooks:
    """What one customer may see. Each answer is read in a transaction that names the customer."""

    def __init__(
        self,
        database: Database,
        customer: str,
        store: Store | None = None,
        days: OrderedDict[str, tuple[DayOfLine, ...]] | None = None,
    ) -> None:
        self.customer = customer
        self.kept = PostgresPortal(database, customer)
        self._books = Books(database, customer)
        self.notices = PostgresNotices(database)
        self._statements = PostgresStatements(database, customer)
        self._drafts = PostgresDrafts(database, customer)
        self._store = store
        self._days = OrderedDict() if days is None else days

    def newest(self, month: str | None = None) -> StatementView | None:
        """Return the statement that stands for the newest month, or for a month, with when it was stored.

        That is a close's; for a month that no close has rated yet, the draft of the last refresh.
        """
        kept, draft = self._statements.newest(month), self._drafts.newest(month)
        if draft is None or (kept is not None and kept.statement.period >= draft.statement.period):
            return kept
        return StatementView(
            statement=draft.statement,
            kept_as=draft.statement.fingerprint(),
            stored_at=draft.refreshed_at,
            complete_up_to=draft.complete_up_to,
        )

    def months(self) -> tuple[str, ...]:
        """Return the months there are statements of, newest first; a running one among them."""
        closed, newest = self.closed_months(), self.newest()
        running = [newest.statement.period] if newest and newest.draft else []
        return (*running, *closed)

    def closed_months(self) -> tuple[str, ...]:
        """Return the months a close has rated, newest first: of these there are files."""
        return self._statements.months()

    def invoices(self) -> tuple[InvoiceView, ...]:
        """Return what was issued to the customer, newest month first."""
        return tuple(view for view in self._books.invoices() if view.issued is not None)

    def invoice(self, reference: str) -> InvoiceView | None:
        """Return an issued invoice of the customer's by our reference, or None."""
        view = self._books.invoice(reference)
        return view if view is not None and view.issued is not None else None

    def statement(self, fingerprint: str) -> Statement | None:
        """Return a statement of the customer's, or None."""
        return self._books.statement(fingerprint)

    def contract(self) -> Contract | None:
        """Return the newest version of the customer's terms, or None."""
        versions = self.kept.contracts()
        return versions[0] if versions else None

    def issued(self, contract: str, through: str | None = None) -> tuple[Statement, ...]:
        """Return the statements of a contract that were issued (up to and with a month), oldest first."""
        return self._books.issued_statements(contract, through)

    def before(self, statement: Statement) -> Statement | None:
        """Return the issued statement of the month before, of the same contract and currency, or None."""
        month = next_month(statement.period, -1)
        found = [one for one in self.issued(statement.contract, month) if one.period == month]
        return next((one for one in reversed(found) if one.currency == statement.currency), None)

    def why(self, statement: Statement) -> Bridge | None:
        """Return why a month's total differs from the month's before; None where there is none before."""
        prior = self.before(statement)
        return bridge(prior, statement) if prior is not None else None

    def pools(self) -> tuple[PoolView, ...]:
        """Return commitments, credits and allowances, from what was issued and the newest statement after it."""
        newest = self.newest()
        if newest is None:
            return ()
        contract = newest.statement.contract
        issued = [one for one in self.issued(contract) if one.period != newest.statement.period]
        versions = [one for one in self.kept.contracts() if one.contract == contract]
        opening = self._books.opening(contract)
        return views_of(ledger_of([*issued, newest.statement], opening, tuple(reversed(versions))))

    def usage(self, statement: Statement) -> tuple[UsageLine, ...]:
        """Return the reconciled usage a statement was rated from, by hour; none for months before the takeover."""
        found = self.kept.reconciliation(statement.reconciliation) if statement.reconciliation else None
        if found is None or self._store is None:
            return ()
        return to_lines(pq.read_table(self._store.path(found.usage)))

    def calls(self, statement: Statement, day: date) -> tuple[Call, ...] | None:
        """Return the single calls of one day that a statement was rated from; None where none can be opened here.

        That is: nothing is sealed, as of months before the takeover, or so much that an export serves better.
        """
        if statement.reconciliation is None or self._store is None:
            return None
        zone, usage = statement.timezone, self.usage(statement)
        span = days_period(day, day + timedelta(days=1), zone)
        spoke = {line.source for line in usage if line.starts_at < span.ends_at and line.ends_at > span.starts_at}
        sealed = self.kept.sealed(statement.reconciliation)
        if any(sealed[one].bytes > MOST_BYTES for one in spoke if one in sealed):
            return None
        wanted = [
            ("customer", "=", self.customer), ("starts_at", ">=", span.starts_at), ("starts_at", "<", span.ends_at),
        ]  # fmt: skip
        found: list[Call] = []
        for source in sorted(spoke & set(sealed)):
            rows = pq.read_table(self._store.path(sealed[source]), columns=EVENT_COLUMNS, filters=wanted)
            found += calls_of(rows.to_pylist(), source, usage, day, zone)
        return tuple(sorted(found, key=lambda one: (one.at, one.meter, one.id)))

    def days(self, statement: Statement) -> Sequence[DayOfLine]:
        """Return a statement's usage by day; none for months before the takeover, which came without usage."""
        key = statement.fingerprint()
        found = self._days.get(key)
        if found is None:
            draft = self._drafts.of(key) if statement.reconciliation is None else None
            found = draft.days if draft else days_of(statement, self.usage(statement))
            self._days[key] = found
            while len(self._days) > MOST_KEPT:
                self._days.popitem(last=False)
        return found

    def paper(self, view: InvoiceView) -> bytes | None:
        """Return an invoice's PDF as it was issued, or None where none was kept."""
        if view.issued is None or view.issued.pdf_uri is None or self._store is None:
            return None
        return self._store.get(view.issued.pdf_uri)

    def stamp(self) -> str:
        """Return a word that is another one once something of the customer's was rated, issued or refreshed."""
        return self._statements.stamp()

    def as_of(self) -> datetime | None:
        """Return when the newest statement was stored."""
        newest = self.newest()
        return newest.stored_at if newest else None
