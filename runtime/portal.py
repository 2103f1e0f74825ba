"""The portal's door to the books: one customer's stored numbers, read as the role that sees no other's."""

from adapters.postgres.books import Books
from adapters.postgres.sessions import Database
from adapters.postgres.statements import PostgresStatements
from models.reports import InvoiceView, StatementView
from models.statement import Statement


class Portal:
    """Hands out each customer's books."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, customer: str) -> "CustomerBooks":
        """Return a customer's books."""
        return CustomerBooks(self._database, customer)


class CustomerBooks:
    """What one customer may see. Each answer is read in a transaction that names the customer."""

    def __init__(self, database: Database, customer: str) -> None:
        self.customer = customer
        self._books = Books(database, customer)
        self._statements = PostgresStatements(database, customer)

    def newest(self, month: str | None = None) -> StatementView | None:
        """Return the newest statement (of a month) as it was last stored, with when; None where there is none."""
        return self._statements.newest(month)

    def invoices(self) -> tuple[InvoiceView, ...]:
        """Return what was issued to the customer, newest month first."""
        return tuple(view for view in self._books.invoices() if view.issued is not None)

    def statement(self, fingerprint: str) -> Statement | None:
        """Return a statement of the customer's, or None."""
        return self._books.statement(fingerprint)
