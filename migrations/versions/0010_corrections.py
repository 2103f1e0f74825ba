"""Corrections: of issued invoices, proposed by one person, approved by another, never for more than was billed."""

from alembic import op

from migrations.ddl import append_only, readable
from migrations.roles import AUDITOR, CONSOLE, HOOKS, WORKER

revision = "0010"
down_revision = "0009"

ONE_WRITER = 7_464_002  # of 0006
CHAIN = f"""
    CREATE OR REPLACE FUNCTION tieout.chain_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last record;
    BEGIN
        PERFORM pg_advisory_xact_lock({ONE_WRITER});
        IF LOCKED THEN
            RAISE EXCEPTION 'the period % is locked; entry % goes to an open one', NEW.period, NEW.key
                USING ERRCODE = 'TIE02';
        END IF;
        SELECT e.position, e.hash INTO last FROM tieout.journal_entries e ORDER BY e.position DESC LIMIT 1;
        NEW.position := coalesce(last.position, 0) + 1;
        NEW.previous_hash := coalesce(last.hash, repeat('0', 64));
        NEW.written_at := clock_timestamp();
        NEW.hash := tieout.link_hash(NEW.previous_hash, NEW.recorded_at, NEW.preparer, NEW.body);
        RETURN NEW;
    END $$
"""
"""The trigger of 0006, asking whether a period is locked now; before, whether it ever was."""

