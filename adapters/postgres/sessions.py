"""Sessions: one role's connections to PostgreSQL, what its refusals mean. Nothing is retried here: Temporal does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from models.books import FourEyes, TooMuchCredited
from models.journal import PeriodLocked
from models.refusal import Refusal

CHANGE_REFUSED = "TIE01"
PERIOD_LOCKED = "TIE02"
UNBALANCED = "TIE03"
ONE_PERSON = "TIE04"
OVER_CREDITED = "TIE05"
TWO_PEOPLE = frozenset({"four_eyes"})
"""Constraints that only one person on both sides of an approval can break."""


class Database:
    """A database as one role sees it. Give each process one; it holds at most `connections` open.

    `url` is what `migrations.roles.role_url` returns for the role. A customer's pages connect as the portal and name
    the customer in `reading`; every other role leaves it out. With `ask_first` a server that was restarted is noticed
    before a statement is lost on it; who tries again anyway, as a worker's deeds do, saves the question. A statement is
    given up after `patience_seconds`, if any, and so is waiting for a connection.
    """

    def __init__(
        self, url: str | URL, connections: int = 8, *, ask_first: bool = True, patience_seconds: int = 0
    ) -> None:
        options = f"-c timezone=UTC -c search_path=tieout,pg_catalog -c statement_timeout={patience_seconds * 1000}"
        self.engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=patience_seconds or 30,
            pool_pre_ping=ask_first,
            connect_args={"connect_timeout": 10, "options": options},
        )
        self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._here = _Here()

    @contextmanager
    def at_one_instant(self) -> Iterator[None]:
        """Have this thread's readings share one snapshot within, until something is written; then the next one."""
        self._here.shares = True
        try:
            yield
        finally:
            self._here.shares = False
            self._let_go()

    @contextmanager
    def reading(self, customer: str | None = None) -> Iterator[Session]:
        """Yield a session in one read-only snapshot: all it reads is of one instant."""
        if self._here.shares and customer is None:
            if self._here.snapshot is None:
                self._here.snapshot = _Snapshot(self._snapshots)
            try:
                with self._here.snapshot.in_use() as session:
                    yield session
            except BaseException:
                self._let_go()  # PostgreSQL answers nothing more in a transaction that failed
                raise
            return
        with Session(self._snapshots) as session, session.begin():
            _name(session, customer)
            yield session

    @contextmanager
    def writing(self, customer: str | None = None) -> Iterator[Session]:
        """Yield a session whose work is committed together at its end, or not at all.

        Raises:
            PeriodLocked, FourEyes, TooMuchCredited: the database refused; every other fault of it comes as it is.
        """
        self._let_go()
        try:
            with Session(self.engine) as session, session.begin():
                _name(session, customer)
                yield session
        except DBAPIError as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            raise refusal from error

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _let_go(self) -> None:
        """Have the next reading of this thread see what is written from here on."""
        if self._here.snapshot is not None:
            self._here.snapshot.end()
            self._here.snapshot = None


class _Snapshot:
    """A snapshot that readings of one thread share; closed once it was ended and its last reader has left."""

    def __init__(self, engine: Engine) -> None:
        self._session = Session(engine)
        self._readers = 0
        self._ended = False

    @contextmanager
    def in_use(self) -> Iterator[Session]:
        """Yield its session; it stays open until the last reader has left."""
        self._readers += 1
        try:
            yield self._session
        finally:
            self._readers -= 1
            self._close_if_done()

    def end(self) -> None:
        """Take no further reader."""
        self._ended = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._ended and not self._readers:
            self._session.close()


class _Here(threading.local):
    """What a thread shares: nothing unless it said so."""

    shares = False
    snapshot: _Snapshot | None = None


def _name(session: Session, customer: str | None) -> None:
    """Say for this transaction alone whose rows may be seen."""
    if customer is not None:
        session.connection().execute(
            text("SELECT set_config('tieout.customer', :customer, true)"), {"customer": customer}
        )


def code_of(error: DBAPIError) -> str | None:
    """Return PostgreSQL's code of an error (SQLSTATE), ours among them."""
    return getattr(error.orig, "sqlstate", None)


def _refusal(error: DBAPIError) -> Refusal | None:
    message = str(error.orig).splitlines()[0]
    if _constraint(error) in TWO_PEOPLE:
        return FourEyes(message)
    refusals: dict[str | None, type[Refusal]] = {
        PERIOD_LOCKED: PeriodLocked,
        ONE_PERSON: FourEyes,
        OVER_CREDITED: TooMuchCredited,
    }
    refusal = refusals.get(code_of(error))
    return refusal(message) if refusal else None


def _constraint(error: DBAPIError) -> str | None:
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def one_at_a_time(session: Session, what: str) -> None:
    """Wait until no other transaction holds the lock named `what`, and hold it until this one ends."""
    session.connection().execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"), {"what": what})
