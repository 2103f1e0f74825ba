"""Rows of rate versions, contract versions and authorities."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, exact, instant, position


class RateVersionRow(Row, table=True):
    """A rate version over the instants it is in force and the instants this was what we knew."""

    __tablename__ = "rate_versions"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    version: str
    subject: str
    rate: str
    meter: str
    amount: Decimal = exact()
    per: Decimal = exact()
    currency: str
    effective: Any = Field(sa_type=TSTZRANGE, nullable=False)
    recorded: Any = Field(sa_type=TSTZRANGE, nullable=False)
    fingerprint: str
    body: str
    proposed_by: str
    approved_by: str


class ContractRow(Row, table=True):
    """A contract version."""

    __tablename__ = "contracts"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    version: str = Field(primary_key=True)
    contract: str
    customer: str
    currency: str
    effective_on: date
    starts_on: date
    ends_on: date
    fingerprint: str
    body: str
    proposed_by: str
    approved_by: str
    recorded_at: datetime = instant()


class OpeningRow(Row, table=True):
    """The opening position of a contract that was taken over: one for each."""

    __tablename__ = "openings"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    contract: str = Field(primary_key=True)
    customer: str
    currency: str
    as_of: date
    fingerprint: str
    body: str
    proposed_by: str
    approved_by: str
    recorded_at: datetime = instant()


class EstimateRow(Row, table=True):
    """A recorded estimate."""

    __tablename__ = "estimates"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    contract: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    subject: str
    estimated_on: date
    fingerprint: str
    body: str
    proposed_by: str
    approved_by: str
    recorded_at: datetime = instant()


class AuthorityRow(Row, table=True):
    """A declared authority."""

    __tablename__ = "authorities"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    fingerprint: str = Field(primary_key=True)
    body: str
    declared_by: str
    starts_on: date
    ends_on: date | None
    recorded_at: datetime = instant()


Instants = Range[datetime]
