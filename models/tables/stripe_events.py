"""Rows of the invoicing platform's events, and of what became of them."""

from datetime import datetime

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class StripeEventRow(Row, table=True):
    """An event as received, its signature checked."""

    __tablename__ = "stripe_events"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    id: str = Field(primary_key=True)
    type: str
    object_id: str
    created: datetime = instant()
    body: str
    recorded_at: datetime = instant()


class StripeEventFateRow(Row, table=True):
    """What became of an event."""

    __tablename__ = "stripe_event_fates"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    event: str = Field(primary_key=True)
    fate: str = Field(primary_key=True)
    invoice: str | None
    payment: str | None
    body: str
    recorded_at: datetime = instant()
