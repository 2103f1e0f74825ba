"""Invoices as asked for and as issued; one per (customer, currency, period, revision), by constraint."""

import re
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.books import Conflict
from models.invoice import Invoice, IssuedInvoice
from models.tables.invoices import InvoiceRow, IssuedInvoiceRow, StripeCustomerRow

_REFERENCE = re.compile(
    r"(?P<period>[0-9]{4}-[0-9]{2})@(?P<revision>[1-9][0-9]*)/(?P<customer>.+)/(?P<currency>[A-Z]{3})"
)
_FACTS = ("reference", "stripe_id", "number", "currency", "total", "lines")


class PostgresInvoices:
    """`activities.ports.InvoiceBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def reserve(self, invoice: Invoice, at: datetime) -> Invoice:
        """Keep what will be issued before the platform is called; return the one that is kept.

        Raises:
            Conflict: another invoice is kept under this reference.
            ValueError: the reference is not <period>@<revision>/<customer>/<currency>.
        """
        named = _REFERENCE.fullmatch(invoice.reference)
        if named is None:
            raise ValueError(f"expected <period>@<revision>/<customer>/<currency>, got {invoice.reference!r}")
        with self.database.writing() as session:
            session.exec(
                insert(InvoiceRow)
                .values(
                    reference=invoice.reference,
                    customer=invoice.customer,
                    contract=invoice.contract,
                    currency=invoice.currency,
                    period=invoice.period,
                    revision=int(named["revision"]),
                    statement=invoice.statement,
                    total=invoice.total,
                    fingerprint=invoice.fingerprint(),
                    body=invoice.canonical(),
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["reference"])
            )
            kept = _reserved(session, invoice.reference)
        if kept != invoice:
            raise Conflict("an invoice is reserved once", reference=invoice.reference)
        return invoice

    def issued(self, issued: IssuedInvoice, at: datetime) -> IssuedInvoice:
        """Keep what the platform holds for a reserved invoice; return the one that is kept.

        Status and PDF may differ in a repeat; who, which and how much may not.

        Raises:
            Conflict: another invoice was issued under this reference, or its currency or total is not the one reserved.
        """
        with self.database.writing() as session:
            reserved = _reserved(session, issued.reference)
            if reserved is None or (reserved.currency, reserved.total) != (issued.currency, issued.total):
                raise Conflict(
                    "what was issued is not what was reserved",
                    reference=issued.reference,
                    issued=issued.total,
                    reserved=reserved.total if reserved else "nothing",
                )
            session.exec(
                insert(IssuedInvoiceRow)
                .values(
                    reference=issued.reference,
                    customer=reserved.customer,
                    stripe_id=issued.stripe_id,
                    number=issued.number,
                    status=issued.status,
                    currency=issued.currency,
                    total=issued.total,
                    lines=issued.lines,
                    issued_at=issued.issued_at,
                    due_on=issued.due_on,
                    fingerprint=issued.fingerprint(),
                    body=issued.canonical(),
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["reference"])
            )
            kept = _issued(session, issued.reference)
        if kept is None or any(getattr(kept, fact) != getattr(issued, fact) for fact in _FACTS):
            raise Conflict("an invoice is issued once", reference=issued.reference)
        return kept

    def invoice(self, reference: str) -> tuple[Invoice, IssuedInvoice | None] | None:
        """Return an invoice by our reference, or None."""
        with self.database.reading() as session:
            reserved = _reserved(session, reference)
            return (reserved, _issued(session, reference)) if reserved else None

    def by_stripe_id(self, stripe_id: str) -> tuple[Invoice, IssuedInvoice] | None:
        """Return an issued invoice by the platform's id, or None."""
        found = select(IssuedInvoiceRow.reference).where(col(IssuedInvoiceRow.stripe_id) == stripe_id)
        with self.database.reading() as session:
            reference = session.exec(found).first()
            reserved = _reserved(session, reference) if reference else None
            issued = _issued(session, reference) if reference else None
        return (reserved, issued) if reserved and issued else None

    def stripe_customer(self, customer: str) -> str | None:
        """Return the customer's id at Stripe, or None when it has none yet."""
        with self.database.reading() as session:
            return _stripe_customer(session, customer)

    def keep_stripe_customer(self, customer: str, stripe_id: str, at: datetime) -> str:
        """Keep the customer's id at Stripe; return the one that is kept: the first."""
        with self.database.writing() as session:
            session.exec(
                insert(StripeCustomerRow)
                .values(customer=customer, stripe_id=stripe_id, recorded_at=at)
                .on_conflict_do_nothing(index_elements=["customer"])
            )
            kept = _stripe_customer(session, customer)
        if kept is None:
            raise Conflict("this customer is not kept", customer=customer)
        return kept


def _reserved(session: Session, reference: str) -> Invoice | None:
    body = session.exec(select(InvoiceRow.body).where(col(InvoiceRow.reference) == reference)).first()
    return Invoice.from_text(body) if body else None


def _issued(session: Session, reference: str) -> IssuedInvoice | None:
    body = session.exec(select(IssuedInvoiceRow.body).where(col(IssuedInvoiceRow.reference) == reference)).first()
    return IssuedInvoice.from_text(body) if body else None


def _stripe_customer(session: Session, customer: str) -> str | None:
    return session.exec(select(StripeCustomerRow.stripe_id).where(col(StripeCustomerRow.customer) == customer)).first()
