"""Books: the read side for pages, terminal and auditors. Each answer is read in one snapshot; nothing here writes."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from adapters.postgres.closes import standing_of
from adapters.postgres.evidence import resolution_of
from adapters.postgres.sessions import Database
from models.approval import Decision, Person, Verdict
from models.close import Role, Standing
from models.invoice import Invoice, IssuedInvoice
from models.journal import Account, Rule
from models.opening import Opening
from models.period import next_month
from models.reconciliation import Exposure, Reconciliation
from models.reports import (
    Balance,
    CloseSummary,
    InvoiceView,
    JournalLine,
    OpenFinding,
    RatedView,
    ReconciliationView,
    RollForward,
)
from models.statement import Statement

_CLOSES = """
    SELECT c.period, c.revision, c.opened_at, r.root,
        CASE WHEN is_locked(l.period) THEN greatest(l.locked_at, (
            SELECT max(coalesce(k.locked_at, o.expires_at))
            FROM period_reopenings o LEFT JOIN period_relocks k USING (decision) WHERE o.period = l.period
        )) END AS locked_at,
        ARRAY(SELECT DISTINCT s.started_by FROM close_starts s
              WHERE s.period = c.period AND s.revision = c.revision ORDER BY 1) AS starters,
        ARRAY(SELECT u.state || ' ' || count(*) FROM customer_closes u
              WHERE u.period = c.period AND u.revision = c.revision GROUP BY u.state ORDER BY 1) AS states,
        ARRAY(SELECT i.currency || ' ' || sum(i.total) FROM issued_invoices o JOIN invoices i USING (reference)
              WHERE i.period = c.period AND i.revision = c.revision GROUP BY i.currency ORDER BY 1) AS invoiced,
        (SELECT count(*) FROM issued_invoices o JOIN invoices i USING (reference)
         WHERE i.period = c.period AND i.revision = c.revision) AS invoices, r.recorded_at AS ended_at,
        p.person AS paused_by, p.reason AS paused_why
    FROM closes c
    LEFT JOIN LATERAL (
        SELECT v.kind, v.person, d.reason FROM verdicts v JOIN decisions d ON d.id = v.decision
        WHERE v.taken AND v.kind IN ('pause', 'resume') AND v.customer = 'everyone'
            AND v.period = c.period AND v.revision = c.revision
        ORDER BY v.position DESC LIMIT 1
    ) p ON p.kind = 'pause'
    LEFT JOIN close_roots r USING (period, revision)
    LEFT JOIN period_locks l USING (period)
    WHERE (CAST(:month AS text) IS NULL OR c.period = :month)
    ORDER BY c.period DESC, c.revision DESC
"""
_STANDINGS = """
    SELECT period, revision, customer, stage, state, detail, refs, began_at, moved_at FROM customer_closes
    WHERE period = :month AND revision = :revision AND (CAST(:customer AS text) IS NULL OR customer = :customer)
    ORDER BY customer
"""
_DECISIONS = """
    SELECT d.body, v.body AS verdict FROM decisions d LEFT JOIN verdicts v ON v.decision = d.id
    WHERE (CAST(:month AS text) IS NULL OR d.period = :month)
        AND (CAST(:before AS text) IS NULL OR d.position < (SELECT b.position FROM decisions b WHERE b.id = :before))
        AND (CAST(:person AS text) IS NULL OR d.person = :person)
        AND (CAST(:kind AS text) IS NULL OR d.kind = :kind)
    ORDER BY d.position DESC LIMIT :most
