"""Evidence: snapshots, reconciliations with findings, statements. A body is kept once, each use of it in order."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable

revision = "0003"
down_revision = "0002"

_USES = """
    CREATE TABLE tieout.{one}_uses (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        fingerprint tieout.sha256 NOT NULL REFERENCES tieout.{one}s (fingerprint),
        customer text NOT NULL,
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        recorded_at timestamptz NOT NULL
    )
    """

TABLES = (
    """
    CREATE TABLE tieout.snapshots (
        position bigint GENERATED ALWAYS AS IDENTITY,
        fingerprint tieout.sha256 PRIMARY KEY CHECK (fingerprint = tieout.fingerprint_of(body)),
        source text NOT NULL,
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        watermark timestamptz NOT NULL,
        rows_kept bigint NOT NULL CHECK (rows_kept >= 0),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT sealed_once UNIQUE (source, period, revision)
    )
    """,
    *append_only("snapshots"),
    *readable("snapshots", "INSERT"),
    """
    CREATE TABLE tieout.reconciliations (
        fingerprint tieout.sha256 PRIMARY KEY CHECK (fingerprint = tieout.fingerprint_of(body)),
        customer text NOT NULL,
        period tieout.month NOT NULL,
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("reconciliations"),
    *readable("reconciliations", "INSERT"),
    _USES.format(one="reconciliation"),
    "CREATE INDEX reconciliation_uses_by_close ON tieout.reconciliation_uses (period, revision, customer, position)",
    *append_only("reconciliation_uses"),
    *readable("reconciliation_uses", "INSERT"),
    """
    CREATE TABLE tieout.findings (
        reconciliation tieout.sha256 NOT NULL REFERENCES tieout.reconciliations (fingerprint),
        line int NOT NULL CHECK (line >= 1),
        finding text NOT NULL,
        customer text NOT NULL,
        period tieout.month NOT NULL,
        cause text NOT NULL,
        severity text NOT NULL CHECK (severity IN ('recorded', 'holds')),
        source text NOT NULL,
        against text NOT NULL,
        meter text NOT NULL,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL,
        quantity numeric NOT NULL,
        against_quantity numeric NOT NULL,
        PRIMARY KEY (reconciliation, line),
        CONSTRAINT named_once UNIQUE (reconciliation, finding)
    )
    """,
    "CREATE INDEX findings_that_hold ON tieout.findings (period, customer) WHERE severity = 'holds'",
    *append_only("findings"),
    *readable("findings", "INSERT"),
    """
    CREATE TABLE tieout.statements (
        fingerprint tieout.sha256 PRIMARY KEY CHECK (fingerprint = tieout.fingerprint_of(body)),
        customer text NOT NULL,
        contract text NOT NULL,
        contract_version text NOT NULL,
        period tieout.month NOT NULL,
        currency tieout.currency NOT NULL,
        lines int NOT NULL CHECK (lines >= 0),
        subtotal numeric NOT NULL,
        tax numeric NOT NULL,
        total numeric NOT NULL,
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT ties CHECK (subtotal + tax = total),
        CONSTRAINT booked CHECK (
            tieout.booked(subtotal, currency) AND tieout.booked(tax, currency) AND tieout.booked(total, currency)
        )
    )
    """,
    "CREATE INDEX statements_by_contract ON tieout.statements (contract, period)",
    *append_only("statements"),
    *readable("statements", "INSERT"),
    *own_rows("statements"),
    _USES.format(one="statement"),
    "CREATE INDEX statement_uses_by_close ON tieout.statement_uses (period, revision, customer, position)",
    *append_only("statement_uses"),
    *readable("statement_uses", "INSERT"),
    *own_rows("statement_uses"),
)


def upgrade() -> None:
    """Make the tables of evidence."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.statement_uses, tieout.statements, tieout.findings")
    op.execute("DROP TABLE tieout.reconciliation_uses, tieout.reconciliations, tieout.snapshots")
