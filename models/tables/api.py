"""Rows of customers' keys, and of writes asked for under an idempotency key."""

from datetime import datetime

from sqlalchemy import ARRAY, Text
from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, instant


class CustomerKeyRow(Row, table=True):
    """A key a customer's program reads or writes with; of the key only its SHA-256 is kept."""

    __tablename__ = "customer_keys"
    __table_args__ = IN_SCHEMA

    id: str = Field(primary_key=True)
    name: str
    key_sha256: str
    customer: str
    scopes: list[str] = Field(sa_type=ARRAY(Text), nullable=False)
    made_by: str
    made_at: datetime = instant()
    revoked_at: datetime | None = instant(nullable=True)


class ApiWriteRow(Row, table=True):
    """A write, by whom and under which key, and its first answer once there is one."""

    __tablename__ = "api_writes"
    __table_args__ = IN_SCHEMA

    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    customer: str | None
    request_sha256: str
    began_at: datetime = instant()
    held_until: datetime = instant()
    status: int | None
    media_type: str | None
    body: str | None
    answered_at: datetime | None = instant(nullable=True)
