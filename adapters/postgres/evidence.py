"""Evidence: snapshots, reconciliations and statements. A body is kept once; each close's use of it is appended."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import column, exists, table, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database, one_at_a_time
from models.approval import Decision
from models.books import Conflict
from models.close import DRY_RUNS_FROM, DecisionKind
from models.facts import LineFacts, ScheduleFacts, StatementFacts
from models.reconciliation import Answer, Exposure, Reconciliation, Resolution
from models.reports import OpenBalance
from models.revenue import RevenueSchedule
from models.snapshot import Snapshot
from models.statement import Statement
from models.tables.closes import DecisionRow, VerdictRow
from models.tables.evidence import (
    ExposureRow,
    FindingRow,
    ReconciliationRow,
    ReconciliationUseRow,
    ScheduleFactsRow,
    SnapshotRow,
    StatementFactsRow,
    StatementRow,
    StatementUseRow,
)
from models.tables.invoices import InvoiceRow, IssuedInvoiceRow
from models.value import fingerprint_of

_OPEN_POOLS = """
    WITH last AS (
        SELECT DISTINCT ON (s.contract) s.customer, s.body
        FROM statements s
        JOIN invoices i ON i.statement = s.fingerprint
        JOIN issued_invoices o ON o.reference = i.reference
        WHERE s.period < :before AND s.customer <> ALL(:known)
            AND (CAST(:customer AS text) IS NULL OR s.customer = :customer)
        ORDER BY s.contract, s.period DESC, i.revision DESC
    )
    SELECT l.customer, 'pool ' || (p ->> 'id') AS what, p ->> 'unit' AS unit, CAST(p ->> 'closing' AS numeric) AS amount
    FROM last l, jsonb_array_elements(CAST(l.body AS jsonb) -> 'pools') p
    WHERE (p ->> 'in_force')::boolean AND p ->> 'kind' IN ('prepaid', 'paid', 'promotional')
        AND CAST(p ->> 'closing' AS numeric) > 0
    ORDER BY l.customer, 2
"""

_SUPERSEDED = table("superseded_invoices", column("reference"), schema="tieout")
"""A view: invoices that were taken back and billed again."""


STATEMENTS = 256
"""How many statements are at hand: a customer's is asked for by every stage after it is rated."""


