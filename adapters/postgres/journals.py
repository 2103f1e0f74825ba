"""Journal: append-only, balanced, keyed, chained, locked by period; the database refuses the rest."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from adapters.postgres.sessions import Database
from models.books import Conflict
from models.journal import Account, ChainHead, ChainState, JournalEntry, Link, PeriodLocked
from models.period import next_month
from models.reports import OpenBalance
from models.tables.journals import EntryRow, PeriodLockRow, PostingRow
from models.value import fingerprint_of

ONE_WRITER = 7_464_002
"""The advisory lock of migrations/versions/0006_journal.py: the chain has one end."""

NOTHING_BEFORE = "0" * 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 2_000
# From the entries' own bodies, in one statement: the trigger that compares them reads each body once.
_POSTINGS = """
    INSERT INTO journal_postings (entry, line, currency, account, amount, obligation, "grant", meter, model, rated_line,
        service_from, service_until)
    SELECT e.key, said.line, e.currency, said.posting ->> 'account', CAST(said.posting ->> 'amount' AS numeric),
        said.posting ->> 'obligation', said.posting ->> 'grant', said.posting ->> 'meter', said.posting ->> 'model',
        said.posting ->> 'rated_line', CAST(said.posting ->> 'service_from' AS date),
        CAST(said.posting ->> 'service_until' AS date)
    FROM journal_entries e,
        jsonb_array_elements(CAST(e.body AS jsonb) -> 'postings') WITH ORDINALITY AS said (posting, line)
    WHERE e.key = ANY(:keys)
    ORDER BY e.position, said.line
"""
_STAYS_OPEN = tuple(
    account.value
    for account in (
        Account.RECEIVABLE,
        Account.UNBILLED,
        Account.CONTRACT_ASSET,
        Account.DEFERRED_TIME,
        Account.PREPAID,
        Account.CUSTOMER_BALANCE,
        Account.REFUND_LIABILITY,
    )
)
"""Accounts whose balance is somebody's to settle; tax is owed to others."""

_OPEN_BALANCES = """
    SELECT e.customer, p.account AS what, p.currency AS unit, sum(p.amount) AS amount
    FROM journal_postings p JOIN journal_entries e ON e.key = p.entry
    WHERE e.period <= :through AND p.account = ANY(:accounts)
        AND (CAST(:customer AS text) IS NULL OR e.customer = :customer)
    GROUP BY e.customer, p.account, p.currency HAVING sum(p.amount) <> 0
    ORDER BY e.customer, p.account, p.currency
"""


_LOCK_AGAIN = """
    INSERT INTO period_relocks (decision, locked_by, locked_at)
    SELECT decision, :by, :at FROM period_reopenings WHERE period = :period AND expires_at > :at
    ON CONFLICT (decision) DO NOTHING
"""


