"""Rows of what the stages leave behind: snapshots, reconciliations, findings, statements."""

from datetime import datetime
from decimal import Decimal

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, exact, instant, position


class SnapshotRow(Row, table=True):
    """A sealed snapshot: one for each source, period and revision."""

    __tablename__ = "snapshots"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    fingerprint: str = Field(primary_key=True)
    source: str
    period: str
    revision: int
    watermark: datetime = instant()
    rows_kept: int
    body: str
    recorded_at: datetime = instant()


class ReconciliationRow(Row, table=True):
    """A reconciliation's body, kept once."""

    __tablename__ = "reconciliations"
    __table_args__ = IN_SCHEMA

    fingerprint: str = Field(primary_key=True)
    customer: str
    period: str
    body: str
    recorded_at: datetime = instant()


class ReconciliationUseRow(Row, table=True):
    """That a close took a reconciliation for its own; the newest counts."""

    __tablename__ = "reconciliation_uses"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    fingerprint: str
    customer: str
    period: str
    revision: int
    recorded_at: datetime = instant()


class FindingRow(Row, table=True):
    """One finding of a reconciliation, for the queue of exceptions."""

    __tablename__ = "findings"
    __table_args__ = IN_SCHEMA

    reconciliation: str = Field(primary_key=True)
    line: int = Field(primary_key=True)
    finding: str
    customer: str
    period: str
    cause: str
    severity: str
    source: str
    against: str
    meter: str
    starts_at: datetime = instant()
    ends_at: datetime = instant()
    quantity: Decimal = exact()
    against_quantity: Decimal = exact()


class ExposureRow(Row, table=True):
    """The money at risk of one finding, as rated at an instant; the newest counts."""

    __tablename__ = "exposures"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    reconciliation: str
    finding: str
    amount: Decimal | None = exact(nullable=True)
    currency: str | None
    why: str
    recorded_at: datetime = instant()


class StatementRow(Row, table=True):
    """A statement's body with its totals, kept once."""

    __tablename__ = "statements"
    __table_args__ = IN_SCHEMA

    fingerprint: str = Field(primary_key=True)
    customer: str
    contract: str
    contract_version: str
    period: str
    currency: str
    lines: int
    subtotal: Decimal = exact()
    tax: Decimal = exact()
    total: Decimal = exact()
    body: str
    recorded_at: datetime = instant()


class StatementUseRow(Row, table=True):
    """That a close took a statement for its own; the newest counts."""

    __tablename__ = "statement_uses"
    __table_args__ = IN_SCHEMA

    position: int | None = position(primary_key=True)
    fingerprint: str
    customer: str
    period: str
    revision: int
    recorded_at: datetime = instant()


class StatementFactsRow(Row, table=True):
    """What reports need of a statement, told from it when it was kept."""

    __tablename__ = "statement_facts"
    __table_args__ = IN_SCHEMA

    statement: str = Field(primary_key=True)
    body: str
    lines: str


class ScheduleFactsRow(Row, table=True):
    """What reports need of a schedule, under the fingerprint of all it is made of."""

    __tablename__ = "schedule_facts"
    __table_args__ = IN_SCHEMA

    inputs: str = Field(primary_key=True)
    statement: str
    body: str
    recorded_at: datetime = instant()
