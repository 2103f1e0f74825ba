"""Facts: the read side of reports. Rows, not bodies; what is not kept of a statement is told from its body."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from sys import intern
from typing import Any

from sqlalchemy import text

from adapters.postgres.sessions import Database
from models.event import Estimate
from models.facts import Billed, Booked, LineFacts, Part, ScheduleFacts, StatementFacts
from models.journal import Account, Link, Rule
from models.opening import Opening
from models.statement import Statement

AT_ONCE = 200
"""Statements read whole by one question."""
# Counts and a sum: a lower position, or an earlier instant, may be committed after a higher. The journal is a chain.
_STAMPS = """
    SELECT (SELECT max(position) FROM journal_entries) AS entries,
        (SELECT count(*) FROM issued_invoices) AS invoices,
        (SELECT count(*) FROM contracts) AS contracts,
        (SELECT count(*) FROM openings) AS openings,
        (SELECT count(*) FROM estimates) AS estimates,
        (SELECT concat_ws('/', count(*), sum(extract(epoch FROM moved_at))) FROM customer_closes
         WHERE period = :month AND revision = :revision) AS standings,
        (SELECT count(*) FROM reconciliation_uses WHERE period = :month AND revision = :revision) AS reconciled,
        (SELECT count(*) FROM verdicts WHERE period = :month AND revision = :revision) AS verdicts,
        (SELECT count(*) FROM decisions WHERE period = :month AND revision = :revision) AS decisions
"""
_BOOKED = """
    SELECT e.position, e.key, e.rule, e.customer, e.contract, e.period, e.currency, e.statement, e.invoice, e.reverses,
        e.recorded_at, e.previous_hash, e.hash,
        p.account, p.amount, p.obligation, p."grant", p.meter, p.model, p.service_from
    FROM journal_entries e JOIN journal_postings p ON p.entry = e.key
    WHERE e.position > :after ORDER BY e.position, p.line
"""
_BILLED = """
    SELECT i.reference, i.customer, i.contract, i.period, i.currency, i.statement, i.total, i.fingerprint,
        o.stripe_id, o.number, o.issued_at, o.due_on
    FROM issued_invoices o JOIN invoices i USING (reference) WHERE i.reference = ANY(:these)
"""
_CAUSES = """
    WITH in_use AS (
        SELECT DISTINCT ON (customer) customer, fingerprint FROM reconciliation_uses
        WHERE period = :month AND revision = :revision ORDER BY customer, position DESC
    )
    SELECT f.customer, f.cause
    FROM in_use u JOIN findings f ON f.reconciliation = u.fingerprint
    WHERE f.severity = 'holds' AND 'resolve' IS DISTINCT FROM (
        SELECT v.kind FROM verdicts v
        WHERE v.taken AND v.kind IN ('resolve', 'reverse') AND v.subject = f.finding
            AND v.period = :month AND v.revision = :revision AND v.customer = f.customer
        ORDER BY v.position DESC LIMIT 1
    )
    ORDER BY f.customer, f.line
"""
_DECIDED = """
    SELECT DISTINCT customer FROM decisions
    WHERE period = :month AND revision = :revision AND kind = ANY(:kinds)
        AND (CAST(:by AS timestamptz) IS NULL OR recorded_at <= :by)
"""
_CONTRACTS = """
    SELECT fingerprint, body FROM contracts
    WHERE customer = ANY(:customers) AND (CAST(:known_at AS timestamptz) IS NULL OR recorded_at <= :known_at)
    ORDER BY customer, effective_on, position
"""


@dataclass(frozen=True)
class Stamps:
    """Words that are others once something of their kind was written, of a close where it is a close's."""

    entries: int | None
    invoices: int
    contracts: int
    openings: int
    estimates: int
    standings: str
    reconciled: int
    verdicts: int
    decisions: int


