"""The customer's side: an alert's currency, files of every month, who else is mailed, in which zone times are shown."""

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

CONTACTS = (
    """
    CREATE TABLE tieout.billing_contacts (
        id text PRIMARY KEY,
        customer text NOT NULL,
        email text NOT NULL CHECK (email = lower(email) AND email ~ '^[^[:space:]@,;<>"]+@[^[:space:]@,;<>"]+$'),
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        ended_at timestamptz
    )
    """,
    "CREATE UNIQUE INDEX one_contact_an_address ON tieout.billing_contacts (customer, email) WHERE ended_at IS NULL",
    *readable("billing_contacts"),
    *own_rows("billing_contacts"),
    f"GRANT INSERT, UPDATE (ended_at) ON tieout.billing_contacts TO {PORTAL}",
    f"CREATE POLICY new_own ON tieout.billing_contacts FOR INSERT TO {PORTAL} WITH CHECK ({OWN})",
    f"CREATE POLICY end_own ON tieout.billing_contacts FOR UPDATE TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
)
ZONES = (
    "ALTER TABLE tieout.portal_users ADD COLUMN zone text CHECK (zone ~ '^[A-Za-z0-9_+/-]{1,64}$')",
    f"GRANT UPDATE (zone) ON tieout.portal_users TO {PORTAL}",
    f"CREATE POLICY zone_own ON tieout.portal_users FOR UPDATE TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
)


def of_session(out: str, column: str) -> None:
    """Make the function that says whose session one is anew, with one answer more or less."""
    signature = "customer_of_session(text, timestamptz)"
    op.execute(f"DROP FUNCTION tieout.{signature}")
    op.execute(
        f"""
        CREATE FUNCTION tieout.customer_of_session(
            token text, at timestamptz, OUT session text, OUT customer text, OUT portal_user text, OUT name text,
            OUT email text, OUT role text, OUT person text, OUT expires_at timestamptz{out}
        ) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
            SELECT s.id, s.customer, u.id, coalesce(u.name, p.name), coalesce(u.email, ''),
                coalesce(u.role, 'viewer'), p.id, s.expires_at{column}
            FROM tieout.web_sessions s
            LEFT JOIN tieout.portal_users u ON u.id = s.portal_user
            LEFT JOIN tieout.people p ON p.id = s.person
            WHERE s.session_sha256 = tieout.fingerprint_of(token) AND s.face = 'portal' AND s.ended_at IS NULL
                AND s.expires_at > at AND coalesce(u.active, p.active)
        $$
        """
    )
    op.execute(f"REVOKE ALL ON FUNCTION tieout.{signature} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION tieout.{signature} TO {PORTAL}")


def upgrade() -> None:
    """Add them."""
    for statement in ALERTS + EXPORTS + CONTACTS + ZONES:
        op.execute(statement)
    of_session(", OUT zone text", ", u.zone")


def downgrade() -> None:
    """Take them back."""
    of_session("", "")
    op.execute("DROP POLICY zone_own ON tieout.portal_users")
    op.execute("ALTER TABLE tieout.portal_users DROP COLUMN zone")
    op.execute("DROP TABLE tieout.billing_contacts")
    op.execute("DROP INDEX tieout.exports_of_statement")
    op.execute("DROP TABLE tieout.standing_exports")
    op.execute(f"REVOKE INSERT ON tieout.exports FROM {WORKER}")
    op.execute("ALTER TABLE tieout.alerts DROP CONSTRAINT a_total_has_a_currency, DROP COLUMN currency")
