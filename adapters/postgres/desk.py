"""Desk: the one door by which people decide. It connects as the console, the only role that may write decisions."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import URL, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select

from adapters.postgres.sessions import Database
from models.approval import Decision, Person
from models.books import Conflict, NotAuthenticated
from models.close import Role
from models.tables.closes import DecisionRow, PersonRow
from models.value import fingerprint_of


class PostgresDesk:
    """`activities.ports.Desk`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def person(self, token: str) -> Person:
        """Return whose token this is; the database compares, its hashes are not readable by the console.

        Raises:
            NotAuthenticated: nobody's, or of somebody who left.
        """
        with self.database.reading() as session:
            found = session.connection().execute(
                text("SELECT id, name, roles FROM tieout.person_of(:token)"), {"token": token}
            )
            row = found.first()
        if row is None:
            raise NotAuthenticated("this token belongs to nobody who may decide")
        return Person(id=row.id, name=row.name, roles=tuple(Role(role) for role in row.roles))

    def write(self, decision: Decision) -> Decision:
        """Write a decision row, once for its id, and return the one that is kept.

        Raises:
            Conflict: the id names another decision.
        """
        with self.database.writing() as session:
            session.exec(
                insert(DecisionRow)
                .values(
                    id=decision.id,
                    kind=decision.kind.value,
                    period=decision.period,
                    revision=decision.revision,
                    customer=decision.customer,
                    subject=decision.subject,
                    person=decision.person.id,
                    reason=decision.reason,
                    fingerprint=decision.fingerprint(),
                    body=decision.canonical(),
                    recorded_at=decision.recorded_at,
                )
                .on_conflict_do_nothing(index_elements=["id"])
            )
            kept = Decision.from_text(session.exec(select(DecisionRow.body).where(DecisionRow.id == decision.id)).one())
        if kept.model_copy(update={"recorded_at": decision.recorded_at}) != decision:
            raise Conflict("a decision is written once", decision=decision.id)
        return kept


def by_token(database: Database, _at: datetime) -> PostgresDesk:
    """Return the desk for who shows their own token, which has no end: the terminal's, and the API's."""
    return PostgresDesk(database)


def seed_people(owner_url: str | URL, people: Iterable[tuple[str, str, Iterable[Role], str]]) -> None:
    """Give people (id, name, roles, token) their place at the desk, as the schema's owner; a second time renews them.

    Of each token only the SHA-256 is kept.
    """
    database = Database(owner_url, connections=1)
    try:
        with database.writing() as session:
            for person, name, roles, token in people:
                row = insert(PersonRow).values(
                    id=person,
                    name=name,
                    roles=[role.value for role in roles],
                    token_sha256=fingerprint_of(token),
                    active=True,
                )
                session.exec(
                    row.on_conflict_do_update(
                        index_elements=["id"],
                        set_={
                            "name": row.excluded.name,
                            "roles": row.excluded.roles,
                            "token_sha256": row.excluded.token_sha256,
                            "active": row.excluded.active,
                        },
                    )
                )
    finally:
        database.dispose()
