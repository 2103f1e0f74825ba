"""Notices: kept once, sent once; what happened that nobody was told of yet."""

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from adapters.postgres.sessions import Database
from models.correction import Correction
from models.notice import LONGEST, Notice, NoticeKind
from models.tables.notices import NoticeChoiceRow, NoticeRow, NoticeSentRow, NoticeTryRow
from models.visitor import Alert


def _id(kind: NoticeKind, about: str) -> str:
    """Return SQL for the id of a notice about what an expression says: that of `models.notice.notice_id`."""
    whole = f"'{kind.value}/' || {about}"
    return (
        f"CASE WHEN length({whole}) <= {LONGEST} THEN {whole}"
        f" ELSE '{kind.value}/' || tieout.fingerprint_of({whole}) END"
    )


_UNANNOUNCED = f"""
    SELECT o.reference FROM customer_closes c
    JOIN issued_invoices o ON o.reference = c.refs ->> 'invoice'
    WHERE c.state = 'done' AND c.moved_at >= :since
        AND NOT EXISTS (SELECT FROM notices n WHERE n.id = {_id(NoticeKind.INVOICE_READY, "o.reference")})
    ORDER BY o.reference
"""
_UNCORRECTED = f"""
    SELECT c.body FROM corrections c
    JOIN correction_steps s ON s.correction = c.id AND s.step = 'settled'
    WHERE s.recorded_at >= :since
        AND NOT EXISTS (SELECT FROM notices n WHERE n.id = {_id(NoticeKind.CORRECTION_ISSUED, "c.id")})
    ORDER BY c.position
"""
_EXPIRING = """
    WITH last AS (
        SELECT DISTINCT ON (s.contract) s.fingerprint, s.body
        FROM statements s
        JOIN invoices i ON i.statement = s.fingerprint
        JOIN issued_invoices o ON o.reference = i.reference
        ORDER BY s.contract, s.period DESC, i.revision DESC
    )
    SELECT fingerprint FROM last
    WHERE EXISTS (
        SELECT FROM jsonb_array_elements(CAST(body AS jsonb) -> 'pools') p
        WHERE p ->> 'kind' IN ('paid', 'promotional') AND CAST(p ->> 'closing' AS numeric) > 0
            AND CAST(p -> 'window' ->> 'ends_at' AS timestamptz) BETWEEN :after AND :until
    )
    ORDER BY fingerprint
"""
_NIGHT = "(a.period || '/' || a.night)"
_UNWATCHED = f"""
    SELECT DISTINCT a.period, a.night FROM watch_alerts a
    WHERE a.recorded_at >= :since
        AND NOT EXISTS (SELECT FROM notices n WHERE n.id = {_id(NoticeKind.WATCH_ALERT, _NIGHT)})
    ORDER BY a.night, a.period
"""
_ALERTS = """
    SELECT id, customer, kind, subject, threshold, currency, made_by, made_at, ended_at FROM alerts
    WHERE customer = :customer AND ended_at IS NULL ORDER BY made_at, id
"""


