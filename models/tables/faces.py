"""Rows of who signs in to the pages, of sessions and links, and of what customers make there."""

from datetime import datetime
from decimal import Decimal

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, exact, instant, position


class PersonSubjectRow(Row, table=True):
    """Whom a subject of an identity provider stands for."""

    __tablename__ = "person_subjects"
    __table_args__ = IN_SCHEMA

    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    person: str


class PortalUserRow(Row, table=True):
    """Somebody at a customer who may see the customer's pages."""

    __tablename__ = "portal_users"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    customer: str
    email: str
    name: str
    role: str
    active: bool = True
    zone: str | None = None


class SignInLinkRow(Row, table=True):
    """A link that is spent once; of it only the SHA-256 is kept."""

    __tablename__ = "sign_in_links"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    link_sha256: str
    customer: str
    portal_user: str | None
    person: str | None
    made_at: datetime = instant()
    expires_at: datetime = instant()
    spent_at: datetime | None = instant(nullable=True)


class WebSessionRow(Row, table=True):
    """A session at one of the faces; of its token only the SHA-256 is kept."""

    __tablename__ = "web_sessions"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    session_sha256: str
    face: str
    customer: str | None
    portal_user: str | None
    person: str | None
    made_at: datetime = instant()
    expires_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


class ShareLinkRow(Row, table=True):
    """A link by which a customer shows one page to somebody; it expires, and can be revoked."""

    __tablename__ = "share_links"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    link_sha256: str
    customer: str
    scope: str
    made_by: str
    made_at: datetime = instant()
    expires_at: datetime = instant()
    revoked_at: datetime | None = instant(nullable=True)


class ExportRow(Row, table=True):
    """A file that was made: of which statement, how many rows, and the hash of its bytes."""

    __tablename__ = "exports"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    id: str = Field(primary_key=True)
    customer: str
    period: str
    kind: str
    format: str
    statement: str
    rows_written: int
    sha256: str
    made_by: str
    made_at: datetime = instant()


class StandingExportRow(Row, table=True):
    """A customer's choice whether a file is made of every month; the newest counts."""

    __tablename__ = "standing_exports"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    customer: str
    kind: str
    format: str
    wanted: bool
    chosen_by: str
    recorded_at: datetime = instant()


class AlertRow(Row, table=True):
    """What a customer wants to be told of, from which threshold on."""

    __tablename__ = "alerts"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    customer: str
    kind: str
    subject: str
    threshold: Decimal = exact()
    currency: str | None
    made_by: str
    made_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


class BillingContactRow(Row, table=True):
    """An address that mail goes to beside the contract's."""

    __tablename__ = "billing_contacts"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    customer: str
    email: str
    made_by: str
    made_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


class ViewRow(Row, table=True):
    """Who looked at or took what of a customer's."""

    __tablename__ = "views"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    face: str
    customer: str
    who: str
    what: str
    recorded_at: datetime = instant()


class DraftStatementRow(Row, table=True):
    """A running month as last rated; overwritten by the next refresh."""

    __tablename__ = "draft_statements"
    __table_args__ = IN_SCHEMA

    customer: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    fingerprint: str
    body: str
    days: str
    complete_up_to: datetime = instant()
    refreshed_at: datetime = instant()
