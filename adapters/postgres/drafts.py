"""Drafts: running months as last rated. Each refresh overwrites what was there; what is later stays."""

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from adapters.postgres.sessions import Database
from models.draft import DayOfLine, Draft
from models.statement import Statement
from models.tables.faces import DraftStatementRow

_DAYS: TypeAdapter[tuple[DayOfLine, ...]] = TypeAdapter(tuple[DayOfLine, ...])
_NEWEST = """
    SELECT body, days, complete_up_to, refreshed_at FROM draft_statements
    WHERE (CAST(:month AS text) IS NULL OR period = :month)
        AND (CAST(:customer AS text) IS NULL OR customer = :customer)
        AND (CAST(:fingerprint AS text) IS NULL OR fingerprint = :fingerprint)
    ORDER BY period DESC LIMIT 1
"""


class PostgresDrafts:
    """`activities.ports.DraftBook`, and what a customer's pages read of it."""

    def __init__(self, database: Database, customer: str | None = None) -> None:
        self.database = database
        self.customer = customer

    def keep(self, draft: Draft) -> None:
        """Keep a customer's draft of a month, unless a later one is kept."""
        row = insert(DraftStatementRow).values(
            customer=draft.statement.customer,
            period=draft.statement.period,
            fingerprint=draft.statement.fingerprint(),
            body=draft.statement.canonical(),
            days=_DAYS.dump_json(draft.days).decode(),
            complete_up_to=draft.complete_up_to,
            refreshed_at=draft.refreshed_at,
        )
        new = row.excluded
        names = ("fingerprint", "body", "days", "complete_up_to", "refreshed_at")
        with self.database.writing(self.customer) as session:
            session.exec(
                row.on_conflict_do_update(
                    index_elements=["customer", "period"],
                    set_={name: new[name] for name in names},
                    where=col(DraftStatementRow.refreshed_at) <= new.refreshed_at,
                )
            )

    def newest(self, month: str | None = None) -> Draft | None:
        """Return the draft of the newest month there is one of, or of a month; None where there is none."""
        return self._draft(month=month, fingerprint=None)

    def of(self, fingerprint: str) -> Draft | None:
        """Return the draft whose statement has this fingerprint, or None: it was overwritten, or is a close's."""
        return self._draft(month=None, fingerprint=fingerprint)

    def _draft(self, **named: Any) -> Draft | None:
        with self.database.reading(self.customer) as session:
            row = session.connection().execute(text(_NEWEST), {"customer": self.customer, **named}).first()
        if row is None:
            return None
        return Draft(
            statement=Statement.from_text(row.body),
            days=_DAYS.validate_json(row.days),
            complete_up_to=row.complete_up_to,
            refreshed_at=row.refreshed_at,
        )