"""
_FINDINGS = """
    WITH in_use AS (
        SELECT DISTINCT ON (customer) customer, fingerprint FROM reconciliation_uses
        WHERE period = :month AND revision = :revision ORDER BY customer, position DESC
    )
    SELECT f.finding, f.reconciliation, r.body, f.severity, x.amount, x.currency, x.why, o.owner, d.body AS decision,
        least((SELECT min(k.recorded_at) FROM findings s JOIN reconciliations k ON k.fingerprint = s.reconciliation
               WHERE s.period = f.period AND s.finding = f.finding),
              (SELECT min(w.recorded_at) FROM watch_alerts w
               WHERE w.period = f.period AND w.subject = f.finding)) AS first_seen
    FROM in_use u
    JOIN findings f ON f.reconciliation = u.fingerprint
    JOIN reconciliations r ON r.fingerprint = u.fingerprint
    LEFT JOIN LATERAL (
        SELECT e.amount, e.currency, e.why FROM exposures e
        WHERE e.reconciliation = f.reconciliation AND e.finding = f.finding ORDER BY e.position DESC LIMIT 1
    ) x ON true
    LEFT JOIN LATERAL (
        SELECT a.body::jsonb -> 'payload' ->> 'owner' AS owner FROM verdicts v JOIN decisions a ON a.id = v.decision
        WHERE v.taken AND v.kind = 'assign' AND v.subject = f.finding
            AND v.period = :month AND v.revision = :revision AND v.customer = f.customer
        ORDER BY v.position DESC LIMIT 1
    ) o ON true
    LEFT JOIN LATERAL (
        SELECT v.kind, v.decision FROM verdicts v
        WHERE v.taken AND v.kind IN ('resolve', 'reverse') AND v.subject = f.finding
            AND v.period = :month AND v.revision = :revision AND v.customer = f.customer
        ORDER BY v.position DESC LIMIT 1
    ) last ON true
    LEFT JOIN decisions d ON d.id = last.decision AND last.kind = 'resolve'
    WHERE (CAST(:customer AS text) IS NULL OR f.customer = :customer)
        AND (:all OR (f.severity = 'holds' AND d.id IS NULL))
    ORDER BY f.customer, f.line
"""
_RECONCILIATIONS = """
    SELECT DISTINCT ON (u.customer) u.recorded_at, r.body
    FROM reconciliation_uses u JOIN reconciliations r USING (fingerprint)
    WHERE u.period = :month AND u.revision = :revision AND (CAST(:customer AS text) IS NULL OR u.customer = :customer)
    ORDER BY u.customer, u.position DESC
"""
_CUSTOMERS = "SELECT DISTINCT customer, contract FROM contracts ORDER BY customer, contract"
_INVOICES = """
    SELECT i.revision, i.body AS asked, o.body AS issued, r.owed, r.lowered_by, r.lowered_on
    FROM invoices i LEFT JOIN issued_invoices o USING (reference)
    LEFT JOIN LATERAL (
        SELECT v.owed, v.lowered_by, v.lowered_on FROM receivables v WHERE v.reference = i.reference
    ) r ON true
    WHERE (CAST(:reference AS text) IS NULL OR i.reference = :reference)
        AND (CAST(:month AS text) IS NULL OR i.period = :month)
        AND (CAST(:customer AS text) IS NULL OR i.customer = :customer)
    ORDER BY i.period DESC, i.customer, i.currency, i.revision LIMIT :most
"""
_COUNT_INVOICES = """
    SELECT count(*) AS count FROM invoices
    WHERE (CAST(:month AS text) IS NULL OR period = :month)
        AND (CAST(:customer AS text) IS NULL OR customer = :customer)
"""
_ISSUED = """
    SELECT s.body FROM statements s
    JOIN invoices i ON i.statement = s.fingerprint
    JOIN issued_invoices o ON o.reference = i.reference
    WHERE s.contract = :contract AND (CAST(:through AS text) IS NULL OR s.period <= :through)
        AND NOT EXISTS (SELECT FROM superseded_invoices u WHERE u.reference = i.reference)
    ORDER BY s.period, i.revision
"""
RATED = """
    WITH before AS (
        SELECT DISTINCT ON (b.contract) b.contract, b.fingerprint, b.total, b.currency
        FROM statements b
        JOIN invoices i ON i.statement = b.fingerprint
        JOIN issued_invoices o ON o.reference = i.reference
        WHERE b.period = :before
            AND NOT EXISTS (SELECT FROM superseded_invoices u WHERE u.reference = i.reference)
        ORDER BY b.contract, i.revision
    )
    SELECT c.customer, s.fingerprint AS statement, s.currency, s.total, s.lines,
        p.fingerprint AS prior, p.total AS prior_total, p.currency AS prior_currency
    FROM customer_closes c
    JOIN statements s ON s.fingerprint = c.refs ->> 'statement'
    LEFT JOIN before p ON p.contract = s.contract
    WHERE c.period = :month AND c.revision = :revision
    ORDER BY c.customer