class PostgresFacts:
    """Reads what reports are made of, as one role."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def stamps(self, month: str, revision: int) -> Stamps:
        """Return what tells whether anything that reports of a close are made of was written."""
        [row] = self._rows(_STAMPS, month=month, revision=revision)
        return Stamps(**row._mapping)

    def hash_at(self, position: int) -> str | None:
        """Return the hash of the journal's entry at a position, or None."""
        rows = self._rows("SELECT hash FROM journal_entries WHERE position = :position", position=position)
        return rows[0].hash if rows else None

    def booked(self, after: int) -> Iterator[tuple[str, Link, Booked]]:
        """Yield the journal's entries after a position in order, each with the hash before it and its own link."""
        with self.database.reading() as session:
            rows = session.connection().execution_options(yield_per=5_000).execute(text(_BOOKED), {"after": after})
            for _, group in groupby(rows, key=lambda row: row.position):
                lines = list(group)
                row = lines[0]
                entry = Booked(
                    key=row.key, rule=Rule(row.rule), customer=intern(row.customer), contract=intern(row.contract),
                    period=intern(row.period), currency=intern(row.currency), statement=intern(row.statement),
                    invoice=row.invoice, reverses=row.reverses, recorded_at=row.recorded_at,
                    postings=tuple(_part(line) for line in lines),
                )  # fmt: skip
                yield row.previous_hash, Link(position=row.position, key=row.key, hash=row.hash), entry

    def issued(self) -> frozenset[str]:
        """Return the references of what was issued."""
        return frozenset(row.reference for row in self._rows("SELECT reference FROM issued_invoices"))

    def billed(self, references: Sequence[str]) -> tuple[Billed, ...]:
        """Return issued invoices by their references."""
        return tuple(Billed(**row._mapping) for row in self._rows(_BILLED, these=list(references)))

    def statements(self, fingerprints: Sequence[str]) -> dict[str, StatementFacts]:
        """Return what is needed of statements by their fingerprints, those there are."""
        kept = self._kept("body", fingerprints)
        found = {name: StatementFacts.from_text(body) for name, body in kept.items()}
        for name, one in self.bodies([one for one in fingerprints if one not in found]):
            found[name] = StatementFacts.of(one, name)
        return found

    def lines(self, fingerprints: Sequence[str]) -> dict[str, LineFacts]:
        """Return what is needed of statements' lines by their fingerprints, those there are."""
        kept = self._kept("lines", fingerprints)
        found = {name: LineFacts.from_text(body) for name, body in kept.items()}
        for name, one in self.bodies([one for one in fingerprints if one not in found]):
            found[name] = LineFacts.of(one)
        return found

    def bodies(self, fingerprints: Sequence[str]) -> Iterator[tuple[str, Statement]]:
        """Yield whole statements with their fingerprints, some at a time: they are not held together."""
        for first in range(0, len(fingerprints), AT_ONCE):
            these = list(fingerprints[first : first + AT_ONCE])
            for row in self._rows(
                "SELECT fingerprint, body FROM statements WHERE fingerprint = ANY(:these)", these=these
            ):
                yield row.fingerprint, Statement.from_text(row.body)

    def unlike(self) -> tuple[int, str | None]:
        """Return of how many statements facts are kept, and the first whose body tells others."""
        names = [row.statement for row in self._rows("SELECT statement FROM statement_facts ORDER BY statement")]
        for first in range(0, len(names), AT_ONCE):
            these = names[first : first + AT_ONCE]
            bodies, lines = self._kept("body", these), self._kept("lines", these)
            for name, one in self.bodies(these):
                told = (StatementFacts.of(one, name).canonical(), LineFacts.of(one).canonical())
                if (bodies[name], lines[name]) != told:
                    return len(names), name
        return len(names), None

    def schedules(self, inputs: Sequence[str]) -> dict[str, ScheduleFacts]:
        """Return what is kept of schedules by what they are made of."""
        rows = self._rows("SELECT inputs, body FROM schedule_facts WHERE inputs = ANY(:these)", these=list(inputs))
        return {row.inputs: ScheduleFacts.from_text(row.body) for row in rows}

    def contracts(self, customers: Sequence[str], known_at: datetime | None) -> list[tuple[str, str]]:
        """Return fingerprint and body of customers' contract versions recorded by then, each customer's in order."""
        rows = self._rows(_CONTRACTS, customers=list(customers), known_at=known_at)
        return [(row.fingerprint, row.body) for row in rows]

    def estimates(self, contracts: Sequence[str]) -> tuple[Estimate, ...]:
        """Return contracts' estimates, by contract and order of recording."""
        sql = "SELECT body FROM estimates WHERE contract = ANY(:these) ORDER BY contract, position"
        return tuple(Estimate.from_text(row.body) for row in self._rows(sql, these=list(contracts)))

    def openings(self) -> Mapping[str, Opening]:
        """Return the opening positions by contract."""
        return {row.contract: Opening.from_text(row.body) for row in self._rows("SELECT contract, body FROM openings")}

    def open_causes(self, month: str, revision: int) -> tuple[tuple[str, str], ...]:
        """Return customer and cause of each finding that holds its customer and has no answer that stands."""
        return tuple((row.customer, row.cause) for row in self._rows(_CAUSES, month=month, revision=revision))

    def decided(self, month: str, revision: int, kinds: Sequence[str], by: datetime | None) -> frozenset[str]:
        """Return for whom a person decided something of these kinds, by an instant."""
        rows = self._rows(_DECIDED, month=month, revision=revision, kinds=list(kinds), by=by)
        return frozenset(row.customer for row in rows)

    def _kept(self, column: str, fingerprints: Sequence[str]) -> dict[str, str]:
        rows = self._rows(
            f"SELECT statement, {column} AS body FROM statement_facts WHERE statement = ANY(:these)",
            these=list(fingerprints),
        )
        return {row.statement: row.body for row in rows}

    def _rows(self, sql: str, **named: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.connection().execute(text(sql), named).all())


def _part(row: Any) -> Part:
    return Part(
        account=Account(row.account), amount=row.amount, obligation=_name(row.obligation),
        grant=_name(row.grant), meter=_name(row.meter), model=_name(row.model), service_from=row.service_from,
    )  # fmt: skip


def _name(text: str | None) -> str | None:
    return None if text is None else intern(text)
