"""API writes: each is begun once for its caller and key, and keeps its first answer."""

from datetime import datetime
from typing import Any

from sqlalchemy import text

from adapters.postgres.sessions import Database
from models.access import KeptWrite

# One statement: of two who ask at once one begins, and the other finds the row. What was begun, is not answered and is
# held no longer, was left by somebody who died, or given up; the same request may begin it again.
_BEGIN = """
    INSERT INTO api_writes AS w (caller, key, customer, request_sha256, began_at, held_until)
    VALUES (:caller, :key, :customer, :request, :at, :until)
    ON CONFLICT (caller, key) DO UPDATE SET began_at = excluded.began_at, held_until = excluded.held_until
    WHERE w.answered_at IS NULL AND w.held_until <= excluded.began_at AND w.request_sha256 = excluded.request_sha256
    RETURNING w.key
"""
_ANSWER = """
    UPDATE api_writes SET status = :status, media_type = :media_type, body = :body, answered_at = :at
    WHERE caller = :caller AND key = :key AND answered_at IS NULL
"""
_GIVE_UP = "UPDATE api_writes SET held_until = :at WHERE caller = :caller AND key = :key AND answered_at IS NULL"


class PostgresApiWrites:
    """As the portal for a customer's programs, which sees its customer's; as the console for finance's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def begin(
        self, caller: str, key: str, customer: str | None, request: str, at: datetime, until: datetime
    ) -> KeptWrite | None:
        """Return None where the write is begun by this, and held until an instant; else the write that is there."""
        with self.database.writing(customer) as session:
            named = {"caller": caller, "key": key, "customer": customer, "request": request, "at": at, "until": until}
            if session.connection().execute(text(_BEGIN), named).first() is not None:
                return None
            row = session.connection().execute(
                text("SELECT request_sha256, status, media_type, body FROM api_writes WHERE caller = :caller"
                     " AND key = :key"), named
            ).one()  # fmt: skip
        return KeptWrite(request=row.request_sha256, status=row.status, media_type=row.media_type, body=row.body)

    def answer(
        self, caller: str, key: str, customer: str | None, status: int, media_type: str, body: str, at: datetime
    ) -> None:
        """Keep the answer, unless another is kept."""
        self._change(_ANSWER, customer, caller=caller, key=key, status=status, media_type=media_type, body=body, at=at)

    def give_up(self, caller: str, key: str, customer: str | None, at: datetime) -> None:
        """Hold the write no longer: the same request may be made again."""
        self._change(_GIVE_UP, customer, caller=caller, key=key, at=at)

    def _change(self, sql: str, customer: str | None, **named: Any) -> None:
        with self.database.writing(customer) as session:
            session.connection().execute(text(sql), named)
