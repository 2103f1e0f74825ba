"""Catalog: every rate version in both times, as the rate API and the timeline of a rate read it."""

from datetime import datetime

from sqlalchemy import func
from sqlmodel import col, select

from adapters.postgres.sessions import Database
from models.rate_card import RateVersion
from models.rate_change import KnownRate
from models.tables.terms import RateVersionRow


class PostgresCatalog:
    """The rate versions as rows: what is known now and what was known before."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def head(self) -> int:
        """Return the position of the row appended last, 0 for none: it moves with every change of the catalog."""
        with self.database.reading() as session:
            return session.exec(select(func.max(RateVersionRow.position))).one() or 0

    def rows(self, after: int = 0) -> tuple[KnownRate, ...]:
        """Return every row of the subjects that have one after a position, in the order they were appended.

        A row ceases to be what is known only when another of its subject is appended: so this is all that changed.
        """
        found = select(RateVersionRow).order_by(col(RateVersionRow.position))
        if after:
            moved = select(RateVersionRow.subject).where(col(RateVersionRow.position) > after)
            found = found.where(col(RateVersionRow.subject).in_(moved))
        with self.database.reading() as session:
            return tuple(_known(row) for row in session.exec(found))

    def timeline(self, subject: str) -> tuple[KnownRate, ...]:
        """Return everything ever known of one rate, by the start of what it says, then in the order it was known."""
        found = (
            select(RateVersionRow)
            .where(RateVersionRow.subject == subject)
            .order_by(func.lower(RateVersionRow.effective), col(RateVersionRow.position))
        )
        with self.database.reading() as session:
            return tuple(_known(row) for row in session.exec(found))

    def subject_of(self, version_id: str) -> str | None:
        """Return which rate a version id is of, or None."""
        with self.database.reading() as session:
            return session.exec(
                select(RateVersionRow.subject).where(RateVersionRow.version == version_id).limit(1)
            ).first()

    def listed(
        self, card: str | None = None, at: datetime | None = None, known_at: datetime | None = None
    ) -> tuple[KnownRate, ...]:
        """Return the versions (of a card, in force at an instant) as known at an instant, now for None."""
        found = select(RateVersionRow).order_by(col(RateVersionRow.subject), func.lower(RateVersionRow.effective))
        if card is not None:
            found = found.where(RateVersionRow.rate == card)
        if at is not None:
            found = found.where(col(RateVersionRow.effective).contains(at))
        if known_at is None:
            found = found.where(func.upper_inf(RateVersionRow.recorded))
        else:
            found = found.where(col(RateVersionRow.recorded).contains(known_at))
        with self.database.reading() as session:
            return tuple(_known(row) for row in session.exec(found))


def _known(row: RateVersionRow) -> KnownRate:
    return KnownRate(
        version=RateVersion.from_text(row.body),
        effective_until=row.effective.upper,
        recorded_at=row.recorded.lower,
        recorded_until=row.recorded.upper,
        proposed_by=row.proposed_by,
        approved_by=row.approved_by,
        position=row.position or 0,
    )
