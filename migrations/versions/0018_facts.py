"""Facts: what reports need of a statement and of its schedule, kept beside them when they are made."""

from alembic import op

from migrations.ddl import append_only, readable

revision = "0018"
down_revision = "0017"

TABLES = (
    """
    CREATE TABLE tieout.statement_facts (
        statement tieout.sha256 PRIMARY KEY REFERENCES tieout.statements (fingerprint),
        body text NOT NULL,
        lines text NOT NULL
    )
    """,
    *append_only("statement_facts"),
    *readable("statement_facts", "INSERT"),
    """
    CREATE TABLE tieout.schedule_facts (
        inputs tieout.sha256 PRIMARY KEY,
        statement tieout.sha256 NOT NULL REFERENCES tieout.statements (fingerprint),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("schedule_facts"),
    *readable("schedule_facts", "INSERT"),
)


def upgrade() -> None:
    """Make the tables; of a statement kept before, facts are told from its body whenever they are asked for."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.schedule_facts, tieout.statement_facts")
