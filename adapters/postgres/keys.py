"""Keys: how other services are let in to the rate API. Of a key only its SHA-256 is kept."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from adapters.postgres.sessions import Database
from models.access import ApiKey
from models.tables.rates import ApiKeyRow
from models.value import fingerprint_of


class PostgresKeys:
    """The keys as the console makes and revokes them, and as the rate API asks whose one is."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def make(self, key: ApiKey, secret: str) -> None:
        """Keep a new key; its secret is told to its owner once and kept nowhere."""
        with self.database.writing() as session:
            session.exec(
                insert(ApiKeyRow).values(
                    id=key.id,
                    name=key.name,
                    key_sha256=fingerprint_of(secret),
                    scopes=[scope.value for scope in key.scopes],
                    made_by=key.made_by,
                    made_at=key.made_at,
                )
            )

    def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key and return whether there is one of this id; a second time changes nothing."""
        with self.database.writing() as session:
            session.exec(
                update(ApiKeyRow)
                .where(col(ApiKeyRow.id) == key_id, col(ApiKeyRow.revoked_at).is_(None))
                .values(revoked_at=at)
            )
            return session.exec(select(ApiKeyRow.id).where(ApiKeyRow.id == key_id)).first() is not None

    def keys(self) -> tuple[ApiKey, ...]:
        """Return every key, by the instant it was made; none shows its secret."""
        columns = (
            ApiKeyRow.id,
            ApiKeyRow.name,
            col(ApiKeyRow.scopes),
            ApiKeyRow.made_by,
            ApiKeyRow.made_at,
            ApiKeyRow.revoked_at,
        )
        with self.database.reading() as session:
            rows = session.connection().execute(select(*columns).order_by(col(ApiKeyRow.made_at)))  # type: ignore[call-overload]
            return tuple(
                ApiKey.model_validate({**row, "scopes": tuple(row["scopes"])}, strict=False) for row in rows.mappings()
            )

    def scopes_of(self, secret: str) -> Sequence[str] | None:
        """Return what the key with this secret may do, or None where there is none in use."""
        with self.database.reading() as session:
            row = (
                session.connection()
                .execute(text("SELECT scopes FROM tieout.api_key_of(:secret)"), {"secret": secret})
                .first()
            )
        return None if row is None else tuple(row.scopes)
