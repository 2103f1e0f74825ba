"""Watches: each night of a month once, with its alerts, in one transaction."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.tables.watches import WatchAlertRow, WatchRow
from models.watch import Concern, NightAlert, Watch


class PostgresWatches:
    """`activities.ports.WatchBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, watch: Watch, alerts: Sequence[Concern], at: datetime) -> Watch:
        """Keep a night with its alerts and return the one that is kept: the first."""
        with self.database.writing() as session:
            new = session.exec(
                insert(WatchRow)
                .values(
                    period=watch.month,
                    night=watch.night,
                    up_to=watch.up_to,
                    fingerprint=watch.fingerprint(),
                    body=watch.canonical(),
                    recorded_at=at,
                )
                .on_conflict_do_nothing()
                .returning(col(WatchRow.night))
            ).all()
            if new and alerts:
                rows = [
                    {
                        "period": watch.month,
                        "night": watch.night,
                        "kind": one.kind.value,
                        "subject": one.subject,
                        "customer": one.customer,
                        "body": one.canonical(),
                        "recorded_at": at,
                    }
                    for one in alerts
                ]
                session.exec(insert(WatchAlertRow), params=rows)
            return _watch(session, watch.month, watch.night) or watch

    def watch(self, month: str, night: date) -> Watch | None:
        """Return a night of a month, or None."""
        with self.database.reading() as session:
            return _watch(session, month, night)

    def before(self, month: str, night: date) -> Watch | None:
        """Return the last watch of a month before a night, or None."""
        nights = self.nights(month)
        earlier = [one for one in nights if one.night < night]
        return earlier[-1] if earlier else None

    def nights(self, month: str) -> tuple[Watch, ...]:
        """Return the watches of a month, oldest first."""
        found = select(WatchRow.body).where(WatchRow.period == month).order_by(col(WatchRow.night))
        with self.database.reading() as session:
            return tuple(Watch.from_text(body) for body in session.exec(found))

    def alerts(self, month: str, night: date | None = None) -> tuple[NightAlert, ...]:
        """Return the alerts of a month (or of one night), oldest first."""
        found = select(WatchAlertRow).where(WatchAlertRow.period == month).order_by(col(WatchAlertRow.position))
        if night is not None:
            found = found.where(WatchAlertRow.night == night)
        with self.database.reading() as session:
            return tuple(
                NightAlert(
                    month=row.period,
                    night=row.night,
                    concern=Concern.from_text(row.body),
                    recorded_at=row.recorded_at,
                )
                for row in session.exec(found)
            )


def _watch(session: Session, month: str, night: date) -> Watch | None:
    body = session.exec(select(WatchRow.body).where(WatchRow.period == month, WatchRow.night == night)).first()
    return Watch.from_text(body) if body else None
