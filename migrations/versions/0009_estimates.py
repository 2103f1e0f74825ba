"""Estimates: what a person expects, with the evidence, approved by another; append-only, never of a locked month."""

from alembic import op

from migrations.ddl import append_only, readable
from migrations.roles import CONSOLE

revision = "0009"
down_revision = "0008"

TABLES = (
    """
    CREATE TABLE tieout.estimates (
        position bigint GENERATED ALWAYS AS IDENTITY,
        contract text NOT NULL,
        id text NOT NULL,
        subject text NOT NULL,
        estimated_on date NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        proposed_by text NOT NULL,
        approved_by text NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (contract, id),
        CONSTRAINT four_eyes CHECK (proposed_by <> approved_by),
        CONSTRAINT columns_say_what_the_body_says CHECK (
            body::jsonb ->> 'contract' = contract AND body::jsonb ->> 'id' = id
            AND body::jsonb ->> 'subject' = subject AND body::jsonb ->> 'on' = to_char(estimated_on, 'YYYY-MM-DD')
            AND body::jsonb ->> 'by' = proposed_by AND body::jsonb ->> 'approved_by' = approved_by
        )
    )
    """,
    # A month that is locked has been earned with what was known: a new estimate is caught up in an open one.
    """
    CREATE FUNCTION tieout.estimate_of_an_open_month() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM tieout.period_locks l WHERE l.period = to_char(NEW.estimated_on, 'YYYY-MM')) THEN
            RAISE EXCEPTION 'the period of % is locked; estimate % is of an open one', NEW.estimated_on, NEW.id
                USING ERRCODE = 'TIE02';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER of_an_open_month BEFORE INSERT ON tieout.estimates"
    " FOR EACH ROW EXECUTE FUNCTION tieout.estimate_of_an_open_month()",
    "ALTER TABLE tieout.estimates ENABLE ALWAYS TRIGGER of_an_open_month",
    *append_only("estimates"),
    *readable("estimates", "INSERT"),
    f"GRANT INSERT ON tieout.estimates TO {CONSOLE}",
)


def upgrade() -> None:
    """Make the table of estimates."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("DROP TABLE tieout.estimates")
    op.execute("DROP FUNCTION tieout.estimate_of_an_open_month()")
