"""Notices: what customers are told, what was sent, and what they chose not to be told."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable
from migrations.roles import CONSOLE, PORTAL

revision = "0014"
down_revision = "0013"

NOTICES = (
    """
    CREATE TABLE tieout.notices (
        position bigint GENERATED ALWAYS AS IDENTITY,
        id text PRIMARY KEY,
        kind text NOT NULL,
        customer text NOT NULL,
        period tieout.month NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("notices"),
    *readable("notices", "INSERT"),
    *own_rows("notices"),
    """
    CREATE TABLE tieout.notices_sent (
        notice text PRIMARY KEY REFERENCES tieout.notices (id),
        message_id text NOT NULL,
        sent_at timestamptz NOT NULL
    )
    """,
    *append_only("notices_sent"),
    *readable("notices_sent", "INSERT"),
    """
    CREATE TABLE tieout.notice_choices (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customer text NOT NULL,
        kind text NOT NULL CHECK (kind NOT IN ('invoice_ready', 'correction_issued')),
        wanted boolean NOT NULL,
        chosen_by text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX notice_choices_by_customer ON tieout.notice_choices (customer, kind, position)",
    *append_only("notice_choices"),
    *readable("notice_choices"),
    *own_rows("notice_choices"),
    f"GRANT INSERT ON tieout.notice_choices TO {CONSOLE}, {PORTAL}",
    f"CREATE POLICY own_choice ON tieout.notice_choices FOR INSERT TO {PORTAL}"
    " WITH CHECK (customer = current_setting('tieout.customer', true))",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in NOTICES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.notice_choices, tieout.notices_sent, tieout.notices")
