"""Support: the documents behind a month's entries that no close made, by customer, all read of one instant."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy import text
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.approval import Decision
from models.close import DecisionKind
from models.contract import Contract
from models.correction import Correction, CorrectionTaken
from models.entity import DEFAULT, Entity
from models.event import EVENT, Estimate
from models.invoice import Invoice, IssuedInvoice
from models.journal import JournalEntry
from models.opening import Opening
from models.refusal import Refusal
from models.statement import Statement
from models.stripe_event import EventTaken, EventView, Fate, PlatformEvent
from models.support import BookedEvent, KeptCorrection, OpenedContract, PostedEntry, Support
from models.tables.booked_events import BookedEventRow
from models.tables.closes import DecisionRow
from models.tables.corrections import CorrectionRow, CorrectionStepRow
from models.tables.evidence import StatementRow
from models.tables.invoices import InvoiceRow, IssuedInvoiceRow
from models.tables.journals import EntryRow
from models.tables.stripe_events import StripeEventFateRow, StripeEventRow
from models.tables.terms import ContractRow, EstimateRow, OpeningRow

_CUSTOMERS = """
    SELECT customer FROM journal_entries WHERE period = :month AND close_run IS NULL
    UNION SELECT c.customer FROM corrections c JOIN correction_steps s ON s.correction = c.id AND s.step = 'posted'
        WHERE to_char(s.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM') = :month
    UNION SELECT i.customer FROM issued_invoices i JOIN stripe_event_fates f ON f.invoice = i.reference
        AND f.fate = 'applied' JOIN stripe_events e ON e.id = f.event
        WHERE to_char(e.created AT TIME ZONE 'UTC', 'YYYY-MM') = :month
    UNION SELECT customer FROM booked_events WHERE to_char(happened_on, 'YYYY-MM') = :month
    UNION SELECT customer FROM openings WHERE to_char(as_of - 1, 'YYYY-MM') = :month
    ORDER BY customer
"""
"""Customers with such an entry in the month, or a document of it whose entry may be gone."""

_DECIDES = (DecisionKind.PROPOSE_CORRECTION.value, DecisionKind.APPROVE_CORRECTION.value)

_T = TypeVar("_T")


class KeptUnreadable(Refusal):
    """A kept document is no longer what it was when it was kept: its text is not one of its kind."""

    remedy = "It was changed past the database's own rules: compare it with an export or a backup, and ask who could."


class PostgresSupport:
    """The auditor's way from an entry to what it was made from."""

    def __init__(self, database: Database, entity: Entity = DEFAULT) -> None:
        self.database = database
        self.entity = entity

    def of_month(self, month: str) -> Iterator[Support]:
        """Yield the support of each customer with anything but its close in the month, by name."""
        with self.database.reading() as session:
            for customer in session.connection().execute(text(_CUSTOMERS), {"month": month}).scalars().all():
                yield self._of(session, month, customer)

    def _of(self, session: Session, month: str, customer: str) -> Support:
        corrections = _corrections(session, customer)
        asked = select(InvoiceRow.body, IssuedInvoiceRow.body).join(
            IssuedInvoiceRow, col(IssuedInvoiceRow.reference) == col(InvoiceRow.reference)
        )
        invoices = session.exec(asked.where(InvoiceRow.customer == customer).order_by(col(InvoiceRow.position))).all()
        return Support(
            month=month,
            customer=customer,
            entity=self.entity,
            entries=_entries(session, customer),
            invoices=tuple(_read(Invoice.from_text, body, f"an invoice of {customer}") for body, _ in invoices),
            issued=tuple(_read(IssuedInvoice.from_text, body, f"an invoice of {customer}") for _, body in invoices),
            statements=_statements(session, corrections),
            corrections=corrections,
            events=_events(session, customer),
            booked=_booked(session, customer),
            openings=_openings(session, customer),
        )


def _entries(session: Session, customer: str) -> tuple[PostedEntry, ...]:
    found = select(EntryRow.body, EntryRow.recorded_at).where(EntryRow.customer == customer)
    rows = session.exec(found.order_by(col(EntryRow.position)))
    return tuple(
        PostedEntry(entry=_read(JournalEntry.from_text, body, f"an entry of {customer}"), at=at) for body, at in rows
    )


def _corrections(session: Session, customer: str) -> tuple[KeptCorrection, ...]:
    found = select(CorrectionRow).where(CorrectionRow.customer == customer).order_by(col(CorrectionRow.position))
    rows = session.exec(found).all()
    asked = select(DecisionRow.body).where(DecisionRow.customer == customer, col(DecisionRow.kind).in_(_DECIDES))
    decisions = (
        [
            _read(Decision.from_text, body, f"a decision about {customer}")
            for body in session.exec(asked.order_by(col(DecisionRow.position)))
        ]
        if rows
        else []
    )
    kept = []
    for row in rows:
        correction = _read(Correction.from_text, row.body, f"correction {row.id}")
        steps = select(CorrectionStepRow.body).where(CorrectionStepRow.correction == row.id)
        about = {correction.fingerprint(), correction.request.fingerprint()}
        kept.append(
            KeptCorrection(
                correction=correction,
                kept_at=row.recorded_at,
                steps=tuple(
                    _read(CorrectionTaken.from_text, body, f"a step of correction {row.id}")
                    for body in session.exec(steps.order_by(col(CorrectionStepRow.position)))
                ),
                decisions=tuple(one for one in decisions if one.subject in about),
            )
        )
    return tuple(kept)


def _statements(session: Session, corrections: tuple[KeptCorrection, ...]) -> tuple[Statement, ...]:
    named = {one.correction.statement for one in corrections} | {one.correction.corrected for one in corrections}
    found = select(StatementRow.body).where(col(StatementRow.fingerprint).in_([one for one in named if one]))
    return tuple(
        _read(Statement.from_text, body, "a corrected statement")
        for body in session.exec(found.order_by(StatementRow.fingerprint))
    )


def _events(session: Session, customer: str) -> tuple[EventView, ...]:
    found = (
        select(StripeEventRow, StripeEventFateRow.body)
        .join(StripeEventFateRow, col(StripeEventFateRow.event) == col(StripeEventRow.id))
        .join(IssuedInvoiceRow, col(IssuedInvoiceRow.reference) == col(StripeEventFateRow.invoice))
        .where(IssuedInvoiceRow.customer == customer, StripeEventFateRow.fate == Fate.APPLIED.value)
        .order_by(col(StripeEventRow.position))
    )
    return tuple(
        EventView(
            event=PlatformEvent(id=row.id, type=row.type, created=row.created, object_id=row.object_id, body=row.body),
            taken=(_read(EventTaken.from_text, taken, f"what became of {row.id}"),),
        )
        for row, taken in session.exec(found)
    )


def _booked(session: Session, customer: str) -> tuple[BookedEvent, ...]:
    found = select(BookedEventRow).where(BookedEventRow.customer == customer).order_by(col(BookedEventRow.position))
    return tuple(
        BookedEvent(
            event=_read(EVENT.validate_json, row.body, f"event {row.id}"),
            booked_at=row.recorded_at,
            proposal=_decision(session, row.proposal),
            approval=_decision(session, row.approval),
            contracts=_contracts(session, row.contract, row.recorded_at),
            estimates=_estimates(session, row.contract, row.recorded_at),
        )
        for row in session.exec(found).all()
    )


def _openings(session: Session, customer: str) -> tuple[OpenedContract, ...]:
    found = select(OpeningRow).where(OpeningRow.customer == customer).order_by(col(OpeningRow.position))
    return tuple(
        OpenedContract(
            opening=_read(Opening.from_text, row.body, f"opening {row.contract}"),
            contracts=_contracts(session, row.contract, row.recorded_at),
        )
        for row in session.exec(found).all()
    )


def _decision(session: Session, name: str) -> Decision:
    body = session.exec(select(DecisionRow.body).where(DecisionRow.id == name)).one()
    return _read(Decision.from_text, body, f"decision {name}")


def _contracts(session: Session, contract: str, at: datetime) -> tuple[Contract, ...]:
    """Return a contract's versions as they were known then, in the order rules take them."""
    known = (ContractRow.contract == contract, col(ContractRow.recorded_at) <= at)
    found = select(ContractRow.body).where(*known)
    bodies = session.exec(found.order_by(col(ContractRow.effective_on), col(ContractRow.position)))
    return tuple(_read(Contract.from_text, body, f"a version of {contract}") for body in bodies)


def _estimates(session: Session, contract: str, at: datetime) -> tuple[Estimate, ...]:
    known = (EstimateRow.contract == contract, col(EstimateRow.recorded_at) <= at)
    found = select(EstimateRow.body).where(*known).order_by(col(EstimateRow.position))
    return tuple(_read(Estimate.from_text, body, f"an estimate of {contract}") for body in session.exec(found))


def _read(parse: Callable[[str], _T], body: str, what: str) -> _T:
    """Return a kept value; raises KeptUnreadable."""
    try:
        return parse(body)
    except ValidationError as error:
        raise KeptUnreadable(f"{what} cannot be read: {error.errors()[0]['msg']}", document=what) from error
