"""Web sessions: who is signed in at a face. Tokens are made by the caller; the database keeps and compares hashes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import URL, text
from sqlalchemy.dialects.postgresql import insert

from adapters.postgres.desk import PostgresDesk
from adapters.postgres.sessions import Database
from models.approval import Person
from models.books import NotAuthenticated
from models.close import Role
from models.tables.faces import PersonSubjectRow, PortalUserRow
from models.visitor import Guest, PortalRole, PortalUser, Share, Visitor


class PostgresWebSessions:
    """Sessions and links of one face: the console's or the portal's, by whose role `database` connects."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def open_person(self, issuer: str, subject: str, session: str, token: str, at: datetime, until: datetime) -> str:
        """Open a session for whom a provider's subject stands and return the person's id.

        Raises:
            NotAuthenticated: the subject stands for nobody, or for somebody who left.
        """
        person = self._one(
            "SELECT tieout.open_person_session(:issuer, :subject, :session, :token, :at, :until) AS person",
            issuer=issuer,
            subject=subject,
            session=session,
            token=token,
            at=at,
            until=until,
        ).person
        if person is None:
            raise NotAuthenticated("this account belongs to nobody at the desk", issuer=issuer)
        return str(person)

    def visitor(self, token: str, at: datetime) -> Visitor | None:
        """Return whose session at the console this is, or None where none is open."""
        row = self._first("SELECT * FROM tieout.person_of_session(:token, :at)", token=token, at=at)
        if row is None:
            return None
        return Visitor(session=row.session, person=_person(row), expires_at=row.expires_at)

    def ask_link(self, email: str, link: str, token: str, at: datetime, until: datetime) -> bool:
        """Make a link for whom an address belongs to; return whether there is such a user and they had few of late."""
        made = self._one(
            "SELECT tieout.ask_link(:email, :link, :token, :at, :until) AS id",
            email=email,
            link=link,
            token=token,
            at=at,
            until=until,
        ).id
        return made is not None

    def users(self) -> tuple[PortalUser, ...]:
        """Return who may see which customer's pages, by customer and address; as the console."""
        sql = "SELECT id, customer, email, name, role FROM portal_users WHERE active ORDER BY customer, email"
        with self.database.reading() as session:
            rows = session.connection().execute(text(sql)).all()
        return tuple(PortalUser.model_validate(dict(row._mapping), strict=False) for row in rows)

    def invite(self, user: PortalUser) -> bool:
        """Let a user in, as the console; return whether there is such a customer and the address is new."""
        row = self._first(
            "INSERT INTO portal_users (id, customer, email, name, role)"
            " SELECT :id, :customer, :email, :name, :role"
            " WHERE EXISTS (SELECT FROM contracts c WHERE c.customer = :customer)"
            " ON CONFLICT (email) DO NOTHING RETURNING id",
            writing=True,
            **user.model_dump(mode="json"),
        )
        return row is not None

    def remove(self, user: str) -> bool:
        """Close the pages to a user, as the console; return whether there is one. Their sessions open nothing more."""
        return (
            self._first("UPDATE portal_users SET active = false WHERE id = :id RETURNING id", writing=True, id=user)
            is not None
        )

    def make_link(self, user: str, link: str, token: str, at: datetime, until: datetime) -> bool:
        """Make a link for a user, as the console; return whether there is such a user."""
        made = self._one(
            "SELECT tieout.make_link(:user, :link, :token, :at, :until) AS id",
            user=user,
            link=link,
            token=token,
            at=at,
            until=until,
        ).id
        return made is not None

    def view_as(self, session: str, customer: str, link: str, token: str, at: datetime, until: datetime) -> bool:
        """Make a link to a customer's pages for whose session this is, and log it; return whether it was made."""
        made = self._one(
            "SELECT tieout.view_as(:session, :customer, :link, :token, :at, :until) AS id",
            session=session,
            customer=customer,
            link=link,
            token=token,
            at=at,
            until=until,
        ).id
        return made is not None

    def link_name(self, token: str, at: datetime) -> str | None:
        """Return whom an unspent link is for, or None; it stays unspent."""
        row = self._first("SELECT * FROM tieout.link_of(:token, :at)", token=token, at=at)
        return None if row is None else str(row.name)

    def spend(self, link: str, session: str, token: str, at: datetime, until: datetime) -> bool:
        """Spend a link and open its session; return whether it could be spent. Of two at once, one can."""
        made = self._one(
            "SELECT tieout.spend_link(:link, :session, :token, :at, :until) AS id",
            link=link,
            session=session,
            token=token,
            at=at,
            until=until,
        ).id
        return made is not None

    def guest(self, token: str, at: datetime) -> Guest | None:
        """Return whose session at the portal this is, or None where none is open."""
        row = self._first("SELECT * FROM tieout.customer_of_session(:token, :at)", token=token, at=at)
        if row is None:
            return None
        return Guest(
            session=row.session,
            customer=row.customer,
            user=row.portal_user,
            name=row.name,
            email=row.email,
            role=PortalRole(row.role),
            person=row.person,
            expires_at=row.expires_at,
            zone=row.zone,
        )

    def share(self, token: str, at: datetime) -> Share | None:
        """Return the share link this token opens, or None where none is in force."""
        row = self._first("SELECT * FROM tieout.share_of(:token, :at)", token=token, at=at)
        return None if row is None else Share(**row._mapping)

    def end(self, token: str, at: datetime) -> None:
        """End a session; a second time changes nothing."""
        self._one("SELECT tieout.end_session(:token, :at) AS done", token=token, at=at)

    def _one(self, sql: str, **named: Any) -> Any:
        with self.database.writing() as session:
            return session.connection().execute(text(sql), named).one()

    def _first(self, sql: str, writing: bool = False, **named: Any) -> Any:
        with self.database.writing() if writing else self.database.reading() as session:
            return session.connection().execute(text(sql), named).first()


class SessionDesk(PostgresDesk):
    """The desk for who is signed in at the console: a session vouches for its person as a token does elsewhere.

    The database compares; a page's process can name a session, never a person.
    """

    def __init__(self, database: Database, at: datetime) -> None:
        super().__init__(database)
        self._at = at

    def person(self, token: str) -> Person:
        """Return whose session this is; raises NotAuthenticated where none is open."""
        found = PostgresWebSessions(self.database).visitor(token, self._at)
        if found is None:
            raise NotAuthenticated("this session has ended")
        return found.person


def seed_visitors(owner_url: str | URL, subjects: Iterable[tuple[str, str, str]], users: Iterable[PortalUser]) -> None:
    """Let in (issuer, subject, person) and customers' users, as the schema's owner; a second time renews them."""
    database = Database(owner_url, connections=1)
    try:
        with database.writing() as session:
            for issuer, subject, person in subjects:
                row = insert(PersonSubjectRow).values(issuer=issuer, subject=subject, person=person)
                session.exec(
                    row.on_conflict_do_update(
                        index_elements=["issuer", "subject"], set_={"person": row.excluded.person}
                    )
                )
            for user in users:
                row = insert(PortalUserRow).values(
                    id=user.id,
                    customer=user.customer,
                    email=user.email.lower(),
                    name=user.name,
                    role=user.role.value,
                    active=True,
                )
                session.exec(
                    row.on_conflict_do_update(
                        index_elements=["id"],
                        set_={name: row.excluded[name] for name in ("email", "name", "role", "active")},
                    )
                )
    finally:
        database.dispose()


def _person(row: Any) -> Person:
    return Person(id=row.id, name=row.name, roles=tuple(Role(role) for role in row.roles))
