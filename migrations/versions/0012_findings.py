"""Findings: the money at risk of each, what each night's watch found, and approvals that a reversal voids."""

from alembic import op

from migrations.ddl import append_only, readable

revision = "0012"
down_revision = "0011"

EXPOSURES = (
    "CREATE INDEX findings_by_name ON tieout.findings (period, finding)",
    """
    CREATE TABLE tieout.exposures (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        reconciliation tieout.sha256 NOT NULL,
        finding text NOT NULL,
        amount numeric,
        currency tieout.currency,
        why text NOT NULL,
        recorded_at timestamptz NOT NULL,
        FOREIGN KEY (reconciliation, finding) REFERENCES tieout.findings (reconciliation, finding),
        CONSTRAINT an_amount_or_a_reason CHECK (
            (amount IS NULL) = (currency IS NULL) AND (amount IS NOT NULL OR why <> '')
        )
    )
    """,
    "CREATE INDEX exposures_by_finding ON tieout.exposures (reconciliation, finding, position)",
    *append_only("exposures"),
    *readable("exposures", "INSERT"),
)

WATCHES = (
    """
    CREATE TABLE tieout.watches (
        period tieout.month NOT NULL,
        night date NOT NULL,
        up_to timestamptz NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (period, night)
    )
    """,
    *append_only("watches"),
    *readable("watches", "INSERT"),
    """
    CREATE TABLE tieout.watch_alerts (
        position bigint GENERATED ALWAYS AS IDENTITY,
        period tieout.month NOT NULL,
        night date NOT NULL,
        kind text NOT NULL,
        subject text NOT NULL,
        customer text,
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (period, night, kind, subject),
        FOREIGN KEY (period, night) REFERENCES tieout.watches (period, night)
    )
    """,
    "CREATE INDEX watch_alerts_by_subject ON tieout.watch_alerts (period, subject)",
    *append_only("watch_alerts"),
    *readable("watch_alerts", "INSERT"),
)

# A reversal or a correction voids the signatures before it: who signed may sign the same statement again.
APPROVALS = (
    "DROP INDEX tieout.one_approval_a_person",
    """
    CREATE FUNCTION tieout.approved_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT NEW.taken OR NEW.kind IS DISTINCT FROM 'approve' THEN
            RETURN NEW;
        END IF;
        PERFORM pg_advisory_xact_lock(
            hashtextextended(concat_ws('/', NEW.period, NEW.revision, NEW.customer, NEW.subject), 0));
        IF EXISTS (
            SELECT FROM tieout.verdicts v
            WHERE v.taken AND v.kind = 'approve' AND v.period = NEW.period AND v.revision = NEW.revision
                AND v.customer = NEW.customer AND v.subject = NEW.subject AND v.person = NEW.person
                AND v.decision <> NEW.decision
                AND NOT EXISTS (
                    SELECT FROM tieout.verdicts r
                    WHERE r.taken AND r.kind IN ('reverse', 'correct') AND r.period = v.period
                        AND r.revision = v.revision AND r.customer = v.customer AND r.position > v.position
                )
        ) THEN
            RAISE EXCEPTION '% approved this already; a second person is needed', NEW.person USING ERRCODE = 'TIE04';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER one_approval_a_person BEFORE INSERT ON tieout.verdicts"
    " FOR EACH ROW EXECUTE FUNCTION tieout.approved_once()",
    "ALTER TABLE tieout.verdicts ENABLE ALWAYS TRIGGER one_approval_a_person",
)


def upgrade() -> None:
    """Make the tables of the money at risk and of the nights' watches."""
    for statement in (*EXPOSURES, *WATCHES, *APPROVALS):
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TRIGGER one_approval_a_person ON tieout.verdicts")
    op.execute("DROP FUNCTION tieout.approved_once()")
    op.execute(
        "CREATE UNIQUE INDEX one_approval_a_person ON tieout.verdicts (period, revision, customer, subject, person)"
        " WHERE taken AND kind = 'approve'"
    )
    op.execute("DROP TABLE tieout.watch_alerts, tieout.watches, tieout.exposures")
    op.execute("DROP INDEX tieout.findings_by_name")
