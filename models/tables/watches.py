"""Rows of the nightly watch: each night once, and what was new in it."""

from datetime import date, datetime

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class WatchRow(Row, table=True):
    """A month as one night saw it."""

    __tablename__ = "watches"
    __table_args__ = IN_SCHEMA

    period: str = Field(primary_key=True)
    night: date = Field(primary_key=True)
    up_to: datetime = instant()
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class WatchAlertRow(Row, table=True):
    """A concern that was new, or had grown, on a night."""

    __tablename__ = "watch_alerts"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    period: str = Field(primary_key=True)
    night: date = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    customer: str | None
    body: str
    recorded_at: datetime = instant()
