"""Found at size: with ten thousand customers in the books, each close read all uses of statements to find its own."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Let a statement's uses, and a customer's, be found without reading everybody's."""
    op.execute("CREATE INDEX statement_uses_of_statement ON tieout.statement_uses (fingerprint, position)")
    op.execute("CREATE INDEX statement_uses_of_customer ON tieout.statement_uses (customer, position)")


def downgrade() -> None:
    """Take the indexes away."""
    op.execute("DROP INDEX tieout.statement_uses_of_customer, tieout.statement_uses_of_statement")
