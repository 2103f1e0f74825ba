"""Statements as pages show them: which one stands for a month, since when, and whether it was issued."""

from typing import Any

from sqlalchemy import text

from adapters.postgres.sessions import Database
from models.close import DRY_RUNS_FROM
from models.reports import StatementView
from models.statement import Statement

# Of a month: what was issued and not taken back; else what its close rated last. A dry run is nobody's.
_NEWEST = """
    SELECT s.body, s.fingerprint, u.recorded_at, o.reference IS NOT NULL AS issued
    FROM statement_uses u
    JOIN statements s USING (fingerprint)
    LEFT JOIN invoices i ON i.statement = s.fingerprint AND i.revision = u.revision
    LEFT JOIN issued_invoices o ON o.reference = i.reference
        AND NOT EXISTS (SELECT FROM superseded_invoices x WHERE x.reference = o.reference)
    WHERE u.revision < :dry AND (CAST(:month AS text) IS NULL OR u.period = :month)
        AND (CAST(:customer AS text) IS NULL OR u.customer = :customer)
    ORDER BY u.period DESC, (o.reference IS NOT NULL) DESC, u.recorded_at DESC, u.position DESC
    LIMIT 1
"""
_MONTHS = """
    SELECT DISTINCT period FROM statement_uses
    WHERE revision < :dry AND (CAST(:customer AS text) IS NULL OR customer = :customer) ORDER BY period DESC
"""
_STAMP = """
    SELECT (SELECT max(position) FROM statement_uses WHERE revision < :dry AND customer = :customer) AS rated,
        (SELECT count(*) FROM issued_invoices WHERE customer = :customer) AS issued,
        (SELECT max(refreshed_at) FROM draft_statements WHERE customer = :customer) AS refreshed,
        (SELECT left(encode(sha256(convert_to(string_agg(
            concat_ws(' ', reference, owed, lowered_by, lowered_on), ',' ORDER BY reference
        ), 'UTF8')), 'hex'), 16) FROM receivables WHERE customer = :customer) AS owed
"""


class PostgresStatements:
    """Reads statements, as one role and for one customer; None: whoever the role may see."""

    def __init__(self, database: Database, customer: str | None = None) -> None:
        self.database = database
        self.customer = customer

    def newest(self, month: str | None = None) -> StatementView | None:
        """Return the statement that stands for the newest month there is one of, or for a month; None for none."""
        rows = self._rows(_NEWEST, month=month)
        if not rows:
            return None
        row = rows[0]
        return StatementView(
            statement=Statement.from_text(row.body),
            kept_as=row.fingerprint,
            stored_at=row.recorded_at,
            issued=row.issued,
        )

    def months(self) -> tuple[str, ...]:
        """Return the months there are statements of, newest first."""
        return tuple(row.period for row in self._rows(_MONTHS))

    def stamp(self) -> str:
        """Return a word that is another one once something of the customer's was rated, issued, refreshed or paid."""
        [row] = self._rows(_STAMP)
        refreshed = row.refreshed and row.refreshed.timestamp()
        return "/".join(str(part or 0) for part in (row.rated, row.issued, refreshed, row.owed))

    def _rows(self, sql: str, **named: Any) -> list[Any]:
        with self.database.reading(self.customer) as session:
            return list(
                session.connection()
                .execute(text(sql), {"customer": self.customer, "dry": DRY_RUNS_FROM, **named})
                .all()
            )
