"""Rate changes: proposals as written at the desk, and the steps the worker takes with them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.rate_change import ENDED, ChangeView, RateProposal, StepTaken
from models.tables.rates import RateChangeStepRow, RateProposalRow


class PostgresRateChanges:
    """`activities.ports.RateChangeBook` for the worker, and the desk's door for proposals as the console."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def propose(self, proposals: Sequence[RateProposal], proposed_by: str, at: datetime) -> tuple[str, ...]:
        """Write proposals, each once for its id whoever finds it again, and return the ids of those that are new."""
        rows = {
            one.id: {
                "id": one.id,
                "price_table": one.table,
                "version": one.version.id,
                "subject": one.version.subject,
                "rate": one.version.rate,
                "kind": one.kind.value,
                "proposed_by": proposed_by,
                "fingerprint": one.fingerprint(),
                "body": one.canonical(),
                "recorded_at": at,
            }
            for one in proposals
        }
        if not rows:
            return ()
        with self.database.writing() as session:
            new = session.exec(
                insert(RateProposalRow)
                .values(list(rows.values()))
                .on_conflict_do_nothing(index_elements=["id"])
                .returning(col(RateProposalRow.id))
            ).all()
        return tuple(sorted(one[0] for one in new))

    def proposal(self, proposal_id: str) -> ChangeView | None:
        """Return a proposal with the steps taken so far, or None."""
        with self.database.reading() as session:
            row = session.get(RateProposalRow, proposal_id)
            return _view(session, row) if row else None

    def inbox(self, everything: bool = False) -> tuple[ChangeView, ...]:
        """Return the proposals that wait for a person, in the order they were written; or all of them."""
        with self.database.reading() as session:
            rows = session.exec(select(RateProposalRow).order_by(col(RateProposalRow.position))).all()
            steps = _steps(session)
            views = tuple(_of(row, steps.get(row.id, ())) for row in rows)
        return views if everything else tuple(one for one in views if one.step not in ENDED)

    def of_subject(self, subject: str) -> tuple[ChangeView, ...]:
        """Return every proposal of one rate, in the order they were written."""
        found = (
            select(RateProposalRow).where(RateProposalRow.subject == subject).order_by(col(RateProposalRow.position))
        )
        with self.database.reading() as session:
            return tuple(_view(session, row) for row in session.exec(found))

    def take(self, step: StepTaken) -> StepTaken:
        """Keep a step once and return the one that is kept: the first.

        Raises:
            FourEyes: who proposed a rate would approve it.
        """
        with self.database.writing() as session:
            session.exec(
                insert(RateChangeStepRow)
                .values(
                    proposal=step.proposal,
                    step=step.step.value,
                    person=step.person,
                    fingerprint=step.fingerprint(),
                    body=step.canonical(),
                    recorded_at=step.at,
                )
                .on_conflict_do_nothing(index_elements=["proposal", "step"])
            )
            body = session.exec(
                select(RateChangeStepRow.body).where(
                    RateChangeStepRow.proposal == step.proposal, RateChangeStepRow.step == step.step.value
                )
            ).one()
        return StepTaken.from_text(body)


def _view(session: Session, row: RateProposalRow) -> ChangeView:
    return _of(row, _steps(session, row.id).get(row.id, ()))


def _of(row: RateProposalRow, steps: Sequence[StepTaken]) -> ChangeView:
    return ChangeView(
        id=row.id,
        proposal=RateProposal.from_text(row.body),
        proposed_by=row.proposed_by,
        proposed_at=row.recorded_at,
        steps=tuple(steps),
    )


def _steps(session: Session, proposal: str | None = None) -> dict[str, tuple[StepTaken, ...]]:
    found = select(RateChangeStepRow.body).order_by(col(RateChangeStepRow.position))
    if proposal is not None:
        found = found.where(RateChangeStepRow.proposal == proposal)
    by_proposal: dict[str, tuple[StepTaken, ...]] = {}
    for body in session.exec(found):
        step = StepTaken.from_text(body)
        by_proposal[step.proposal] = (*by_proposal.get(step.proposal, ()), step)
    return by_proposal
