"""Telling: which notices were tried, so that one that can't be sent holds up no other."""

from alembic import op

from migrations.ddl import readable

revision = "0016"
down_revision = "0014"

TRIES = (
    # A projection for the order of the outbox; what was sent stands in notices_sent.
    """
    CREATE TABLE tieout.notice_tries (
        notice text PRIMARY KEY REFERENCES tieout.notices (id),
        tries integer NOT NULL CHECK (tries > 0),
        tried_at timestamptz NOT NULL
    )
    """,
    *readable("notice_tries", "INSERT", "UPDATE"),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in TRIES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.notice_tries")
