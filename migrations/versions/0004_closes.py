"""Closes: who started them, where each customer stands, people, what they decided and what the workflow answered."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable
from migrations.roles import AUDITOR, CONSOLE, WORKER

revision = "0004"
down_revision = "0003"

TABLES = (
    """
    CREATE TABLE tieout.closes (
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        opened_at timestamptz NOT NULL,
        PRIMARY KEY (period, revision)
    )
    """,
    *append_only("closes"),
    *readable("closes", "INSERT"),
    """
    CREATE TABLE tieout.close_starts (
        position bigint GENERATED ALWAYS AS IDENTITY,
        period tieout.month NOT NULL,
        revision int NOT NULL,
        started_by text NOT NULL,
        by_hand boolean NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (period, revision, started_by, by_hand),
        FOREIGN KEY (period, revision) REFERENCES tieout.closes (period, revision)
    )
    """,
    *append_only("close_starts"),
    *readable("close_starts", "INSERT"),
    """
    CREATE TABLE tieout.close_roots (
        period tieout.month NOT NULL,
        revision int NOT NULL,
        root tieout.sha256 NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (period, revision),
        FOREIGN KEY (period, revision) REFERENCES tieout.closes (period, revision)
    )
    """,
    *append_only("close_roots"),
    *readable("close_roots", "INSERT"),
    # A projection for pages and terminal, the one table here that is overwritten: it can be rebuilt from the rest.
    """
    CREATE TABLE tieout.customer_closes (
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        customer text NOT NULL,
        stage text NOT NULL,
        state text NOT NULL,
        detail text NOT NULL,
        refs jsonb NOT NULL,
        began_at timestamptz NOT NULL,
        moved_at timestamptz NOT NULL,
        PRIMARY KEY (period, revision, customer)
    )
    """,
    *readable("customer_closes", "INSERT", "UPDATE"),
    *own_rows("customer_closes"),
    """
    CREATE TABLE tieout.people (
        id text PRIMARY KEY,
        name text NOT NULL,
        roles text[] NOT NULL,
        token_sha256 tieout.sha256 NOT NULL UNIQUE,
        active boolean NOT NULL DEFAULT true
    )
    """,
    f"GRANT SELECT (id, name, roles, active) ON tieout.people TO {WORKER}, {CONSOLE}, {AUDITOR}",
    # The console asks whose token this is; it never sees what the answers are looked up by.
    """
    CREATE FUNCTION tieout.person_of(token text, OUT id text, OUT name text, OUT roles text[])
    RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
        SELECT id, name, roles FROM tieout.people WHERE active AND token_sha256 = tieout.fingerprint_of(token)
    $$
    """,
    "REVOKE ALL ON FUNCTION tieout.person_of(text) FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION tieout.person_of(text) TO {CONSOLE}",
    """
    CREATE TABLE tieout.decisions (
        position bigint GENERATED ALWAYS AS IDENTITY,
        id text PRIMARY KEY,
        kind text NOT NULL,
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        customer text NOT NULL,
        subject text NOT NULL,
        person text NOT NULL REFERENCES tieout.people (id),
        reason text NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX decisions_by_close ON tieout.decisions (period, revision, customer, position)",
    *append_only("decisions"),
    *readable("decisions"),
    f"GRANT INSERT ON tieout.decisions TO {CONSOLE}",
    """
    CREATE TABLE tieout.verdicts (
        position bigint GENERATED ALWAYS AS IDENTITY,
        decision text PRIMARY KEY,
        kind text,
        taken boolean NOT NULL,
        code text NOT NULL,
        person text,
        subject text NOT NULL,
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        customer text NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX verdicts_by_close ON tieout.verdicts (period, revision, customer, position)",
    "CREATE UNIQUE INDEX one_approval_a_person ON tieout.verdicts (period, revision, customer, subject, person)"
    " WHERE taken AND kind = 'approve'",
    # Four eyes as the database sees it: a taken verdict has its row at the desk, and who started the close by hand
    # approves nothing of it.
    """
    CREATE FUNCTION tieout.verdict_has_two_people() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT NEW.taken THEN
            RETURN NEW;
        END IF;
        -- An automatic approval is named `system` and has no row at the desk.
        IF NEW.person IS DISTINCT FROM 'system'
            AND NOT EXISTS (SELECT FROM tieout.decisions d WHERE d.id = NEW.decision AND d.person = NEW.person
                            AND d.kind = NEW.kind AND d.period = NEW.period AND d.revision = NEW.revision) THEN
            RAISE EXCEPTION 'no decision % of % stands behind this verdict', NEW.decision, NEW.person
                USING ERRCODE = 'TIE04';
        END IF;
        IF NEW.kind = 'approve' AND EXISTS (SELECT FROM tieout.close_starts s WHERE s.by_hand
            AND s.period = NEW.period AND s.revision = NEW.revision AND s.started_by = NEW.person) THEN
            RAISE EXCEPTION '% started this close and approves nothing of it', NEW.person USING ERRCODE = 'TIE04';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER two_people BEFORE INSERT ON tieout.verdicts"
    " FOR EACH ROW EXECUTE FUNCTION tieout.verdict_has_two_people()",
    "ALTER TABLE tieout.verdicts ENABLE ALWAYS TRIGGER two_people",
    *append_only("verdicts"),
    *readable("verdicts", "INSERT"),
)


def upgrade() -> None:
    """Make the tables of closes and people."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.verdicts, tieout.decisions")
    op.execute("DROP FUNCTION tieout.person_of(text), tieout.verdict_has_two_people()")
    op.execute("DROP TABLE tieout.people, tieout.customer_closes, tieout.close_roots")
    op.execute("DROP TABLE tieout.close_starts, tieout.closes")
