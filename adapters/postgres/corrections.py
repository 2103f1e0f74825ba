"""Corrections of issued invoices, and the steps they take; the database refuses one person twice and too much."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.books import Conflict
from models.correction import Correction, CorrectionTaken, CorrectionView
from models.tables.corrections import CorrectionRow, CorrectionStepRow


class PostgresCorrections:
    """`activities.ports.CorrectionBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, correction: Correction, at: datetime) -> Correction:
        """Keep a correction once for its id and return the one that is kept: the first."""
        with self.database.writing() as session:
            session.exec(
                insert(CorrectionRow)
                .values(
                    id=correction.id,
                    invoice=correction.request.invoice,
                    customer=correction.customer,
                    contract=correction.contract,
                    period=correction.period,
                    currency=correction.currency,
                    total=correction.total,
                    proposed_by=correction.proposed_by,
                    fingerprint=correction.fingerprint(),
                    body=correction.canonical(),
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["id"])
            )
            body = session.exec(select(CorrectionRow.body).where(CorrectionRow.id == correction.id)).one()
        kept = Correction.from_text(body)
        if kept.request != correction.request:
            raise Conflict("another correction has this id", correction=correction.id)
        return kept

    def correction(self, correction_id: str) -> CorrectionView | None:
        """Return a correction with the steps taken so far, or None."""
        return next(iter(self._views(CorrectionRow.id == correction_id)), None)

    def of_invoice(self, reference: str) -> tuple[CorrectionView, ...]:
        """Return the corrections of an invoice, in the order they were kept."""
        return self._views(CorrectionRow.invoice == reference)

    def of_customer(self, customer: str) -> tuple[CorrectionView, ...]:
        """Return the corrections of a customer, in the order they were kept."""
        return self._views(CorrectionRow.customer == customer)

    def listed(self, month: str | None = None, customer: str | None = None) -> tuple[CorrectionView, ...]:
        """Return corrections (of invoices of a month, of a customer), in the order they were kept."""
        wanted = []
        if month is not None:
            wanted.append(CorrectionRow.period == month)
        if customer is not None:
            wanted.append(CorrectionRow.customer == customer)
        return self._views(*wanted)

    def take(self, step: CorrectionTaken) -> CorrectionTaken:
        """Keep a step once and return the one that is kept: the first.

        Raises:
            FourEyes: who proposed it would approve it. TooMuchCredited: it would give back more than the invoice.
        """
        with self.database.writing() as session:
            session.exec(
                insert(CorrectionStepRow)
                .values(
                    correction=step.correction,
                    step=step.step.value,
                    person=step.person,
                    fingerprint=step.fingerprint(),
                    body=step.canonical(),
                    recorded_at=step.at,
                )
                .on_conflict_do_nothing(index_elements=["correction", "step"])
            )
            body = session.exec(
                select(CorrectionStepRow.body).where(
                    CorrectionStepRow.correction == step.correction, CorrectionStepRow.step == step.step.value
                )
            ).one()
        return CorrectionTaken.from_text(body)

    def _views(self, *wanted: bool) -> tuple[CorrectionView, ...]:
        found = select(CorrectionRow).where(*wanted).order_by(col(CorrectionRow.position))
        with self.database.reading() as session:
            rows = session.exec(found).all()
            steps = _steps(session, [row.id for row in rows])
            return tuple(
                CorrectionView(correction=Correction.from_text(row.body), steps=tuple(steps.get(row.id, ())))
                for row in rows
            )


def _steps(session: Session, corrections: Sequence[str]) -> dict[str, list[CorrectionTaken]]:
    found = (
        select(CorrectionStepRow.body)
        .where(col(CorrectionStepRow.correction).in_(corrections))
        .order_by(col(CorrectionStepRow.position))
    )
    steps: dict[str, list[CorrectionTaken]] = {}
    for body in session.exec(found):
        step = CorrectionTaken.from_text(body)
        steps.setdefault(step.correction, []).append(step)
    return steps