"""
# Counts and a sum: a lower position, or an earlier instant, may be committed after a higher. The journal is a chain.
_STAMP = """
    SELECT concat_ws('/',
        (SELECT max(position) FROM journal_entries), (SELECT count(*) FROM issued_invoices),
        (SELECT sum(extract(epoch FROM moved_at)) FROM customer_closes),
        (SELECT count(*) FROM decisions), (SELECT count(*) FROM verdicts),
        (SELECT count(*) FROM statement_uses), (SELECT count(*) FROM reconciliation_uses),
        (SELECT count(*) FROM correction_steps), (SELECT count(*) FROM contracts),
        (SELECT count(*) FROM estimates), (SELECT count(*) FROM openings),
        (SELECT count(*) FROM period_locks), (SELECT count(*) FROM period_relocks),
        (SELECT count(*) FROM period_reopenings)
    ) AS stamp
"""
_TRIAL_BALANCE = """
    SELECT p.account, p.currency,
        coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS debit,
        coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS credit, sum(p.amount) AS balance
    FROM journal_postings p JOIN journal_entries e ON e.key = p.entry
    WHERE (CAST(:first AS text) IS NULL OR e.period >= :first)
        AND (CAST(:through AS text) IS NULL OR e.period <= :through)
        AND (CAST(:as_of AS date) IS NULL OR e.posted_on <= :as_of)
        AND (CAST(:known_at AS timestamptz) IS NULL OR e.recorded_at <= :known_at)
    GROUP BY p.account, p.currency ORDER BY p.currency, p.account
"""
_CHOSEN_LINES = """
    FROM journal_entries e JOIN journal_postings p ON p.entry = e.key
    WHERE (CAST(:month AS text) IS NULL OR e.period = :month)
        AND (CAST(:customer AS text) IS NULL OR e.customer = :customer)
        AND (CAST(:account AS text) IS NULL OR p.account = :account)
        AND (CAST(:as_of AS date) IS NULL OR e.posted_on <= :as_of)
        AND (CAST(:known_at AS timestamptz) IS NULL OR e.recorded_at <= :known_at)
"""
_LINE = """
    SELECT e.position, e.key, e.rule, e.customer, e.contract, e.period, e.posted_on, e.currency, p.account, p.amount,
        p.obligation, p."grant", p.meter, p.model, p.rated_line, p.service_from, p.service_until, e.statement,
        e.invoice, e.accrued, e.preparer, e.recorded_at, e.hash, p.line AS place
"""
_LINES = f"{_LINE} {_CHOSEN_LINES} ORDER BY e.position, p.line LIMIT :first"
_LINES_OF_ENTRIES = f"""
    SELECT * FROM (
        {_LINE}, dense_rank() OVER (ORDER BY e.position) AS nth {_CHOSEN_LINES} AND e.position > :after
    ) chosen WHERE nth <= :most ORDER BY position, place
"""
_COUNT_LINES = f"SELECT count(*) AS count {_CHOSEN_LINES}"
_ROLL_FORWARD = """
    SELECT e.customer, e.contract, p."grant", e.currency,
        coalesce(-sum(p.amount) FILTER (WHERE e.period < :month OR e.rule = 'O1'), 0) AS opening,
        coalesce(-sum(p.amount) FILTER (WHERE e.period = :month AND e.rule = 'A1'), 0) AS billed,
        coalesce(sum(p.amount) FILTER (WHERE e.period = :month AND e.rule IN ('A3', 'A3-deferred', 'C6')), 0) AS drawn,
        coalesce(sum(p.amount) FILTER (WHERE e.period = :month AND e.rule = 'A5'), 0) AS expired,
        coalesce(-sum(p.amount) FILTER (WHERE e.period = :month AND e.rule = 'J1'), 0) AS trued_up,
        -sum(p.amount) AS closing
    FROM journal_entries e JOIN journal_postings p ON p.entry = e.key
    WHERE p."grant" IS NOT NULL AND p.account IN ('2110', '1120') AND e.period <= :month
        AND (CAST(:customer AS text) IS NULL OR e.customer = :customer)
    GROUP BY e.customer, e.contract, p."grant", e.currency
    ORDER BY e.customer, e.contract, p."grant", e.currency
