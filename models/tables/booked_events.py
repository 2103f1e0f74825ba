"""Rows of events that two people booked."""

from datetime import date, datetime

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class BookedEventRow(Row, table=True):
    """An event, and by which decisions of whom it was booked."""

    __tablename__ = "booked_events"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    contract: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    kind: str
    customer: str
    happened_on: date
    fingerprint: str
    body: str
    proposal: str
    approval: str
    proposed_by: str
    approved_by: str
    recorded_at: datetime = instant()
