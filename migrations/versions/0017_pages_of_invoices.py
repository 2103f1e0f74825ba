"""What pages show of an invoice: what is still owed of it, and where the events behind its usage are sealed."""

from alembic import op

from migrations.roles import AUDITOR, CONSOLE, PORTAL, WORKER

revision = "0017"
down_revision = "0016"

RECEIVABLES = (
    "CREATE INDEX invoices_by_statement ON tieout.invoices (statement)",
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
SEALED = (
    # Where the rows are, and of a seal nothing else: it names every customer.
    f"""
    CREATE VIEW tieout.sealed_rows WITH (security_barrier) AS
        SELECT r.customer, r.fingerprint AS reconciliation, s.source, s.body::jsonb -> 'rows' AS rows
        FROM tieout.reconciliations r
        JOIN tieout.snapshots s ON s.period = r.period
            AND r.body::jsonb -> 'snapshots' ? (s.body::jsonb -> 'rows' ->> 'content_fingerprint')
        WHERE current_user <> '{PORTAL}' OR r.customer = current_setting('tieout.customer', true)
    """,
    f"GRANT SELECT ON tieout.sealed_rows TO {PORTAL}",
)


def upgrade() -> None:
    """Make the views."""
    for statement in RECEIVABLES + SEALED:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP VIEW tieout.sealed_rows, tieout.receivables")
    op.execute("DROP INDEX tieout.entries_by_invoice, tieout.invoices_by_statement")
