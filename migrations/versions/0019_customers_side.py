"""The customer's side: in which currency a month's total is watched; files that are made of every month."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable
from migrations.roles import PORTAL, WORKER

revision = "0019"
down_revision = "0018"

OWN = "customer = current_setting('tieout.customer', true)"

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

EXPORTS = (
    # The newest row of a customer, kind and format counts.
    """
    CREATE TABLE tieout.standing_exports (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customer text NOT NULL,
        kind text NOT NULL,
        format text NOT NULL,
        wanted boolean NOT NULL,
        chosen_by text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("standing_exports"),
    *readable("standing_exports"),
    *own_rows("standing_exports"),
    f"GRANT INSERT ON tieout.standing_exports TO {PORTAL}",
    f"CREATE POLICY new_own ON tieout.standing_exports FOR INSERT TO {PORTAL} WITH CHECK ({OWN})",
    f"GRANT INSERT ON tieout.exports TO {WORKER}",
    "CREATE INDEX exports_of_statement ON tieout.exports (statement)",
)


def upgrade() -> None:
    """Add them."""
    for statement in ALERTS + EXPORTS:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP INDEX tieout.exports_of_statement")
    op.execute("DROP TABLE tieout.standing_exports")
    op.execute(f"REVOKE INSERT ON tieout.exports FROM {WORKER}")
    op.execute("ALTER TABLE tieout.alerts DROP CONSTRAINT a_total_has_a_currency, DROP COLUMN currency")
