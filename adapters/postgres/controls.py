"""Controls in the database: tie-outs as computed, reopenings, and the sums they are computed from."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from adapters.postgres.sessions import Database, one_at_a_time
from models.control import KeptTieOut, Reopening, TieOut, TieOutName
from models.invoice import Invoice, IssuedInvoice
from models.tables.controls import RelockRow, ReopeningRow, TieOutRow
from models.tables.invoices import InvoiceRow, IssuedInvoiceRow

_BALANCES = """
    SELECT p.account AS subject, p.currency AS unit, sum(p.amount) AS amount
    FROM journal_postings p JOIN journal_entries e ON e.key = p.entry
    WHERE e.period = :month GROUP BY p.account, p.currency
"""
_RECEIVABLES = "SELECT reference AS subject, currency AS unit, owed AS amount FROM receivables WHERE period = :month"
"""What a customer still owes by law, as the platform counts it: what we wrote off ourselves is not given away."""

_GRANTS = """
    SELECT e.contract || '/' || p."grant" AS subject, p.currency AS unit, -sum(p.amount) AS amount
    FROM journal_postings p JOIN journal_entries e ON e.key = p.entry
    WHERE p.account IN ('2110', '1120') AND p."grant" IS NOT NULL AND e.period <= :month
    GROUP BY e.contract, p."grant", p.currency
"""


class PostgresControls:
    """`activities.ports.ControlBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, tie_out: TieOut, at: datetime) -> None:
        """Keep a tie-out; the numbers of the newest one again change nothing."""
        with self.database.writing() as session:
            one_at_a_time(session, f"tie-out {tie_out.month}")
            newest = (
                select(TieOutRow.fingerprint)
                .where(TieOutRow.period == tie_out.month, TieOutRow.name == tie_out.name.value)
                .order_by(col(TieOutRow.position).desc())
            )
            if session.exec(newest).first() == tie_out.fingerprint():
                return
            session.exec(
                insert(TieOutRow).values(
                    period=tie_out.month,
                    name=tie_out.name.value,
                    fingerprint=tie_out.fingerprint(),
                    body=tie_out.canonical(),
                    recorded_at=at,
                )
            )

    def newest(self, month: str) -> dict[TieOutName, KeptTieOut]:
        """Return the newest tie-out of each name."""
        found = select(TieOutRow).where(TieOutRow.period == month).order_by(col(TieOutRow.position))
        with self.database.reading() as session:
            return {
                TieOutName(row.name): KeptTieOut(tie_out=TieOut.from_text(row.body), at=row.recorded_at)
                for row in session.exec(found)
            }

    def reopen(self, reopening: Reopening, decision: str) -> Reopening:
        """Open a locked period again until an instant, once for a decision; return what is kept.

        Raises:
            FourEyes: one person asked and approved. PeriodLocked: a later period is locked.
        """
        with self.database.writing() as session:
            session.exec(
                insert(ReopeningRow)
                .values(
                    decision=decision,
                    period=reopening.month,
                    asked_by=reopening.asked_by,
                    approved_by=reopening.approved_by,
                    reason=reopening.reason,
                    opened_at=reopening.at,
                    expires_at=reopening.expires_at,
                )
                .on_conflict_do_nothing(index_elements=["decision"])
            )
            row = session.get(ReopeningRow, decision)
            assert row is not None
            return _reopening(row, None)

    def reopenings(self, month: str) -> tuple[Reopening, ...]:
        """Return a period's reopenings, oldest first."""
        found = (
            select(ReopeningRow, RelockRow.locked_at)
            .outerjoin(RelockRow, col(RelockRow.decision) == col(ReopeningRow.decision))
            .where(ReopeningRow.period == month)
            .order_by(col(ReopeningRow.position))
        )
        with self.database.reading() as session:
            return tuple(_reopening(row, ended) for row, ended in session.exec(found))

    def balances(self, month: str) -> dict[tuple[str, str], Decimal]:
        """Return a period's postings by account and currency."""
        return self._sums(_BALANCES, month)

    def receivables(self, month: str) -> dict[tuple[str, str], Decimal]:
        """Return what 1100 holds now of each invoice of a month, by our reference and currency."""
        return self._sums(_RECEIVABLES, month)

    def grants(self, through: str) -> dict[tuple[str, str], Decimal]:
        """Return what is owed of each grant after a month, 2110 less 1120, by contract/grant and currency."""
        return self._sums(_GRANTS, through)

    def issued(self, month: str) -> tuple[tuple[Invoice, IssuedInvoice], ...]:
        """Return the issued invoices of a month, by reference."""
        found = (
            select(InvoiceRow.body, IssuedInvoiceRow.body)
            .join(IssuedInvoiceRow, col(IssuedInvoiceRow.reference) == col(InvoiceRow.reference))
            .where(InvoiceRow.period == month)
            .order_by(col(InvoiceRow.reference))
        )
        with self.database.reading() as session:
            return tuple(
                (Invoice.from_text(asked), IssuedInvoice.from_text(issued)) for asked, issued in session.exec(found)
            )

    def _sums(self, sql: str, month: str) -> dict[tuple[str, str], Decimal]:
        with self.database.reading() as session:
            rows: list[Any] = list(session.connection().execute(text(sql), {"month": month}))
        return {(row.subject, row.unit): row.amount for row in rows}


def _reopening(row: ReopeningRow, ended: datetime | None) -> Reopening:
    return Reopening(
        month=row.period,
        asked_by=row.asked_by,
        approved_by=row.approved_by,
        reason=row.reason,
        at=row.opened_at,
        expires_at=row.expires_at,
        ended_at=ended,
    )
