"""Term changes: which contracts and rates came into the books since an earlier month's close began."""

from sqlalchemy import text

from adapters.postgres.sessions import Database
from models.close import DRY_RUNS_FROM
from models.reports import TermChange, TermChanges

_LAST_CLOSE = """
    SELECT period, min(opened_at) AS opened_at FROM closes
    WHERE period < :month AND revision < :dry GROUP BY period ORDER BY period DESC LIMIT 1
"""
# A rate that another one ends is a row anew: what counts is when its version first came.
_SINCE = """
    WITH came AS (
        SELECT DISTINCT ON (version) * FROM rate_versions ORDER BY version, lower(recorded), position
    )
    SELECT 'contract' AS kind, customer, version AS name, currency AS says, effective_on::text AS in_force_from,
        recorded_at, proposed_by, approved_by
    FROM contracts WHERE recorded_at > :at
    UNION ALL
    SELECT 'rate', NULL, subject, trim_scale(amount)::text || ' ' || currency || ' for ' || trim_scale(per)::text,
        to_char(lower(effective) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
        lower(recorded), proposed_by, approved_by
    FROM came WHERE lower(recorded) > :at
    ORDER BY recorded_at DESC, kind, name LIMIT :most
"""


class PostgresTermChanges:
    """Reads what came into the books, as the console."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def since_last_close(self, month: str, most: int) -> TermChanges:
        """Return at most so many contract versions and rates that came since the close of the month before began."""
        with self.database.reading() as session:
            asked = session.connection()
            last = asked.execute(text(_LAST_CLOSE), {"month": month, "dry": DRY_RUNS_FROM}).first()
            if last is None:
                return TermChanges(since=None)
            rows = asked.execute(text(_SINCE), {"at": last.opened_at, "most": most}).all()
        return TermChanges(since=last.period, changes=tuple(TermChange(**row._mapping) for row in rows))
