"""Reports: a month's facts read from the books as they were at its lock, and a report as a file."""

import csv
import io
from collections import Counter
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.estimates import PostgresEstimates
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from billing.reports.facts import Facts
from billing.reports.registry import REPORTS
from models.close import DecisionKind, Stage, Standing, State
from models.entity import DEFAULT, Entity
from models.period import month_of
from models.refusal import Refusal
from models.reports import Report
from models.statement import Statement
from runtime import at_hand

AT_ONCE = 200
"""Statements read by one question."""
_BY_HAND = frozenset({DecisionKind.RESOLVE, DecisionKind.CORRECT, DecisionKind.RETRY, DecisionKind.REJECT})


def facts_of(database: Database, month: str, revision: int = 1, entity: Entity = DEFAULT) -> Facts:
    """Return a month's facts: entries of it and of earlier months recorded by its lock, and what was issued by then."""
    books, journal, closes = Books(database), PostgresJournal(database), PostgresCloses(database)
    locked_at = journal.locked_at(month)
    entries = [one for one in journal.entries(known_at=locked_at) if one.period <= month]
    invoices = tuple(
        view
        for view in books.invoices()
        if view.issued is not None
        and view.invoice.period <= month
        and (locked_at is None or view.issued.issued_at <= locked_at)
    )
    found = sorted({view.invoice.statement for view in invoices})
    statements: dict[str, Statement] = {}
    for first in range(0, len(found), AT_ONCE):
        statements |= books.statements(found[first : first + AT_ONCE])
    customers = sorted({view.invoice.customer for view in invoices})
    terms = PostgresTerms(database)
    standings = books.standings(month, revision)
    findings = [] if locked_at else [one.finding for one in books.exceptions(month, revision)]
    return Facts(
        month=month,
        entries=entries,
        statements=[statements[one] for one in found if one in statements],
        invoices=invoices,
        contracts=[one for customer in customers for one in terms.contracts(customer, locked_at)],
        standings=[_at_lock(one, locked_at) for one in standings],
        open_findings=Counter(one.customer for one in findings),
        causes=Counter(one.cause.value for one in findings),
        by_hand=frozenset(
            one.customer
            for one in standings
            if any(
                decision.kind in _BY_HAND and (locked_at is None or decision.recorded_at <= locked_at)
                for decision in closes.decisions(month, revision, one.customer)
            )
        ),
        locked_at=locked_at,
        entity=entity,
        estimates=[
            one
            for contract in sorted({view.invoice.contract for view in invoices})
            for one in PostgresEstimates(database).estimates(contract)
            if month_of(one.on) <= month
        ],
        openings={
            contract: opening
            for contract in sorted({view.invoice.contract for view in invoices})
            if (opening := terms.opening(contract)) is not None
        },
    )


def _at_lock(standing: Standing, locked_at: datetime | None) -> Standing:
    """Return a standing as a locked month shows it: who had not ended by the lock was open, wherever they stand now."""
    ended = standing.state in (State.DONE, State.SKIPPED)
    if locked_at is None or (ended and standing.at <= locked_at):
        return standing
    return standing.model_copy(
        update={
            "stage": Stage.POST,
            "state": State.WAITING,
            "detail": "open at the lock: accrued where it had a statement",
            "references": {},
            "at": locked_at,
        }
    )


def report_of(name: str, facts: Facts) -> Report:
    """Return a report by its name; raises KeyError where there is none."""
    return REPORTS[name](facts)


class ReportsAtHand:
    """Makes a month's reports together, and again only once something they are made of was written."""

    def __init__(self, database: Database, entity: Entity = DEFAULT) -> None:
        self._database = database
        self._entity = entity
        self._kept: dict[tuple[str, int], tuple[str, dict[str, Report | Refusal]]] = {}

    def report(self, name: str, month: str, revision: int = 1) -> Report:
        """Return a report of a month by its name; raises the refusal that it was answered with."""
        stamp = f"{Books(self._database).stamp()} {PostgresJournal(self._database).locked_at(month)}"
        kept = self._kept.get((month, revision))
        if kept is None or kept[0] != stamp:
            kept = stamp, self._made(month, revision)
            self._kept[month, revision] = kept
            at_hand.settle()
        found = kept[1][name]
        if isinstance(found, Refusal):
            raise found
        return found

    def _made(self, month: str, revision: int) -> dict[str, Report | Refusal]:
        facts = facts_of(self._database, month, revision, self._entity)
        made: dict[str, Report | Refusal] = {}
        for name in REPORTS:
            try:
                made[name] = report_of(name, facts)
            except Refusal as refusal:
                made[name] = refusal
        return made


def csv_text(report: Report) -> str:
    """Return a report as CSV: a header, rows, line feeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(report.columns)
    writer.writerows(report.rows)
    return text.getvalue()


def write_parquet(report: Report, path: Path) -> None:
    """Write a report as Parquet, every column as text: an exact decimal stays exact whatever reads it."""
    columns = list(zip(*report.rows, strict=True)) or [()] * len(report.columns)
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(report.columns, columns, strict=True)})
    pq.write_table(table, path, compression="zstd", store_schema=False)
