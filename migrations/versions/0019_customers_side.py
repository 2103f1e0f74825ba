"""The customer's side: in which currency a month's total is watched."""

from alembic import op

revision = "0019"
down_revision = "0017"

ALERTS = (
    "ALTER TABLE tieout.alerts ADD COLUMN currency tieout.currency",
    # What its form said when it was set: the currency of the month that stood newest then.
    """
    UPDATE tieout.alerts a SET currency = coalesce(
        (SELECT s.currency FROM tieout.statements s WHERE s.customer = a.customer AND s.recorded_at <= a.made_at
            ORDER BY s.period DESC, s.recorded_at DESC LIMIT 1),
        (SELECT coalesce(c.body::jsonb -> 'fx' ->> 'invoice_currency', c.body::jsonb ->> 'currency')
            FROM tieout.contracts c WHERE c.customer = a.customer ORDER BY c.effective_on DESC, c.position DESC LIMIT 1)
    ) WHERE kind = 'total'
    """,
    # Of who has no contract no month will ever be billed.
    "UPDATE tieout.alerts SET ended_at = made_at WHERE kind = 'total' AND currency IS NULL AND ended_at IS NULL",
    "ALTER TABLE tieout.alerts ADD CONSTRAINT a_total_has_a_currency"
    " CHECK (kind <> 'total' OR currency IS NOT NULL OR ended_at IS NOT NULL)",
)


def upgrade() -> None:
    """Add it."""
    for statement in ALERTS:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("ALTER TABLE tieout.alerts DROP CONSTRAINT a_total_has_a_currency, DROP COLUMN currency")