class PostgresJournal:
    """`activities.ports.JournalBook`, with the chain's own checks."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def post(self, entries: Sequence[JournalEntry], preparer: str, at: datetime) -> int:
        """Post entries in one transaction, in the order given; return how many were new.

        An entry whose key is there with the same substance is there already, in whatever period it was posted to.

        Raises:
            PeriodLocked: a new entry belongs to a locked period; none of the entries was posted.
            Conflict: a key is there with other substance.
        """
        if not entries:
            return 0
        with self.database.writing() as session:
            session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ONE_WRITER})
            there = _by_key(session, [entry.key for entry in entries])
            new: dict[str, JournalEntry] = {}
            for entry in entries:
                kept = there.get(entry.key) or new.get(entry.key)
                if kept is None:
                    new[entry.key] = entry
                elif kept.substance() != entry.substance():
                    raise Conflict("an entry is posted once; correct it by another", key=entry.key)
            if new:
                session.exec(insert(EntryRow), params=[_entry_row(entry, preparer, at) for entry in new.values()])
                session.connection().execute(text(_POSTINGS), {"keys": list(new)})
            return len(new)

    def entries(
        self, month: str | None = None, customer: str | None = None, known_at: datetime | None = None
    ) -> tuple[JournalEntry, ...]:
        """Return entries of an accounting period (and customer) recorded by then, in posting order."""
        found = select(EntryRow.body).order_by(col(EntryRow.position))
        if month is not None:
            found = found.where(EntryRow.period == month)
        if customer is not None:
            found = found.where(EntryRow.customer == customer)
        if known_at is not None:
            found = found.where(col(EntryRow.recorded_at) <= known_at)
        with self.database.reading() as session:
            return tuple(JournalEntry.from_text(body) for body in session.exec(found))

    def open_balances(self, through: str, customer: str | None = None) -> tuple[OpenBalance, ...]:
        """Return what receivables, contract assets and liabilities hold after a month, by customer and account."""
        with self.database.reading() as session:
            rows = session.connection().execute(
                text(_OPEN_BALANCES), {"through": through, "customer": customer, "accounts": list(_STAYS_OPEN)}
            )
            return tuple(OpenBalance(**row._mapping) for row in rows)

    def locked(self, month: str) -> bool:
        """Return whether an accounting period is locked."""
        with self.database.reading() as session:
            return month in _locked_from(session, month)

    def locked_at(self, month: str) -> datetime | None:
        """Return when an accounting period was locked, or None."""
        with self.database.reading() as session:
            return session.exec(select(PeriodLockRow.locked_at).where(PeriodLockRow.period == month)).first()

    def lock(self, month: str, by: str, reason: str, at: datetime) -> None:
        """Lock an accounting period, after every entry under way; a second time changes nothing.

        One that is reopened is locked again before its time is over.
        """
        with self.database.writing() as session:
            session.connection().execute(text(_LOCK_AGAIN), {"period": month, "by": by, "at": at})
            session.exec(
                insert(PeriodLockRow)
                .values(period=month, locked_by=by, reason=reason, locked_at=at)
                .on_conflict_do_nothing(index_elements=["period"])
            )

    def open_month(self, month: str) -> str:
        """Return the month itself, or the first later one that is not locked."""
        with self.database.reading() as session:
            locked = _locked_from(session, month)
        while month in locked:
            month = next_month(month)
        return month

    def head(self) -> str:
        """Return the hash at the end of the chain: 64 zeros for an empty journal."""
        with self.database.reading() as session:
            found = session.exec(select(EntryRow.hash).order_by(col(EntryRow.position).desc()).limit(1)).first()
        return found or NOTHING_BEFORE

    def links(self, after: int = 0) -> tuple[Link, ...]:
        """Return the chain's links after a position, in order."""
        found = select(EntryRow.position, EntryRow.key, EntryRow.hash).where(EntryRow.position > after)
        with self.database.reading() as session:
            rows = session.exec(found.order_by(col(EntryRow.position)))
            return tuple(Link(position=position, key=key, hash=hash) for position, key, hash in rows)

    def verify_chain(self, heads: Iterable[ChainHead] = ()) -> ChainState:
        """Recompute every hash, compare columns and postings with what was hashed; name the first difference.

        `heads` are what was kept outside at each lock: whoever rewrites the whole chain cannot rewrite them, so the
        first entry that is not the one witnessed is named, and so is the first one that is gone from the end.
        """
        witnessed = {link.position: link for head in heads for link in head.links}
        previous, count = NOTHING_BEFORE, 0
        with self.database.reading() as session:
            for row, postings in _in_order(session):
                count += 1
                reason = _difference(row, postings, count, previous) or _unlike(row, witnessed.get(count))
                if reason:
                    return ChainState(
                        entries=count,
                        witnessed=len(witnessed),
                        head=previous,
                        first_difference=row.key,
                        reason=reason,
                    )
                previous = row.hash
        gone = min((position for position in witnessed if position > count), default=None)
        return ChainState(
            entries=count,
            witnessed=len(witnessed),
            head=previous,
            first_difference=witnessed[gone].key if gone else None,
            reason=f"it was witnessed at place {gone} and is gone" if gone else "",
        )


