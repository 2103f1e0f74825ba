"""Rows of closes, people, decisions and verdicts."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class CloseRow(Row, table=True):
    """A close of a month, at a revision."""

    __tablename__ = "closes"
    __table_args__ = IN_SCHEMA

    period: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    opened_at: datetime = instant()


class CloseStartRow(Row, table=True):
    """Who started a close, by hand or by schedule."""

    __tablename__ = "close_starts"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    period: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    started_by: str = Field(primary_key=True)
    by_hand: bool = Field(primary_key=True)
    recorded_at: datetime = instant()


class CloseRootRow(Row, table=True):
    """The root over a month's evidence."""

    __tablename__ = "close_roots"
    __table_args__ = IN_SCHEMA

    period: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    root: str
    recorded_at: datetime = instant()


class CustomerCloseRow(Row, table=True):
    """Where a customer's close stands: a projection, overwritten as it moves."""

    __tablename__ = "customer_closes"
    __table_args__ = IN_SCHEMA

    period: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    customer: str = Field(primary_key=True)
    stage: str
    state: str
    detail: str
    refs: dict[str, str] = Field(sa_type=JSONB, nullable=False)
    began_at: datetime = instant()
    moved_at: datetime = instant()


class PersonRow(Row, table=True):
    """Somebody who may decide; of the token only its SHA-256 is kept."""

    __tablename__ = "people"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    name: str
    roles: list[str] = Field(sa_type=ARRAY(Text), nullable=False)
    token_sha256: str
    active: bool = True


class DecisionRow(Row, table=True):
    """A decision, as written through the desk."""

    __tablename__ = "decisions"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    id: str = Field(primary_key=True)
    kind: str
    period: str
    revision: int
    customer: str
    subject: str
    person: str
    reason: str
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class VerdictRow(Row, table=True):
    """The workflow's answer to a decision: one for each."""

    __tablename__ = "verdicts"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    decision: str = Field(primary_key=True)
    kind: str | None
    taken: bool
    code: str
    person: str | None
    subject: str
    period: str
    revision: int
    customer: str
    fingerprint: str
    body: str
    recorded_at: datetime = instant()
