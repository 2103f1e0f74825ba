"""Progress: what a close has sealed, rated and heard so far; read for its page, never written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from adapters.postgres.books import RATED, Books
from adapters.postgres.sessions import Database
from models.close import DRY_RUNS_FROM, EVERYONE, Standing
from models.period import next_month
from models.progress import Happened, RatedTotal, Sealed
from models.snapshot import SourceCounts

_SEALED = """
    SELECT source, watermark, recorded_at AS sealed_at, CAST(body AS jsonb) -> 'counts' AS counts
    FROM snapshots WHERE period = :month AND revision = :revision ORDER BY source
"""
_TOTALS = f"""
    SELECT currency, count(*) AS statements, sum(total) AS total,
        sum(prior_total) FILTER (WHERE prior_currency = currency) AS prior_total
    FROM ({RATED}) rated GROUP BY currency ORDER BY currency
"""
_PERIODS = "SELECT DISTINCT period FROM closes WHERE revision < :dry ORDER BY period DESC"
_STARTS = """
    SELECT started_by, by_hand, recorded_at FROM close_starts
    WHERE period = :month AND revision = :revision ORDER BY position DESC
"""


class PostgresProgress:
    """Reads how far a close has come, as one role."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def periods(self) -> tuple[str, ...]:
        """Return the months that have a close, newest first."""
        return tuple(row.period for row in self._rows(_PERIODS, dry=DRY_RUNS_FROM))

    def sealed(self, month: str, revision: int) -> tuple[Sealed, ...]:
        """Return what is sealed for a close, by source."""
        return tuple(
            Sealed(
                source=row.source,
                watermark=row.watermark,
                sealed_at=row.sealed_at,
                counts=SourceCounts.model_validate(row.counts),
            )
            for row in self._rows(_SEALED, month=month, revision=revision)
        )

    def totals(self, month: str, revision: int) -> tuple[RatedTotal, ...]:
        """Return what a close's statements come to, by currency."""
        rows = self._rows(_TOTALS, month=month, revision=revision, before=next_month(month, -1))
        return tuple(RatedTotal(**row._mapping) for row in rows)

    def happened(
        self, month: str, revision: int, sealed: Sequence[Sealed], standings: Sequence[Standing], most: int = 20
    ) -> tuple[Happened, ...]:
        """Return what happened in a close, newest first: starts, seals, decisions and where customers came to last.

        `sealed` and `standings` are the close's, as they were read.
        """
        found = [
            Happened(
                at=row.recorded_at,
                who=row.started_by if row.by_hand else None,
                what="started the close" if row.by_hand else "the scheduler started the close",
            )
            for row in self._rows(_STARTS, month=month, revision=revision)
        ]
        found += [
            Happened(at=one.sealed_at, who=None, what=f"{one.source} is sealed: {one.counts.kept:,} events")
            for one in sealed
        ]
        for decision, verdict in Books(self.database).decisions(month, most=most):
            if decision.revision == revision:
                about = decision.customer if decision.customer != EVERYONE else None
                found.append(
                    Happened(
                        at=decision.recorded_at,
                        who=decision.person.id,
                        what=decision.kind.value.replace("_", " "),
                        customer=about,
                        why=decision.reason,
                        taken=verdict.taken if verdict else None,
                    )
                )
        newest = sorted(standings, key=lambda one: one.at, reverse=True)[:most]
        found += [
            Happened(
                at=one.at,
                who=None,
                what=f"{one.state.value.replace('_', ' ')} at {one.stage.value}",
                customer=one.customer,
                why=one.detail,
            )
            for one in newest
        ]
        return tuple(sorted(found, key=_when, reverse=True)[:most])

    def _rows(self, sql: str, **named: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.connection().execute(text(sql), named).all())


def _when(one: Happened) -> datetime:
    return one.at
