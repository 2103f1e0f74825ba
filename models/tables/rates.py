"""Rows of rate proposals, the steps of their changes, and API keys."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant, position


class RateProposalRow(Row, table=True):
    """A proposal, as a person wrote it at the desk."""

    __tablename__ = "rate_proposals"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    id: str = Field(primary_key=True)
    price_table: str
    version: str
    subject: str
    rate: str
    kind: str
    proposed_by: str
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class RateChangeStepRow(Row, table=True):
    """A step of a rate change, taken once."""

    __tablename__ = "rate_change_steps"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    proposal: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    person: str | None
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class ApiKeyRow(Row, table=True):
    """A key another service reads the catalog with; of the key only its SHA-256 is kept."""

    __tablename__ = "api_keys"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    name: str
    key_sha256: str
    scopes: list[str] = Field(sa_type=ARRAY(Text), nullable=False)
    made_by: str
    made_at: datetime = instant()
    revoked_at: datetime | None = instant(nullable=True)