class PostgresEvidence:
    """`activities.ports.EvidenceBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._sealed: dict[tuple[str, str, int], Snapshot] = {}  # what is sealed stays as it is
        self._statement = lru_cache(maxsize=STATEMENTS)(self._read_statement)

    def keep_snapshot(self, snapshot: Snapshot, revision: int) -> Snapshot:
        """Keep a sealed snapshot and return the one that is kept: the first for (source, period, revision)."""
        with self.database.writing() as session:
            session.exec(
                insert(SnapshotRow)
                .values(
                    fingerprint=snapshot.fingerprint(),
                    source=snapshot.source,
                    period=snapshot.period,
                    revision=revision,
                    watermark=snapshot.watermark,
                    rows_kept=snapshot.counts.kept,
                    body=snapshot.canonical(),
                    recorded_at=snapshot.sealed_at,
                )
                .on_conflict_do_nothing()
            )
            kept = _snapshot(session, snapshot.source, snapshot.period, revision)
        if kept is None:
            raise Conflict("this snapshot was sealed for another revision", source=snapshot.source, revision=revision)
        return kept

    def snapshot(self, source: str, month: str, revision: int) -> Snapshot | None:
        """Return the sealed snapshot of a source and month, or None."""
        key = (source, month, revision)
        if key not in self._sealed:
            with self.database.reading() as session:
                found = _snapshot(session, source, month, revision)
            if found is None:
                return None
            self._sealed[key] = found
        return self._sealed[key]

    def snapshots_before(self, source: str, month: str) -> tuple[Snapshot, ...]:
        """Return the sealed snapshots of earlier months, newest first: the identity index for dedupe."""
        found = (
            select(SnapshotRow.body)
            .where(
                col(SnapshotRow.source) == source,
                col(SnapshotRow.period) < month,
                col(SnapshotRow.revision) < DRY_RUNS_FROM,
            )
            .order_by(col(SnapshotRow.period).desc(), col(SnapshotRow.revision).desc())
        )
        with self.database.reading() as session:
            return tuple(Snapshot.from_text(body) for body in session.exec(found))

    def keep_reconciliation(
        self, reconciliation: Reconciliation, revision: int, at: datetime, at_risk: Sequence[Exposure] = ()
    ) -> str:
        """Keep a reconciliation, its findings and the money at risk of them; return its fingerprint."""
        body = reconciliation.canonical()
        fingerprint = fingerprint_of(body)
        customer, month = reconciliation.customer, reconciliation.period
        with self.database.writing() as session:
            new = session.exec(
                insert(ReconciliationRow)
                .values(
                    fingerprint=fingerprint,
                    customer=customer,
                    period=month,
                    body=body,
                    recorded_at=at,
                )
                .on_conflict_do_nothing()
                .returning(col(ReconciliationRow.fingerprint))
            ).all()
            if new and reconciliation.findings:
                session.exec(insert(FindingRow), params=_findings(reconciliation, fingerprint))
            if at_risk:
                _keep_exposures(session, fingerprint, at_risk, at)
            _use(session, ReconciliationUseRow, fingerprint, customer, month, revision, at)
        return fingerprint

    def reconciliation(self, fingerprint: str) -> Reconciliation:
        """Return a reconciliation; raises KeyError."""
        with self.database.reading() as session:
            body = session.exec(
                select(ReconciliationRow.body).where(ReconciliationRow.fingerprint == fingerprint)
            ).first()
        if body is None:
            raise KeyError(fingerprint)
        return Reconciliation.from_text(body)

    def latest_reconciliation(self, month: str, revision: int, customer: str) -> Reconciliation | None:
        """Return the newest reconciliation of a customer's month, or None."""
        with self.database.reading() as session:
            fingerprint = _latest(session, ReconciliationUseRow, month, revision, customer)
        return self.reconciliation(fingerprint) if fingerprint else None

    def newest_reconciliation(self, month: str, customer: str) -> Reconciliation | None:
        """Return the newest reconciliation of a customer's month at its highest revision, or None."""
        found = (
            select(ReconciliationUseRow.fingerprint)
            .where(ReconciliationUseRow.period == month, ReconciliationUseRow.customer == customer)
            .order_by(col(ReconciliationUseRow.revision).desc(), col(ReconciliationUseRow.position).desc())
            .limit(1)
        )
        with self.database.reading() as session:
            fingerprint = session.exec(found).first()
        return self.reconciliation(fingerprint) if fingerprint else None

    def resolutions(self, month: str, revision: int, customer: str) -> tuple[Resolution, ...]:
        """Return the resolutions taken and not reversed, oldest first; the last for a finding counts."""
        found = (
            select(DecisionRow.body)
            .join(VerdictRow, col(VerdictRow.decision) == col(DecisionRow.id))
            .where(
                DecisionRow.period == month,
                DecisionRow.revision == revision,
                DecisionRow.customer == customer,
                col(DecisionRow.kind).in_((DecisionKind.RESOLVE.value, DecisionKind.REVERSE.value)),
                col(VerdictRow.taken),
            )
            .order_by(col(VerdictRow.position))
        )
        with self.database.reading() as session:
            decided = [Decision.from_text(body) for body in session.exec(found)]
        stand: list[Decision] = []
        for one in decided:
            if one.kind is DecisionKind.REVERSE:
                stand = [before for before in stand if before.subject != one.subject]
            else:
                stand.append(one)
        return tuple(resolution_of(one) for one in stand)

    def keep_statement(self, statement: Statement, close_revision: int, at: datetime) -> str:
        """Keep a statement, with what reports need of it, and return its fingerprint."""
        body = statement.canonical()
        fingerprint = fingerprint_of(body)
        with self.database.writing() as session:
            session.exec(
                insert(StatementRow)
                .values(
                    fingerprint=fingerprint,
                    customer=statement.customer,
                    contract=statement.contract,
                    contract_version=statement.contract_version,
                    period=statement.period,
                    currency=statement.currency,
                    lines=len(statement.lines),
                    subtotal=statement.subtotal,
                    tax=statement.tax,
                    total=statement.total,
                    body=body,
                    recorded_at=at,
                )
                .on_conflict_do_nothing()
            )
            session.exec(
                insert(StatementFactsRow)
                .values(
                    statement=fingerprint,
                    body=StatementFacts.of(statement, fingerprint).canonical(),
                    lines=LineFacts.of(statement).canonical(),
                )
                .on_conflict_do_nothing()
            )
            _use(session, StatementUseRow, fingerprint, statement.customer, statement.period, close_revision, at)
        return fingerprint

    def keep_schedule(self, inputs: str, schedule: RevenueSchedule, at: datetime) -> None:
        """Keep what reports need of a schedule under the fingerprint of all it is made of; once."""
        with self.database.writing() as session:
            session.exec(
                insert(ScheduleFactsRow)
                .values(
                    inputs=inputs,
                    statement=schedule.statement,
                    body=ScheduleFacts.of(schedule).canonical(),
                    recorded_at=at,
                )
                .on_conflict_do_nothing()
            )

    def statement(self, fingerprint: str) -> Statement:
        """Return a statement; raises KeyError."""
        return self._statement(fingerprint)

    def _read_statement(self, fingerprint: str) -> Statement:
        with self.database.reading() as session:
            body = session.exec(select(StatementRow.body).where(StatementRow.fingerprint == fingerprint)).first()
        if body is None:
            raise KeyError(fingerprint)
        return Statement.from_text(body)

    def rated_at(self, statement: str) -> datetime:
        """Return when a statement was last kept for a close; raises KeyError."""
        found = (
            select(StatementUseRow.recorded_at)
            .where(StatementUseRow.fingerprint == statement)
            .order_by(col(StatementUseRow.position).desc())
            .limit(1)
        )
        with self.database.reading() as session:
            at = session.exec(found).first()
        if at is None:
            raise KeyError(statement)
        return at

    def latest_statement(self, month: str, close_revision: int, customer: str) -> Statement | None:
        """Return the newest statement of a customer's month, or None."""
        with self.database.reading() as session:
            fingerprint = _latest(session, StatementUseRow, month, close_revision, customer)
        return self.statement(fingerprint) if fingerprint else None

    def issued_statements(self, contract: str, before: str) -> tuple[Statement, ...]:
        """Return the statements of a contract that were issued for months before one, oldest first.

        Of an invoice that was taken back and billed again, the one that replaces it.
        """
        found = (
            select(StatementRow.body)
            .join(InvoiceRow, col(InvoiceRow.statement) == col(StatementRow.fingerprint))
            .join(IssuedInvoiceRow, col(IssuedInvoiceRow.reference) == col(InvoiceRow.reference))
            .where(
                StatementRow.contract == contract,
                StatementRow.period < before,
                ~exists().where(_SUPERSEDED.c.reference == col(InvoiceRow.reference)),
            )
            .order_by(col(StatementRow.period), col(InvoiceRow.revision), col(InvoiceRow.currency))
        )
        with self.database.reading() as session:
            return tuple(Statement.from_text(body) for body in session.exec(found))

    def open_pools(self, before: str, known: Collection[str], customer: str | None = None) -> tuple[OpenBalance, ...]:
        """Return what the last issued statement before a month left in pools and credits, but for known customers."""
        named = {"before": before, "known": list(known), "customer": customer}
        with self.database.reading() as session:
            rows = session.connection().execute(text(_OPEN_POOLS), named)
            return tuple(OpenBalance(**row._mapping) for row in rows)


