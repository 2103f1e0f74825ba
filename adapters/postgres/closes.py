"""Closes: who started them, where customers stand, decisions and the workflow's verdicts."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from adapters.postgres.sessions import Database
from models.approval import Decision, Verdict
from models.books import Conflict
from models.close import Stage, Standing, State
from models.tables.closes import (
    CloseRootRow,
    CloseRow,
    CloseStartRow,
    CustomerCloseRow,
    DecisionRow,
    VerdictRow,
)

ENDED = (State.DONE.value, State.SKIPPED.value)


class PostgresCloses:
    """`activities.ports.CloseBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def open_close(self, month: str, revision: int, started_by: str, by_hand: bool, at: datetime) -> None:
        """Record that a close of a month was started; repeated starts by other people are kept too."""
        with self.database.writing() as session:
            session.exec(
                insert(CloseRow).values(period=month, revision=revision, opened_at=at).on_conflict_do_nothing()
            )
            session.exec(
                insert(CloseStartRow)
                .values(period=month, revision=revision, started_by=started_by, by_hand=by_hand, recorded_at=at)
                .on_conflict_do_nothing()
            )

    def starters(self, month: str, revision: int) -> frozenset[str]:
        """Return everyone who started this close by hand."""
        found = select(CloseStartRow.started_by).where(
            CloseStartRow.period == month, CloseStartRow.revision == revision, col(CloseStartRow.by_hand)
        )
        with self.database.reading() as session:
            return frozenset(session.exec(found))

    def project(
        self,
        month: str,
        revision: int,
        customer: str,
        stage: Stage,
        state: State,
        at: datetime,
        detail: str = "",
        **references: str,
    ) -> None:
        """Write where a customer's close stands; references are added to those before.

        A late repeat of an earlier step changes nothing: what is written there is as of a later instant.
        """
        row = insert(CustomerCloseRow).values(
            period=month,
            revision=revision,
            customer=customer,
            stage=stage.value,
            state=state.value,
            detail=detail,
            refs=references,
            began_at=at,
            moved_at=at,
        )
        new = row.excluded
        with self.database.writing() as session:
            session.exec(
                row.on_conflict_do_update(
                    index_elements=["period", "revision", "customer"],
                    set_={
                        "stage": new.stage,
                        "state": new.state,
                        "detail": new.detail,
                        "refs": col(CustomerCloseRow.refs).op("||")(new.refs),
                        "moved_at": new.moved_at,
                    },
                    where=col(CustomerCloseRow.moved_at) <= new.moved_at,
                )
            )

    def standing(self, month: str, revision: int, customer: str) -> Standing | None:
        """Return where a customer's close stands, or None where none was begun."""
        with self.database.reading() as session:
            row = session.exec(
                select(CustomerCloseRow).where(
                    CustomerCloseRow.period == month,
                    CustomerCloseRow.revision == revision,
                    CustomerCloseRow.customer == customer,
                )
            ).first()
            return standing_of(row) if row else None

    def waiting(self, month: str, revision: int) -> tuple[str, ...]:
        """Return the customers of a close that are neither done nor skipped, by id."""
        found = (
            select(CustomerCloseRow.customer)
            .where(
                CustomerCloseRow.period == month,
                CustomerCloseRow.revision == revision,
                col(CustomerCloseRow.state).not_in(ENDED),
            )
            .order_by(col(CustomerCloseRow.customer))
        )
        with self.database.reading() as session:
            return tuple(session.exec(found))

    def decision(self, decision_id: str) -> Decision | None:
        """Return a decision row, or None."""
        with self.database.reading() as session:
            body = session.exec(select(DecisionRow.body).where(DecisionRow.id == decision_id)).first()
        return Decision.from_text(body) if body else None

    def decisions(self, month: str, revision: int, customer: str) -> tuple[Decision, ...]:
        """Return all decision rows on a customer's close, oldest first."""
        found = (
            select(DecisionRow.body)
            .where(DecisionRow.period == month, DecisionRow.revision == revision, DecisionRow.customer == customer)
            .order_by(col(DecisionRow.position))
        )
        with self.database.reading() as session:
            return tuple(Decision.from_text(body) for body in session.exec(found))

    def keep_verdict(self, verdict: Verdict, month: str, revision: int, customer: str, at: datetime) -> Verdict:
        """Keep the verdict on a decision once and return the one that is kept.

        Raises:
            FourEyes: taken without a decision at the desk, or by who started the close by hand.
        """
        with self.database.writing() as session:
            session.exec(
                insert(VerdictRow)
                .values(
                    decision=verdict.decision,
                    kind=verdict.kind.value if verdict.kind else None,
                    taken=verdict.taken,
                    code=verdict.code.value,
                    person=verdict.person,
                    subject=verdict.subject,
                    period=month,
                    revision=revision,
                    customer=customer,
                    fingerprint=verdict.fingerprint(),
                    body=verdict.canonical(),
                    recorded_at=at,
                )
                .on_conflict_do_nothing(index_elements=["decision"])
            )
            body = session.exec(select(VerdictRow.body).where(VerdictRow.decision == verdict.decision)).one()
        return Verdict.from_text(body)

    def verdicts(self, month: str, revision: int, customer: str) -> tuple[Verdict, ...]:
        """Return the verdicts so far, oldest first."""
        found = (
            select(VerdictRow.body)
            .where(VerdictRow.period == month, VerdictRow.revision == revision, VerdictRow.customer == customer)
            .order_by(col(VerdictRow.position))
        )
        with self.database.reading() as session:
            return tuple(Verdict.from_text(body) for body in session.exec(found))

    def keep_root(self, month: str, revision: int, root: str, at: datetime) -> str:
        """Keep the root over a month's evidence once and return the one that is kept.

        Raises:
            Conflict: another root is kept; a manifest is written when everything in it has ended.
        """
        with self.database.writing() as session:
            session.exec(
                insert(CloseRootRow)
                .values(period=month, revision=revision, root=root, recorded_at=at)
                .on_conflict_do_nothing()
            )
            kept = session.exec(
                select(CloseRootRow.root).where(CloseRootRow.period == month, CloseRootRow.revision == revision)
            ).one()
        if kept != root:
            raise Conflict("a month's evidence has one root", month=month, revision=revision, kept=kept)
        return kept


def standing_of(row: Any) -> Standing:
    """Return a projected row, or one with its columns, as its value."""
    return Standing(
        month=row.period,
        revision=row.revision,
        customer=row.customer,
        stage=Stage(row.stage),
        state=State(row.state),
        detail=row.detail,
        references=row.refs,
        at=row.moved_at,
    )
