"""Rows of tie-outs and of the reopenings of locked periods."""

from datetime import datetime

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class TieOutRow(Row, table=True):
    """A tie-out as it was computed."""

    __tablename__ = "tie_outs"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    period: str
    name: str
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class ReopeningRow(Row, table=True):
    """A locked period that is open again until an instant."""

    __tablename__ = "period_reopenings"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    decision: str = Field(primary_key=True)
    period: str
    asked_by: str
    approved_by: str
    reason: str
    opened_at: datetime = instant()
    expires_at: datetime = instant()


class RelockRow(Row, table=True):
    """A reopening that was ended before its time."""

    __tablename__ = "period_relocks"
    __table_args__ = IN_SCHEMA

    decision: str = Field(primary_key=True)
    locked_by: str
    locked_at: datetime = instant()
