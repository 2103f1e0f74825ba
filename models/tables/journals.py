"""Rows of the journal: entries on their chain, postings, locked periods."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger
from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, exact, instant


class PeriodLockRow(Row, table=True):
    """A locked accounting period."""

    __tablename__ = "period_locks"
    __table_args__ = IN_SCHEMA

    period: str = Field(primary_key=True)
    locked_by: str
    reason: str
    locked_at: datetime = instant()


class EntryRow(Row, table=True):
    """A journal entry; position, hashes and `written_at` are given by the database."""

    __tablename__ = "journal_entries"
    __table_args__ = IN_SCHEMA

    position: int = Field(primary_key=True, sa_type=BigInteger)
    key: str
    rule: str
    customer: str
    contract: str
    period: str
    posted_on: date
    currency: str
    statement: str
    invoice: str | None
    accrued: bool
    reverses: str | None
    close_run: str | None
    preparer: str
    recorded_at: datetime = instant()
    written_at: datetime = instant()
    fingerprint: str
    body: str
    previous_hash: str
    hash: str


class PostingRow(Row, table=True):
    """One side of an entry: debit positive, credit negative."""

    __tablename__ = "journal_postings"
    __table_args__ = IN_SCHEMA

    entry: str = Field(primary_key=True)
    line: int = Field(primary_key=True)
    currency: str
    account: str
    amount: Decimal = exact()
    obligation: str | None
    grant: str | None
    meter: str | None
    model: str | None
    rated_line: str | None
    service_from: date | None
    service_until: date | None
