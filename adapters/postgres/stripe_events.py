"""Events of the invoicing platform: kept once as received, and what became of each."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.stripe_event import EventTaken, EventView, Fate, PlatformEvent
from models.tables.stripe_events import StripeEventFateRow, StripeEventRow


class PostgresEvents:
    """`activities.ports.EventBook` for the worker, and the hook's door to keep what it received."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, event: PlatformEvent, at: datetime) -> None:
        """Keep an event once for its id; one that comes again changes nothing."""
        with self.database.writing() as session:
            session.exec(
                insert(StripeEventRow)
                .values(
                    id=event.id,
                    type=event.type,
                    object_id=event.object_id,
                    created=event.created,
                    body=event.body,
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["id"])
            )

    def event(self, event_id: str) -> PlatformEvent | None:
        """Return an event, or None."""
        with self.database.reading() as session:
            row = session.get(StripeEventRow, event_id)
            return _event(row) if row else None

    def taken(self, event_id: str) -> tuple[EventTaken, ...]:
        """Return what became of an event, in order."""
        with self.database.reading() as session:
            return _taken(session, event_id)

    def take(self, taken: EventTaken) -> EventTaken:
        """Keep what became of an event, each fate once, and return the one that is kept."""
        with self.database.writing() as session:
            session.exec(
                insert(StripeEventFateRow)
                .values(
                    event=taken.event,
                    fate=taken.fate.value,
                    invoice=taken.references.get("invoice"),
                    payment=taken.references.get("payment"),
                    body=taken.canonical(),
                    recorded_at=taken.at,
                )
                .on_conflict_do_nothing(index_elements=["event", "fate"])
            )
            body = session.exec(
                select(StripeEventFateRow.body).where(
                    StripeEventFateRow.event == taken.event, StripeEventFateRow.fate == taken.fate.value
                )
            ).one()
        return EventTaken.from_text(body)

    def parked(self) -> tuple[PlatformEvent, ...]:
        """Return the events that are parked still, in the order they came."""
        return tuple(view.event for view in self.views() if view.fate is Fate.PARKED)

    def views(self) -> tuple[EventView, ...]:
        """Return every event with what became of it, in the order they came."""
        with self.database.reading() as session:
            rows = session.exec(select(StripeEventRow).order_by(col(StripeEventRow.position))).all()
            return tuple(EventView(event=_event(row), taken=_taken(session, row.id)) for row in rows)

    def invoice_of_payment(self, intent: str) -> str | None:
        """Return our reference of the invoice a payment paid, or None."""
        found = select(StripeEventFateRow.invoice).where(StripeEventFateRow.payment == intent)
        with self.database.reading() as session:
            return session.exec(found.order_by(col(StripeEventFateRow.position))).first()


def _event(row: StripeEventRow) -> PlatformEvent:
    return PlatformEvent(id=row.id, type=row.type, created=row.created, object_id=row.object_id, body=row.body)


def _taken(session: Session, event_id: str) -> tuple[EventTaken, ...]:
    found = select(StripeEventFateRow.body).where(StripeEventFateRow.event == event_id)
    bodies = session.exec(found.order_by(col(StripeEventFateRow.position)))
    return tuple(EventTaken.from_text(body) for body in bodies)