class PostgresNotices:
    """`activities.ports.NoticeBook`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def unannounced(self, since: datetime) -> tuple[str, ...]:
        """Return the references of invoices that a close issued since, and nobody was told of."""
        with self.database.reading() as session:
            return tuple(session.connection().execute(text(_UNANNOUNCED), {"since": since}).scalars())

    def uncorrected(self, since: datetime) -> tuple[Correction, ...]:
        """Return the corrections settled since that nobody was told of."""
        with self.database.reading() as session:
            bodies = session.connection().execute(text(_UNCORRECTED), {"since": since}).scalars()
            return tuple(Correction.from_text(body) for body in bodies)

    def expiring(self, after: datetime, until: datetime) -> tuple[str, ...]:
        """Return the contracts' last issued statements that have a credit which expires in between, by fingerprint."""
        with self.database.reading() as session:
            found = session.connection().execute(text(_EXPIRING), {"after": after, "until": until})
            return tuple(found.scalars())

    def unwatched(self, since: datetime) -> tuple[tuple[str, date], ...]:
        """Return the months and nights since whose watch found something new, and finance was not told."""
        with self.database.reading() as session:
            rows = session.connection().execute(text(_UNWATCHED), {"since": since})
            return tuple((row.period, row.night) for row in rows)

    def alerts(self, customer: str) -> tuple[Alert, ...]:
        """Return a customer's alerts in force, oldest first."""
        with self.database.reading() as session:
            rows = session.connection().execute(text(_ALERTS), {"customer": customer})
            return tuple(Alert(**row._mapping) for row in rows)

    def contacts(self, customer: str) -> tuple[str, ...]:
        """Return the addresses a customer is mailed at beside their contract's, oldest first."""
        sql = "SELECT email FROM billing_contacts WHERE customer = :it AND ended_at IS NULL ORDER BY made_at, id"
        with self.database.reading() as session:
            return tuple(session.connection().execute(text(sql), {"it": customer}).scalars())

    def keep(self, notice: Notice) -> None:
        """Keep a notice, once for its id."""
        with self.database.writing() as session:
            session.exec(
                insert(NoticeRow)
                .values(
                    id=notice.id,
                    kind=notice.kind.value,
                    customer=notice.customer,
                    period=notice.period,
                    fingerprint=notice.fingerprint(),
                    body=notice.canonical(),
                    recorded_at=notice.written_at,
                )
                .on_conflict_do_nothing(index_elements=["id"])
            )

    def notice(self, notice_id: str) -> Notice:
        """Return a notice; raises KeyError."""
        with self.database.reading() as session:
            body = session.exec(select(NoticeRow.body).where(NoticeRow.id == notice_id)).first()
        if body is None:
            raise KeyError(notice_id)
        return Notice.from_text(body)

    def listed(self, customer: str | None = None) -> tuple[tuple[Notice, str | None], ...]:
        """Return notices (of a customer), oldest first, each with its message id where it was sent."""
        found = (
            select(NoticeRow.body, NoticeSentRow.message_id)
            .join(NoticeSentRow, col(NoticeSentRow.notice) == col(NoticeRow.id), isouter=True)
            .order_by(col(NoticeRow.position))
        )
        if customer is not None:
            found = found.where(NoticeRow.customer == customer)
        with self.database.reading() as session:
            return tuple((Notice.from_text(body), message_id) for body, message_id in session.exec(found))

    def unsent(self, most: int, since: datetime) -> tuple[str, ...]:
        """Return the ids of notices written since that were neither sent nor opted out of.

        First those never tried, oldest first; then those not tried for longest: what can't be sent holds up nothing.
        """
        found = (
            select(NoticeRow.id)
            .join(NoticeSentRow, col(NoticeSentRow.notice) == col(NoticeRow.id), isouter=True)
            .join(NoticeTryRow, col(NoticeTryRow.notice) == col(NoticeRow.id), isouter=True)
            .where(col(NoticeSentRow.notice).is_(None), col(NoticeRow.recorded_at) >= since)
            .order_by(col(NoticeTryRow.tried_at).nulls_first(), col(NoticeRow.position))
            .limit(most)
        )
        with self.database.reading() as session:
            return tuple(session.exec(found))

    def tried(self, notice_id: str, at: datetime) -> None:
        """Keep that a notice is being tried now."""
        row = insert(NoticeTryRow).values(notice=notice_id, tries=1, tried_at=at)
        with self.database.writing() as session:
            session.exec(
                row.on_conflict_do_update(
                    index_elements=["notice"], set_={"tries": NoticeTryRow.tries + 1, "tried_at": row.excluded.tried_at}
                )
            )

    def message_of(self, notice_id: str) -> str | None:
        """Return the message id under which a notice was sent, or what stands for it, or None where it was not."""
        with self.database.reading() as session:
            return session.exec(select(NoticeSentRow.message_id).where(NoticeSentRow.notice == notice_id)).first()

    def sent(self, notice_id: str, message_id: str, at: datetime) -> None:
        """Keep that a notice was sent, once."""
        with self.database.writing() as session:
            session.exec(
                insert(NoticeSentRow)
                .values(notice=notice_id, message_id=message_id, sent_at=at)
                .on_conflict_do_nothing(index_elements=["notice"])
            )

    def choose(self, customer: str, kind: NoticeKind, wanted: bool, chosen_by: str, at: datetime) -> None:
        """Append a customer's choice about a kind of notice; as the portal, of that customer alone."""
        with self.database.writing(customer) as session:
            session.exec(
                insert(NoticeChoiceRow).values(
                    customer=customer, kind=kind.value, wanted=wanted, chosen_by=chosen_by, recorded_at=at
                )
            )

    def unwanted(self, customer: str) -> frozenset[NoticeKind]:
        """Return the kinds of notice that a customer wants none of; the newest choice counts."""
        found = (
            select(NoticeChoiceRow.kind, NoticeChoiceRow.wanted)
            .where(NoticeChoiceRow.customer == customer)
            .order_by(col(NoticeChoiceRow.position))
        )
        with self.database.reading(customer) as session:
            newest = dict(session.exec(found).all())
        return frozenset(NoticeKind(kind) for kind, wanted in newest.items() if not wanted)

    def opted_out(self, customer: str, kind: NoticeKind) -> bool:
        """Return whether a customer wants no notices of a kind."""
        return kind in self.unwanted(customer)
