"""Rows of webhooks: endpoints, what signs for them, what is delivered to them, each try of it, and how it ended."""

from datetime import datetime

from sqlalchemy import ARRAY, Text
from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class WebhookEndpointRow(Row, table=True):
    """Where a customer's systems are told of events."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    customer: str
    url: str
    types: list[str] = Field(sa_type=ARRAY(Text))
    made_by: str
    made_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    ended_by: str | None


class WebhookSecretRow(Row, table=True):
    """What signs for an endpoint, sealed."""

    __tablename__ = "webhook_secrets"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    endpoint: str
    customer: str
    sealed: str
    made_by: str
    made_at: datetime = instant()


class WebhookDeliveryRow(Row, table=True):
    """A notice on its way to an endpoint; from number 2 on somebody asked for it again."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    endpoint: str = Field(primary_key=True)
    notice: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    customer: str
    asked_by: str | None
    asked_at: datetime = instant()


class WebhookAttemptRow(Row, table=True):
    """One try of a delivery."""

    __tablename__ = "webhook_attempts"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    endpoint: str
    customer: str
    notice: str
    number: int
    status: int | None
    milliseconds: int
    detail: str
    tried_at: datetime = instant()


class WebhookOutcomeRow(Row, table=True):
    """How a delivery ended."""

    __tablename__ = "webhook_outcomes"
    __table_args__ = IN_SCHEMA

    endpoint: str = Field(primary_key=True)
    notice: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    customer: str
    outcome: str
    concluded_at: datetime = instant()
