"""Journal: entries on a hash chain, balanced at commit, refused for a locked period, never changed."""

from alembic import op

from migrations.ddl import append_only, readable

revision = "0006"
down_revision = "0005"

ONE_WRITER = 7_464_002  # advisory lock: the chain has one end, and a lock of a period waits for entries under way

TABLES = (
    """
    CREATE TABLE tieout.period_locks (
        period tieout.month PRIMARY KEY,
        locked_by text NOT NULL,
        reason text NOT NULL CHECK (reason <> ''),
        locked_at timestamptz NOT NULL
    )
    """,
    f"""
    CREATE FUNCTION tieout.lock_after_entries() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock({ONE_WRITER});
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER after_entries BEFORE INSERT ON tieout.period_locks"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.lock_after_entries()",
    "ALTER TABLE tieout.period_locks ENABLE ALWAYS TRIGGER after_entries",
    *append_only("period_locks"),
    *readable("period_locks", "INSERT"),
    """
    CREATE TABLE tieout.journal_entries (
        position bigint PRIMARY KEY,
        key text NOT NULL UNIQUE,
        rule text NOT NULL,
        customer text NOT NULL,
        contract text NOT NULL,
        period tieout.month NOT NULL,
        posted_on date NOT NULL,
        currency tieout.currency NOT NULL,
        statement text NOT NULL,
        invoice text,
        accrued boolean NOT NULL,
        reverses text REFERENCES tieout.journal_entries (key),
        close_run text,
        preparer text NOT NULL,
        recorded_at timestamptz NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        fingerprint tieout.sha256 NOT NULL UNIQUE CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        previous_hash tieout.sha256 NOT NULL UNIQUE,
        hash tieout.sha256 NOT NULL UNIQUE,
        CONSTRAINT currency_of_postings UNIQUE (key, currency),
        CONSTRAINT posted_inside_its_period CHECK (to_char(posted_on, 'YYYY-MM') = period),
        CONSTRAINT columns_say_what_the_body_says CHECK (
            body::jsonb ->> 'key' = key AND body::jsonb ->> 'rule' = rule
            AND body::jsonb ->> 'customer' = customer AND body::jsonb ->> 'contract' = contract
            AND body::jsonb ->> 'period' = period AND body::jsonb ->> 'posted_on' = to_char(posted_on, 'YYYY-MM-DD')
            AND body::jsonb ->> 'currency' = currency AND body::jsonb ->> 'statement' = statement
            AND body::jsonb ->> 'invoice' IS NOT DISTINCT FROM invoice
            AND (body::jsonb ->> 'accrued')::boolean = accrued
            AND body::jsonb ->> 'reverses' IS NOT DISTINCT FROM reverses
            AND body::jsonb ->> 'close_run' IS NOT DISTINCT FROM close_run
        )
    )
    """,
    # One close earns a thing once: its accrual at the lock and its own entry can never both stand, whoever is first.
    "CREATE UNIQUE INDEX earned_once ON tieout.journal_entries (close_run, contract, rule) WHERE close_run IS NOT NULL",
    "CREATE INDEX entries_by_period ON tieout.journal_entries (period, customer, position)",
    "CREATE INDEX entries_by_customer ON tieout.journal_entries (customer, position)",
    """
    CREATE TABLE tieout.journal_postings (
        entry text NOT NULL,
        line int NOT NULL CHECK (line >= 1),
        currency tieout.currency NOT NULL,
        account text NOT NULL CHECK (account ~ '^[1-7][0-9]{3}$'),
        amount numeric NOT NULL CHECK (amount <> 0),
        obligation text,
        "grant" text,
        meter text,
        model text,
        rated_line text,
        service_from date,
        service_until date,
        PRIMARY KEY (entry, line),
        FOREIGN KEY (entry, currency) REFERENCES tieout.journal_entries (key, currency),
        CONSTRAINT booked CHECK (tieout.booked(amount, currency))
    )
    """,
    'CREATE INDEX postings_by_grant ON tieout.journal_postings ("grant") WHERE "grant" IS NOT NULL',
    # What is hashed: the hash before, the recorded instant in microseconds, the preparer, the canonical entry.
    """
    CREATE FUNCTION tieout.link_hash(previous text, recorded_at timestamptz, preparer text, body text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN tieout.fingerprint_of(
        previous || E'\\n' || trunc(extract(epoch FROM recorded_at) * 1000000)::bigint::text
        || E'\\n' || preparer || E'\\n' || body
    )
    """,
    f"""
    CREATE FUNCTION tieout.chain_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last record;
    BEGIN
        PERFORM pg_advisory_xact_lock({ONE_WRITER});
        IF EXISTS (SELECT FROM tieout.period_locks l WHERE l.period = NEW.period) THEN
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
    """,
    "CREATE TRIGGER chain BEFORE INSERT ON tieout.journal_entries FOR EACH ROW EXECUTE FUNCTION tieout.chain_entry()",
    "ALTER TABLE tieout.journal_entries ENABLE ALWAYS TRIGGER chain",
    """
    CREATE FUNCTION tieout.entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE found record;
    BEGIN
        SELECT count(*) AS lines, coalesce(sum(p.amount), 0) AS difference INTO found
            FROM tieout.journal_postings p WHERE p.entry = NEW.key;
        IF found.lines < 2 OR found.difference <> 0
            OR found.lines <> jsonb_array_length(NEW.body::jsonb -> 'postings') THEN
            RAISE EXCEPTION 'entry % does not balance: % postings sum to %', NEW.key, found.lines, found.difference
                USING ERRCODE = 'TIE03';
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON tieout.journal_entries"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tieout.entry_balances()",
    "ALTER TABLE tieout.journal_entries ENABLE ALWAYS TRIGGER balances",
    # A posting is the line of its entry's body: with the key (entry, line) nothing can be added to an entry later.
    """
    CREATE FUNCTION tieout.postings_match_the_body() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE stray record;
    BEGIN
        SELECT a.entry, a.line INTO stray
        FROM added a
        LEFT JOIN (
            SELECT e.key, said.line, said.posting
            FROM tieout.journal_entries e,
                jsonb_array_elements(e.body::jsonb -> 'postings') WITH ORDINALITY AS said (posting, line)
            WHERE e.key IN (SELECT DISTINCT entry FROM added)
        ) s ON s.key = a.entry AND s.line = a.line
        WHERE s.posting ->> 'account' IS DISTINCT FROM a.account
            OR (s.posting ->> 'amount')::numeric IS DISTINCT FROM a.amount
            OR s.posting ->> 'obligation' IS DISTINCT FROM a.obligation
            OR s.posting ->> 'grant' IS DISTINCT FROM a."grant"
            OR s.posting ->> 'meter' IS DISTINCT FROM a.meter
            OR s.posting ->> 'model' IS DISTINCT FROM a.model
            OR s.posting ->> 'rated_line' IS DISTINCT FROM a.rated_line
            OR s.posting ->> 'service_from' IS DISTINCT FROM to_char(a.service_from, 'YYYY-MM-DD')
            OR s.posting ->> 'service_until' IS DISTINCT FROM to_char(a.service_until, 'YYYY-MM-DD')
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'posting % of entry % is not what the entry says', stray.line, stray.entry
                USING ERRCODE = 'TIE03';
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER match_the_body AFTER INSERT ON tieout.journal_postings REFERENCING NEW TABLE AS added"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.postings_match_the_body()",
    "ALTER TABLE tieout.journal_postings ENABLE ALWAYS TRIGGER match_the_body",
    *append_only("journal_entries"),
    *append_only("journal_postings"),
    *readable("journal_entries", "INSERT"),
    *readable("journal_postings", "INSERT"),
)


def upgrade() -> None:
    """Make the journal."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("DROP TABLE tieout.journal_postings, tieout.journal_entries, tieout.period_locks")
    op.execute(
        "DROP FUNCTION tieout.postings_match_the_body(), tieout.entry_balances(), tieout.chain_entry(), "
        "tieout.link_hash(text, timestamptz, text, text), tieout.lock_after_entries()"
    )
