"""Invoices: what was asked for and what was issued, one for each customer, currency, period and revision."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable

revision = "0005"
down_revision = "0004"

TABLES = (
    """
    CREATE TABLE tieout.invoices (
        position bigint GENERATED ALWAYS AS IDENTITY,
        reference text PRIMARY KEY,
        customer text NOT NULL,
        contract text NOT NULL,
        currency tieout.currency NOT NULL,
        period tieout.month NOT NULL,
        revision int NOT NULL CHECK (revision >= 1),
        statement tieout.sha256 NOT NULL REFERENCES tieout.statements (fingerprint),
        total numeric NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT one_invoice UNIQUE (customer, currency, period, revision),
        CONSTRAINT named_after_what_it_bills
            CHECK (reference = period || '@' || revision || '/' || customer || '/' || currency),
        CONSTRAINT booked CHECK (tieout.booked(total, currency)),
        CONSTRAINT what_is_issued UNIQUE (reference, customer, currency, total)
    )
    """,
    *append_only("invoices"),
    *readable("invoices", "INSERT"),
    *own_rows("invoices"),
    # The foreign key is the tie-out: what was issued has our customer, our currency and our total, to the cent.
    """
    CREATE TABLE tieout.issued_invoices (
        reference text PRIMARY KEY,
        customer text NOT NULL,
        stripe_id text NOT NULL UNIQUE,
        number text NOT NULL,
        status text NOT NULL,
        currency tieout.currency NOT NULL,
        total numeric NOT NULL,
        lines int NOT NULL CHECK (lines >= 0),
        issued_at timestamptz NOT NULL,
        due_on date NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT ties_out FOREIGN KEY (reference, customer, currency, total)
            REFERENCES tieout.invoices (reference, customer, currency, total)
    )
    """,
    *append_only("issued_invoices"),
    *readable("issued_invoices", "INSERT"),
    *own_rows("issued_invoices"),
    """
    CREATE TABLE tieout.stripe_customers (
        customer text PRIMARY KEY,
        stripe_id text NOT NULL UNIQUE,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("stripe_customers"),
    *readable("stripe_customers", "INSERT"),
)


def upgrade() -> None:
    """Make the tables of invoices."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.stripe_customers, tieout.issued_invoices, tieout.invoices")