def _snapshot(session: Session, source: str, month: str, revision: int) -> Snapshot | None:
    body = session.exec(
        select(SnapshotRow.body).where(
            SnapshotRow.source == source, SnapshotRow.period == month, SnapshotRow.revision == revision
        )
    ).first()
    return Snapshot.from_text(body) if body else None


def _keep_exposures(session: Session, reconciliation: str, at_risk: Sequence[Exposure], at: datetime) -> None:
    """Append the money at risk of findings where it is not what stands already."""
    one_at_a_time(session, f"exposures/{reconciliation}")
    kept = select(ExposureRow).where(ExposureRow.reconciliation == reconciliation).order_by(col(ExposureRow.position))
    stands = {row.finding: (row.amount, row.currency, row.why) for row in session.exec(kept)}
    new = [one for one in at_risk if stands.get(one.finding) != (one.amount, one.currency, one.why)]
    if new:
        rows = [{**one.model_dump(), "reconciliation": reconciliation, "recorded_at": at} for one in new]
        session.exec(insert(ExposureRow), params=rows)


def _findings(reconciliation: Reconciliation, fingerprint: str) -> list[Mapping[str, Any]]:
    return [
        {
            "reconciliation": fingerprint,
            "line": line,
            "finding": finding.id,
            "customer": finding.customer,
            "period": finding.period,
            "cause": finding.cause.value,
            "severity": finding.severity.value,
            "source": finding.source,
            "against": finding.against,
            "meter": finding.meter,
            "starts_at": finding.starts_at,
            "ends_at": finding.ends_at,
            "quantity": finding.quantity,
            "against_quantity": finding.against_quantity,
        }
        for line, finding in enumerate(reconciliation.findings, 1)
    ]


def resolution_of(decision: Decision) -> Resolution:
    """Return the resolution that a decision at the desk is."""
    payload = decision.payload
    return Resolution.model_validate(
        {
            "finding": decision.subject,
            "answer": Answer(payload["answer"]),
            "source": payload.get("source"),
            "quantity": payload.get("quantity"),
            "reason": decision.reason,
            "person": decision.person.id,
            "decision": decision.id,
        }
    )


_UseRow = type[ReconciliationUseRow] | type[StatementUseRow]


def _use(
    session: Session, table: _UseRow, fingerprint: str, customer: str, month: str, revision: int, at: datetime
) -> None:
    """Append that a close uses this body, unless it is the one in use already."""
    one_at_a_time(session, f"{table.__tablename__}/{month}@{revision}/{customer}")
    if _latest(session, table, month, revision, customer) != fingerprint:
        session.exec(
            insert(table).values(
                fingerprint=fingerprint, customer=customer, period=month, revision=revision, recorded_at=at
            )
        )


def _latest(session: Session, table: _UseRow, month: str, revision: int, customer: str) -> str | None:
    return session.exec(
        select(table.fingerprint)
        .where(table.period == month, table.revision == revision, table.customer == customer)
        .order_by(col(table.position).desc())
        .limit(1)
    ).first()
