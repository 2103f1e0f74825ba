"""Receivables: what is still owed of each invoice, as the pages of customers and of finance show it."""

from alembic import op

from migrations.roles import AUDITOR, CONSOLE, PORTAL, WORKER

revision = "0017"
down_revision = "0014"

RECEIVABLES = (
    "CREATE INDEX entries_by_invoice ON tieout.journal_entries (invoice) WHERE invoice IS NOT NULL",
    # By law, as the platform counts it: what we wrote off ourselves is not given away. The portal sees its own.
    f"""
    CREATE VIEW tieout.receivables WITH (security_barrier) AS
        SELECT i.customer, i.period, i.reference, p.currency, sum(p.amount) AS owed,
            array_agg(DISTINCT e.rule) FILTER (WHERE p.amount < 0) AS lowered_by,
            max(e.posted_on) FILTER (WHERE p.amount < 0) AS lowered_on
        FROM tieout.journal_postings p
        JOIN tieout.journal_entries e ON e.key = p.entry
        JOIN tieout.invoices i ON i.reference = e.invoice
        WHERE p.account = '1100' AND e.rule <> 'H3' AND NOT (e.rule = 'H2' AND e.key LIKE 'event/%')
            AND (current_user <> '{PORTAL}' OR i.customer = current_setting('tieout.customer', true))
        GROUP BY i.customer, i.period, i.reference, p.currency
    """,
    f"GRANT SELECT ON tieout.receivables TO {WORKER}, {CONSOLE}, {AUDITOR}, {PORTAL}",
)


def upgrade() -> None:
    """Make the view."""
    for statement in RECEIVABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("DROP VIEW tieout.receivables")
    op.execute("DROP INDEX tieout.entries_by_invoice")
