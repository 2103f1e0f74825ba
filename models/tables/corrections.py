"""Rows of corrections and their steps."""

from datetime import datetime
from decimal import Decimal

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, exact, instant, position


class CorrectionRow(Row, table=True):
    """A correction of an issued invoice, as it is decided on."""

    __tablename__ = "corrections"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    id: str = Field(primary_key=True)
    invoice: str
    customer: str
    contract: str
    period: str
    currency: str
    total: Decimal = exact()
    proposed_by: str
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class CorrectionStepRow(Row, table=True):
    """A step of a correction."""

    __tablename__ = "correction_steps"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    correction: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    person: str | None
    fingerprint: str
    body: str
    recorded_at: datetime = instant()
