"""Booked events: facts no statement has, proposed by one person, approved by another, each with its journal entry."""

from alembic import op

from migrations.ddl import append_only, readable

revision = "0013"
down_revision = "0010"

TABLES = (
    """
    CREATE TABLE tieout.booked_events (
        position bigint GENERATED ALWAYS AS IDENTITY,
        contract text NOT NULL,
        id text NOT NULL,
        kind text NOT NULL,
        customer text NOT NULL,
        happened_on date NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        proposal text NOT NULL REFERENCES tieout.decisions (id),
        approval text NOT NULL REFERENCES tieout.decisions (id),
        proposed_by text NOT NULL REFERENCES tieout.people (id),
        approved_by text NOT NULL REFERENCES tieout.people (id),
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (contract, id),
        CONSTRAINT four_eyes CHECK (proposed_by <> approved_by),
        CONSTRAINT columns_say_what_the_body_says CHECK (
            body::jsonb ->> 'contract' = contract AND body::jsonb ->> 'id' = id AND body::jsonb ->> 'event' = kind
            AND body::jsonb ->> 'on' = to_char(happened_on, 'YYYY-MM-DD')
            AND coalesce(body::jsonb ->> 'by', proposed_by) = proposed_by
            AND coalesce(body::jsonb ->> 'approved_by', approved_by) = approved_by
        )
    )
    """,
    "CREATE INDEX booked_events_by_customer ON tieout.booked_events (customer, position)",
    *append_only("booked_events"),
    *readable("booked_events", "INSERT"),
)


def upgrade() -> None:
    """Make the table of booked events."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("DROP TABLE tieout.booked_events")