def link_hash(previous: str, recorded_at: datetime, preparer: str, body: str) -> str:
    """Return an entry's hash: of the hash before, the recorded instant in microseconds, the preparer, the body."""
    microseconds = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    return hashlib.sha256(f"{previous}\n{microseconds}\n{preparer}\n{body}".encode()).hexdigest()


def _by_key(session: Session, keys: Sequence[str]) -> dict[str, JournalEntry]:
    found = session.exec(select(EntryRow.key, EntryRow.body).where(col(EntryRow.key).in_(keys)))
    return {key: JournalEntry.from_text(body) for key, body in found}


def _entry_row(entry: JournalEntry, preparer: str, at: datetime) -> dict[str, Any]:
    body = entry.canonical()
    return {
        "key": entry.key,
        "rule": entry.rule.value,
        "customer": entry.customer,
        "contract": entry.contract,
        "period": entry.period,
        "posted_on": entry.posted_on,
        "currency": entry.currency,
        "statement": entry.statement,
        "invoice": entry.invoice,
        "accrued": entry.accrued,
        "reverses": entry.reverses,
        "close_run": entry.close_run,
        "preparer": preparer,
        "recorded_at": at,
        "fingerprint": fingerprint_of(body),
        "body": body,
    }


def _posting_rows(entry: JournalEntry) -> Iterator[Mapping[str, Any]]:
    for line, posting in enumerate(entry.postings, 1):
        yield {
            "entry": entry.key,
            "line": line,
            "currency": entry.currency,
            "account": posting.account.value,
            "amount": posting.amount,
            "obligation": posting.obligation,
            "grant": posting.grant,
            "meter": posting.meter,
            "model": posting.model,
            "rated_line": posting.rated_line,
            "service_from": posting.service_from,
            "service_until": posting.service_until,
        }


def _in_order(session: Session) -> Iterator[tuple[EntryRow, list[PostingRow]]]:
    """Yield entries by position with their postings by line, a chunk at a time: memory stays flat."""
    after = 0
    while True:
        rows = session.exec(
            select(EntryRow).where(EntryRow.position > after).order_by(col(EntryRow.position)).limit(_CHUNK)
        ).all()
        if not rows:
            return
        postings: dict[str, list[PostingRow]] = {}
        for posting in session.exec(
            select(PostingRow)
            .where(col(PostingRow.entry).in_([row.key for row in rows]))
            .order_by(col(PostingRow.entry), col(PostingRow.line))
        ):
            postings.setdefault(posting.entry, []).append(posting)
        for row in rows:
            yield row, postings.get(row.key, [])
        after = rows[-1].position
        session.expunge_all()


def _difference(row: EntryRow, postings: list[PostingRow], place: int, previous: str) -> str:
    """Return why an entry is not what was posted, or nothing."""
    if row.position != place:
        return f"expected at place {place}, found at {row.position}: an entry is missing before it"
    if row.previous_hash != previous:
        return "it does not follow the entry before it"
    if row.hash != link_hash(previous, row.recorded_at, row.preparer, row.body):
        return "its hash is not that of its content"
    entry = JournalEntry.from_text(row.body)
    said = _entry_row(entry, row.preparer, row.recorded_at)
    for name, value in said.items():
        if getattr(row, name) != value:
            return f"its {name} is {getattr(row, name)!r}, the hashed content says {value!r}"
    if [posting.model_dump() for posting in postings] != list(_posting_rows(entry)):
        return "its postings are not those of the hashed content"
    return ""


def _unlike(row: EntryRow, link: Link | None) -> str:
    """Return why an entry is not the one that was witnessed at its place, or nothing."""
    if link is None or (row.key, row.hash) == (link.key, link.hash):
        return ""
    return f"at place {link.position} {link.key} with the hash {link.hash[:12]} was witnessed outside"


def _locked_from(session: Session, month: str) -> frozenset[str]:
    locked = select(PeriodLockRow.period).where(
        PeriodLockRow.period >= month, func.tieout.is_locked(PeriodLockRow.period)
    )
    return frozenset(session.exec(locked))


__all__ = ["PeriodLocked", "PostgresJournal", "link_hash"]
