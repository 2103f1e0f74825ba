"""Rows of invoices as asked for and as issued, and customers' ids at Stripe."""

from datetime import date, datetime
from decimal import Decimal

from sqlmodel import Field

from models.tables.row import IN_SCHEMA, Row, exact, instant, position


class InvoiceRow(Row, table=True):
    """What was asked of the invoicing platform."""

    __tablename__ = "invoices"
    __table_args__ = IN_SCHEMA

    position: int | None = position()
    reference: str = Field(primary_key=True)
    customer: str
    contract: str
    currency: str
    period: str
    revision: int
    statement: str
    total: Decimal = exact()
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class IssuedInvoiceRow(Row, table=True):
    """What the platform holds once the invoice is finalized."""

    __tablename__ = "issued_invoices"
    __table_args__ = IN_SCHEMA

    reference: str = Field(primary_key=True)
    customer: str
    stripe_id: str
    number: str
    status: str
    currency: str
    total: Decimal = exact()
    lines: int
    issued_at: datetime = instant()
    due_on: date
    fingerprint: str
    body: str
    recorded_at: datetime = instant()


class StripeCustomerRow(Row, table=True):
    """A customer's id at Stripe."""

    __tablename__ = "stripe_customers"
    __table_args__ = IN_SCHEMA

    customer: str = Field(primary_key=True)
    stripe_id: str
    recorded_at: datetime = instant()
