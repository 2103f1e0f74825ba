"""The console's door to the books: what finance sees of every customer, as the role that writes decisions alone."""

from adapters.postgres.books import Books
from adapters.postgres.sessions import Database
from models.reports import CloseSummary


class Console:
    """Reads what the pages of finance show."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.books = Books(database)

    def closes(self) -> tuple[CloseSummary, ...]:
        """Return the closes, newest first."""
        return self.books.closes()