CORRECTIONS = (
    # The foreign key is the rule: only what was issued is corrected.
    """
    CREATE TABLE tieout.corrections (
        position bigint GENERATED ALWAYS AS IDENTITY,
        id text PRIMARY KEY,
        invoice text NOT NULL REFERENCES tieout.issued_invoices (reference),
        customer text NOT NULL,
        contract text NOT NULL,
        period tieout.month NOT NULL,
        currency tieout.currency NOT NULL,
        total numeric NOT NULL,
        proposed_by text NOT NULL REFERENCES tieout.people (id),
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT booked CHECK (tieout.booked(total, currency)),
        CONSTRAINT columns_say_what_the_body_says CHECK (
            body::jsonb ->> 'id' = id AND body::jsonb ->> 'customer' = customer
            AND body::jsonb -> 'request' ->> 'invoice' = invoice AND body::jsonb ->> 'period' = period
            AND body::jsonb ->> 'proposed_by' = proposed_by
        )
    )
    """,
    "CREATE INDEX corrections_by_invoice ON tieout.corrections (invoice, position)",
    *append_only("corrections"),
    *readable("corrections", "INSERT"),
    """
    CREATE TABLE tieout.correction_steps (
        position bigint GENERATED ALWAYS AS IDENTITY,
        correction text NOT NULL REFERENCES tieout.corrections (id),
        step text NOT NULL,
        person text REFERENCES tieout.people (id),
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (correction, step)
    )
    """,
    # Four eyes and the bound as the database sees them: who proposed approves nothing, and corrections approved side
    # by side never give back more than the invoice.
    """
    CREATE FUNCTION tieout.correction_is_approved() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE asked record; standing numeric;
    BEGIN
        IF NEW.step <> 'approved' THEN
            RETURN NEW;
        END IF;
        SELECT c.invoice, c.total, c.proposed_by INTO asked FROM tieout.corrections c WHERE c.id = NEW.correction;
        IF NEW.person IS NULL OR NEW.person = asked.proposed_by THEN
            RAISE EXCEPTION '% proposed this correction and may not approve it', asked.proposed_by
                USING ERRCODE = 'TIE04';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended(asked.invoice, 0));
        SELECT i.total + coalesce(sum(c.total), 0) INTO standing
        FROM tieout.issued_invoices i
        LEFT JOIN tieout.corrections c ON c.invoice = i.reference AND c.id <> NEW.correction
            AND EXISTS (SELECT FROM tieout.correction_steps s WHERE s.correction = c.id AND s.step = 'approved')
            AND NOT EXISTS (SELECT FROM tieout.correction_steps s WHERE s.correction = c.id
                            AND s.step IN ('rejected', 'withdrawn'))
        WHERE i.reference = asked.invoice GROUP BY i.total;
        IF standing + asked.total < 0 THEN
            RAISE EXCEPTION 'invoice % stands at %; % is more than that', asked.invoice, standing, -asked.total
                USING ERRCODE = 'TIE05';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER approved BEFORE INSERT ON tieout.correction_steps"
    " FOR EACH ROW EXECUTE FUNCTION tieout.correction_is_approved()",
    "ALTER TABLE tieout.correction_steps ENABLE ALWAYS TRIGGER approved",
    *append_only("correction_steps"),
    *readable("correction_steps", "INSERT"),
    """
    CREATE VIEW tieout.superseded_invoices AS
    SELECT c.invoice AS reference FROM tieout.corrections c
    JOIN tieout.correction_steps s ON s.correction = c.id AND s.step = 'settled'
    WHERE c.body::jsonb -> 'request' ->> 'settlement' = 'rebill'
    """,
    f"GRANT SELECT ON tieout.superseded_invoices TO {WORKER}, {CONSOLE}, {AUDITOR}",
)

EVENTS = (
    """
    CREATE TABLE tieout.stripe_events (
        position bigint GENERATED ALWAYS AS IDENTITY,
        id text PRIMARY KEY,
        type text NOT NULL,
        object_id text NOT NULL,
        created timestamptz NOT NULL,
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("stripe_events"),
    *readable("stripe_events"),
    # The hook keeps what it receives and can do nothing else: it reads ids, to see what is there already.
    f"GRANT INSERT, SELECT (id) ON tieout.stripe_events TO {HOOKS}",
    """
    CREATE TABLE tieout.stripe_event_fates (
        position bigint GENERATED ALWAYS AS IDENTITY,
        event text NOT NULL REFERENCES tieout.stripe_events (id),
        fate text NOT NULL,
        invoice text,
        payment text,
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (event, fate)
    )
    """,
    "CREATE INDEX fates_by_payment ON tieout.stripe_event_fates (payment) WHERE payment IS NOT NULL",
    *append_only("stripe_event_fates"),
    *readable("stripe_event_fates", "INSERT"),
)

CONTROLS = (
    """
    CREATE TABLE tieout.tie_outs (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        period tieout.month NOT NULL,
        name text NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX tie_outs_by_period ON tieout.tie_outs (period, name, position)",
    *append_only("tie_outs"),
    *readable("tie_outs", "INSERT"),
    """
    CREATE TABLE tieout.period_reopenings (
        position bigint GENERATED ALWAYS AS IDENTITY,
        decision text PRIMARY KEY REFERENCES tieout.decisions (id),
        period tieout.month NOT NULL REFERENCES tieout.period_locks (period),
        asked_by text NOT NULL REFERENCES tieout.people (id),
        approved_by text NOT NULL REFERENCES tieout.people (id),
        reason text NOT NULL CHECK (reason <> ''),
        opened_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > opened_at),
        CONSTRAINT four_eyes CHECK (asked_by <> approved_by)
    )
    """,
    *append_only("period_reopenings"),
    *readable("period_reopenings", "INSERT"),
    """
    CREATE TABLE tieout.period_relocks (
        decision text PRIMARY KEY REFERENCES tieout.period_reopenings (decision),
        locked_by text NOT NULL,
        locked_at timestamptz NOT NULL
    )
    """,
    *append_only("period_relocks"),
    *readable("period_relocks", "INSERT"),
    # A reopened period locks itself when its time is over: nobody has to remember it.
    """
    CREATE FUNCTION tieout.is_locked(month text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
        SELECT EXISTS (SELECT FROM tieout.period_locks l WHERE l.period = month)
            AND NOT EXISTS (
                SELECT FROM tieout.period_reopenings r
                WHERE r.period = month AND clock_timestamp() < r.expires_at
                    AND NOT EXISTS (SELECT FROM tieout.period_relocks k WHERE k.decision = r.decision)
            )
    $$
    """,
    """
    CREATE FUNCTION tieout.only_the_last_lock() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM tieout.period_locks l WHERE l.period > NEW.period AND tieout.is_locked(l.period)) THEN
            RAISE EXCEPTION 'a later period than % is locked; reopen that one first', NEW.period
                USING ERRCODE = 'TIE02';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER only_the_last BEFORE INSERT ON tieout.period_reopenings"
    " FOR EACH ROW EXECUTE FUNCTION tieout.only_the_last_lock()",
    "ALTER TABLE tieout.period_reopenings ENABLE ALWAYS TRIGGER only_the_last",
    CHAIN.replace("LOCKED", "tieout.is_locked(NEW.period)"),
)


def upgrade() -> None:
    """Make the tables of corrections and of the platform's events."""
    for statement in (*CORRECTIONS, *EVENTS, *CONTROLS):
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    ever = "EXISTS (SELECT FROM tieout.period_locks l WHERE l.period = NEW.period)"
    op.execute(CHAIN.replace("LOCKED", ever))
    op.execute("DROP TABLE tieout.period_relocks, tieout.period_reopenings, tieout.tie_outs")
    op.execute("DROP FUNCTION tieout.only_the_last_lock(), tieout.is_locked(text)")
    op.execute("DROP TABLE tieout.stripe_event_fates, tieout.stripe_events")
    op.execute("DROP VIEW tieout.superseded_invoices")
    op.execute("DROP TABLE tieout.correction_steps, tieout.corrections")
    op.execute("DROP FUNCTION tieout.correction_is_approved()")
