"""Booked events: appended once, by two people; the database refuses one person on both sides."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from adapters.postgres.sessions import Database
from models.approval import Decision
from models.books import Conflict
from models.event import EVENT, Event
from models.tables.booked_events import BookedEventRow


class PostgresBookedEvents:
    """`activities.ports.BookedEventBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def events(self, customer: str) -> tuple[Event, ...]:
        """Return a customer's booked events in the order they were booked."""
        found = (
            select(BookedEventRow.body)
            .where(BookedEventRow.customer == customer)
            .order_by(col(BookedEventRow.position))
        )
        with self.database.reading() as session:
            return tuple(EVENT.validate_json(body) for body in session.exec(found))

    def book(self, event: Event, proposal: Decision, approval: Decision, at: datetime) -> None:
        """Append an event; the same one is there once.

        Raises:
            FourEyes: one person proposed and approved it. Conflict: its id is there with other content.
        """
        body = event.canonical()
        with self.database.writing() as session:
            session.exec(
                insert(BookedEventRow)
                .values(
                    contract=event.contract,
                    id=event.id,
                    kind=event.event,
                    customer=proposal.customer,
                    happened_on=event.on,
                    fingerprint=event.fingerprint(),
                    body=body,
                    proposal=proposal.id,
                    approval=approval.id,
                    proposed_by=proposal.person.id,
                    approved_by=approval.person.id,
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["contract", "id"])
            )
            named = (BookedEventRow.contract == event.contract, BookedEventRow.id == event.id)
            kept = session.exec(select(BookedEventRow.body).where(*named)).one()
        if kept != body:
            raise Conflict("an event is booked once; book what undoes it under another id", event=event.id)
