"""Openings: where a contract that is taken over stands, proposed by one person and approved by another, once."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable

revision = "0008"
down_revision = "0007"

TABLES = (
    """
    CREATE TABLE tieout.openings (
        position bigint GENERATED ALWAYS AS IDENTITY,
        contract text PRIMARY KEY,
        customer text NOT NULL,
        currency tieout.currency NOT NULL,
        as_of date NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        proposed_by text NOT NULL,
        approved_by text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT four_eyes CHECK (proposed_by <> approved_by),
        CONSTRAINT columns_say_what_the_body_says CHECK (
            body::jsonb ->> 'contract' = contract AND body::jsonb ->> 'customer' = customer
            AND body::jsonb ->> 'currency' = currency AND body::jsonb ->> 'as_of' = to_char(as_of, 'YYYY-MM-DD')
        )
    )
    """,
    "CREATE INDEX openings_by_customer ON tieout.openings (customer)",
    *append_only("openings"),
    *readable("openings", "INSERT"),
    *own_rows("openings"),
)


def upgrade() -> None:
    """Make the table of opening positions."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("DROP TABLE tieout.openings")
