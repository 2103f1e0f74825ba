"""Customers' keys, as the API asks whose one is. Of a key only its SHA-256 is kept, and a function compares it."""

from sqlalchemy import text

from adapters.postgres.sessions import Database
from models.access import CustomerScope, KeyHolder


class PostgresCustomerKeys:
    """Asks as the portal, before it is known which customer asks."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def holder(self, secret: str) -> KeyHolder | None:
        """Return whose key has this secret, or None where none is in use."""
        asked = text("SELECT id, customer, name, scopes FROM tieout.customer_of_key(:secret)")
        with self.database.reading() as session:
            row = session.connection().execute(asked, {"secret": secret}).first()
        if row is None:
            return None
        return KeyHolder(
            id=row.id, customer=row.customer, name=row.name, scopes=tuple(CustomerScope(one) for one in row.scopes)
        )
