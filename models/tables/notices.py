"""Rows of notices, of their sending, and of who wants none of a kind."""

from datetime import datetime

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class NoticeRow(Row, table=True):
    """A notice as it is written."""

    __tablename__ = "notices"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    id: str = Field(primary_key=True)
    kind: str
    customer: str
    period: str
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class NoticeSentRow(Row, table=True):
    """That a notice was sent, under which message id; or opted out of."""

    __tablename__ = "notices_sent"
    __table_args__ = IN_SCHEMA

    notice: str = Field(primary_key=True)
    message_id: str
    sent_at: datetime = instant()


class NoticeTryRow(Row, table=True):
    """How often a notice was tried, and when last."""

    __tablename__ = "notice_tries"
    __table_args__ = IN_SCHEMA

    notice: str = Field(primary_key=True)
    tries: int
    tried_at: datetime = instant()


class NoticeChoiceRow(Row, table=True):
    """A customer's choice about a kind of notice; the newest counts."""

    __tablename__ = "notice_choices"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    customer: str
    kind: str
    wanted: bool
    chosen_by: str
    recorded_at: datetime = instant()
