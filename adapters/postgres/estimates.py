"""Estimates: appended by two people, read by every schedule of their contract."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from adapters.postgres.sessions import Database
from models.books import Conflict
from models.event import Estimate
from models.tables.terms import EstimateRow


class PostgresEstimates:
    """`activities.ports.EstimateBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def estimates(self, contract: str) -> tuple[Estimate, ...]:
        """Return a contract's estimates in the order they were recorded."""
        found = select(EstimateRow.body).where(EstimateRow.contract == contract).order_by(col(EstimateRow.position))
        with self.database.reading() as session:
            return tuple(Estimate.from_text(body) for body in session.exec(found))

    def record(self, estimate: Estimate, at: datetime) -> None:
        """Append an estimate; the same one is there once.

        Raises:
            PeriodLocked: its month is locked; date it in an open one, where it is caught up.
            Conflict: its id is there with other content.
        """
        body = estimate.canonical()
        with self.database.writing() as session:
            session.exec(
                insert(EstimateRow)
                .values(
                    contract=estimate.contract,
                    id=estimate.id,
                    subject=estimate.subject,
                    estimated_on=estimate.on,
                    fingerprint=estimate.fingerprint(),
                    body=body,
                    proposed_by=estimate.by,
                    approved_by=estimate.approved_by,
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["contract", "id"])
            )
            named = (EstimateRow.contract == estimate.contract, EstimateRow.id == estimate.id)
            kept = session.exec(select(EstimateRow.body).where(*named)).one()
        if kept != body:
            raise Conflict("an estimate is never changed; record another", estimate=estimate.id)
