"""Exports: which files of every month are due, for the worker that makes them."""

from sqlalchemy import text

from adapters.postgres.sessions import Database
from models.visitor import EVERY_MONTH, DueExport, Export

_DUE = f"""
    WITH chosen AS (
        SELECT DISTINCT ON (customer, kind, format) customer, kind, format, wanted, recorded_at
        FROM standing_exports ORDER BY customer, kind, format, position DESC
    )
    SELECT c.customer, c.kind, c.format, i.statement
    FROM chosen c
    JOIN invoices i ON i.customer = c.customer
    JOIN issued_invoices o ON o.reference = i.reference AND o.recorded_at >= c.recorded_at
    WHERE c.wanted AND NOT EXISTS (
        SELECT FROM exports e
        WHERE (e.statement, e.customer, e.kind, e.format, e.made_by)
            = (i.statement, c.customer, c.kind, c.format, '{EVERY_MONTH}')
    )
    ORDER BY o.recorded_at, i.reference, c.kind, c.format LIMIT :most
"""
_KEEP = """
    INSERT INTO exports (id, customer, period, kind, format, statement, rows_written, sha256, made_by, made_at)
    VALUES (:id, :customer, :period, :kind, :format, :statement, :rows_written, :sha256, :made_by, :made_at)
    ON CONFLICT (id) DO NOTHING
"""


class PostgresExports:
    """`activities.ports.ExportBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def due(self, most: int) -> tuple[DueExport, ...]:
        """Return the files of invoices issued since they were chosen that nobody made, the oldest invoice's first."""
        with self.database.reading() as session:
            rows = session.connection().execute(text(_DUE), {"most": most}).all()
        return tuple(DueExport(**row._mapping) for row in rows)

    def keep(self, export: Export) -> None:
        """Keep that a file was made; once for its id."""
        with self.database.writing() as session:
            session.connection().execute(text(_KEEP), export.model_dump(exclude={"total", "currency"}))