"""


class Books:
    """What is known, as one role may see it. A customer's pages name the customer; row security shows no other."""

    def __init__(self, database: Database, customer: str | None = None) -> None:
        self.database = database
        self.customer = customer

    def closes(self, month: str | None = None) -> tuple[CloseSummary, ...]:
        """Return the closes (of a month), newest first."""
        return tuple(
            CloseSummary(
                month=row.period,
                revision=row.revision,
                opened_at=row.opened_at,
                starters=tuple(row.starters),
                states={state: int(count) for state, count in map(str.split, row.states)},
                invoiced={currency: Decimal(total) for currency, total in map(str.split, row.invoiced)},
                locked_at=row.locked_at,
                root=row.root,
                invoices=row.invoices,
                ended_at=row.ended_at,
                paused_by=row.paused_by,
                paused_why=row.paused_why or "",
            )
            for row in self._rows(_CLOSES, month=month)
        )

    def standings(self, month: str, revision: int = 1, customer: str | None = None) -> tuple[Standing, ...]:
        """Return where each customer's close stands, by customer."""
        rows = self._rows(_STANDINGS, month=month, revision=revision, customer=customer)
        return tuple(standing_of(row) for row in rows)

    def exceptions(
        self, month: str, revision: int = 1, customer: str | None = None, answered_too: bool = False
    ) -> tuple[OpenFinding, ...]:
        """Return the findings that hold customers and have no resolution that stands, by customer.

        `answered_too`: every finding of the reconciliations in use, what is only recorded and what was answered also.
        """
        rows = self._rows(_FINDINGS, month=month, revision=revision, customer=customer, all=answered_too)
        bodies = {row.reconciliation: row.body for row in rows}
        known = {
            (reconciliation, finding.id): finding
            for reconciliation, body in bodies.items()
            for finding in Reconciliation.from_text(body).findings
        }
        return tuple(
            OpenFinding(
                revision=revision,
                reconciliation=row.reconciliation,
                finding=known[row.reconciliation, row.finding],
                first_seen=row.first_seen,
                at_risk=(
                    Exposure(finding=row.finding, amount=row.amount, currency=row.currency, why=row.why)
                    if row.why is not None
                    else None
                ),
                owner=row.owner,
                resolution=resolution_of(Decision.from_text(row.decision)) if row.decision else None,
            )
            for row in rows
        )

    def reconciliations(
        self, month: str, revision: int = 1, customer: str | None = None
    ) -> tuple[ReconciliationView, ...]:
        """Return each customer's month as its close reconciled it, by customer."""
        rows = self._rows(_RECONCILIATIONS, month=month, revision=revision, customer=customer)
        return tuple(
            ReconciliationView(revision=revision, reconciliation=Reconciliation.from_text(row.body), at=row.recorded_at)
            for row in rows
        )

    def people(self) -> tuple[Person, ...]:
        """Return who may decide, by id; who left is not among them."""
        rows = self._rows("SELECT id, name, roles FROM people WHERE active ORDER BY id")
        return tuple(Person(id=row.id, name=row.name, roles=tuple(map(Role, row.roles))) for row in rows)

    def decisions(
        self,
        month: str | None = None,
        person: str | None = None,
        kind: str | None = None,
        most: int = 500,
        before: str | None = None,
    ) -> tuple[tuple[Decision, Verdict | None], ...]:
        """Return the newest decisions (on a month, by a person, of a kind), each with its workflow's verdict.

        `before`: only those written before the decision of this id.
        """
        rows = self._rows(_DECISIONS, month=month, person=person, kind=kind, most=most, before=before)
        return tuple(
            (Decision.from_text(row.body), Verdict.from_text(row.verdict) if row.verdict else None) for row in rows
        )

    def customers(self) -> tuple[tuple[str, str], ...]:
        """Return every customer with each of its contracts, by customer."""
        rows = self._rows(_CUSTOMERS)
        return tuple((row.customer, row.contract) for row in rows)

    def invoices(
        self, month: str | None = None, customer: str | None = None, most: int | None = None
    ) -> tuple[InvoiceView, ...]:
        """Return invoices as asked for and as issued, newest month first; the first `most` of them."""
        return self._invoices(reference=None, month=month, customer=customer, most=most)

    def count_invoices(self, month: str | None = None, customer: str | None = None) -> int:
        """Return how many invoices there are."""
        return int(self._rows(_COUNT_INVOICES, month=month, customer=customer)[0].count)

    def invoice(self, reference: str) -> InvoiceView | None:
        """Return an invoice by our reference, or None."""
        found = self._invoices(reference=reference, month=None, customer=None, most=None)
        return found[0] if found else None

    def statement(self, fingerprint: str) -> Statement | None:
        """Return a statement by its fingerprint, or None."""
        rows = self._rows("SELECT body FROM statements WHERE fingerprint = :fingerprint", fingerprint=fingerprint)
        return Statement.from_text(rows[0].body) if rows else None

    def statements(self, fingerprints: Sequence[str]) -> dict[str, Statement]:
        """Return statements by their fingerprints, those there are."""
        rows = self._rows(
            "SELECT fingerprint, body FROM statements WHERE fingerprint = ANY(:these)", these=list(fingerprints)
        )
        return {row.fingerprint: Statement.from_text(row.body) for row in rows}

    def rated(self, month: str, revision: int = 1) -> tuple[RatedView, ...]:
        """Return a close's statements by their numbers, each beside the month before's, by customer."""
        rows = self._rows(RATED, month=month, revision=revision, before=next_month(month, -1))
        return tuple(RatedView(**row._mapping) for row in rows)

    def stamp(self) -> str:
        """Return a word that is another one once anything that a report is made of was written."""
        return str(self._rows(_STAMP)[0].stamp)

    def opening(self, contract: str) -> Opening | None:
        """Return the opening position of a contract that was taken over, or None."""
        rows = self._rows("SELECT body FROM openings WHERE contract = :contract", contract=contract)
        return Opening.from_text(rows[0].body) if rows else None

    def issued_statements(self, contract: str, through: str | None = None) -> tuple[Statement, ...]:
        """Return the statements of a contract that were issued up to and with a month, oldest first."""
        return tuple(Statement.from_text(row.body) for row in self._rows(_ISSUED, contract=contract, through=through))

    def trial_balance(
        self,
        through: str | None = None,
        first: str | None = None,
        known_at: datetime | None = None,
        as_of: date | None = None,
    ) -> tuple[Balance, ...]:
        """Return each account's balance by currency over the periods from first to through.

        In both times: of entries effective up to and with the day `as_of`, as recorded by `known_at`.
        """
        rows = self._rows(_TRIAL_BALANCE, first=first, through=through, known_at=known_at, as_of=as_of)
        return tuple(Balance(account=Account(row.account), **_without(row, "account")) for row in rows)

    def journal(
        self,
        month: str | None = None,
        customer: str | None = None,
        account: Account | None = None,
        known_at: datetime | None = None,
        as_of: date | None = None,
        first: int | None = None,
    ) -> tuple[JournalLine, ...]:
        """Return postings with their entries' facts, in posting order: effective by `as_of`, recorded by `known_at`.

        The `first` so many of them.
        """
        of = account.value if account else None
        return self._lines(
            _LINES, month=month, customer=customer, account=of, known_at=known_at, as_of=as_of, first=first
        )

    def journal_after(
        self,
        after: int,
        most: int,
        month: str | None = None,
        customer: str | None = None,
        account: Account | None = None,
        as_of: date | None = None,
    ) -> tuple[JournalLine, ...]:
        """Return the postings of at most so many entries after a position, in posting order."""
        of = account.value if account else None
        named = {"month": month, "customer": customer, "account": of, "as_of": as_of, "known_at": None}
        return self._lines(_LINES_OF_ENTRIES, **named, after=after, most=most)

    def _lines(self, sql: str, **named: Any) -> tuple[JournalLine, ...]:
        return tuple(
            JournalLine(
                account=Account(row.account), rule=Rule(row.rule), **_without(row, "account", "rule", "nth", "place")
            )
            for row in self._rows(sql, **named)
        )

    def count_postings(
        self, month: str, customer: str | None = None, account: Account | None = None, as_of: date | None = None
    ) -> int:
        """Return how many postings a month has."""
        of = account.value if account else None
        return int(
            self._rows(_COUNT_LINES, month=month, customer=customer, account=of, as_of=as_of, known_at=None)[0].count
        )

    def roll_forward(self, month: str, customer: str | None = None) -> tuple[RollForward, ...]:
        """Return each grant's liability over a month, from the journal's postings."""
        rows = self._rows(_ROLL_FORWARD, month=month, customer=customer)
        return tuple(RollForward(month=month, **row._mapping) for row in rows)

    def _invoices(self, **named: Any) -> tuple[InvoiceView, ...]:
        return tuple(
            InvoiceView(
                revision=row.revision,
                invoice=Invoice.from_text(row.asked),
                issued=IssuedInvoice.from_text(row.issued) if row.issued else None,
                owed=row.owed,
                lowered_by=tuple(Rule(one) for one in row.lowered_by or ()),
                lowered_on=row.lowered_on,
            )
            for row in self._rows(_INVOICES, **named)
        )

    def _rows(self, sql: str, **named: Any) -> list[Any]:
        with self.database.reading(self.customer) as session:
            return list(session.connection().execute(text(sql), named).all())


def _without(row: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in names}
