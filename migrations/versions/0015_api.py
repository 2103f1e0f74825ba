"""The API: keys by which customers' programs read and write, and the first answer to each write."""

from alembic import op

from migrations.ddl import own_rows
from migrations.roles import AUDITOR, CONSOLE, OWNER, PORTAL

revision = "0015"
down_revision = "0014"

OWN = "customer = current_setting('tieout.customer', true)"

KEYS = (
    """
    CREATE TABLE tieout.customer_keys (
        id text PRIMARY KEY,
        name text NOT NULL,
        key_sha256 tieout.sha256 NOT NULL UNIQUE,
        customer text NOT NULL,
        scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write']),
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        revoked_at timestamptz,
        FOREIGN KEY (made_by, customer) REFERENCES tieout.portal_users (id, customer)
    )
    """,
    # As of any key: it is revoked once, and nothing else of it changes.
    "CREATE TRIGGER only_revoke BEFORE UPDATE ON tieout.customer_keys"
    " FOR EACH ROW EXECUTE FUNCTION tieout.only_revoke()",
    "CREATE TRIGGER rows_stay BEFORE DELETE OR TRUNCATE ON tieout.customer_keys"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.refuse_change()",
    "ALTER TABLE tieout.customer_keys ENABLE ALWAYS TRIGGER only_revoke",
    "ALTER TABLE tieout.customer_keys ENABLE ALWAYS TRIGGER rows_stay",
    *own_rows("customer_keys"),
    f"REVOKE SELECT ON tieout.customer_keys FROM {PORTAL}",
    "GRANT SELECT (id, name, customer, scopes, made_by, made_at, revoked_at) ON tieout.customer_keys"
    f" TO {PORTAL}, {CONSOLE}, {AUDITOR}",
    f"GRANT INSERT, UPDATE (revoked_at) ON tieout.customer_keys TO {PORTAL}",
    f"CREATE POLICY new_own ON tieout.customer_keys FOR INSERT TO {PORTAL} WITH CHECK ({OWN})",
    f"CREATE POLICY revoke_own ON tieout.customer_keys FOR UPDATE TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
    # A key is its maker's: it opens nothing once they are let out, and writes nothing once they may only look.
    """
    CREATE FUNCTION tieout.customer_of_key(
        key text, OUT id text, OUT customer text, OUT name text, OUT scopes text[]
    ) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
        SELECT k.id, k.customer, k.name, CASE u.role WHEN 'admin' THEN k.scopes ELSE array_remove(k.scopes, 'write') END
        FROM tieout.customer_keys k JOIN tieout.portal_users u ON u.id = k.made_by AND u.customer = k.customer
        WHERE k.key_sha256 = tieout.fingerprint_of(key) AND k.revoked_at IS NULL AND u.active
    $$
    """,
    "REVOKE ALL ON FUNCTION tieout.customer_of_key(text) FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION tieout.customer_of_key(text) TO {PORTAL}",
)

WRITES = (
    # Who asked under which idempotency key, for what, and the first answer. Whoever works on it holds the row until an
    # instant: had they died, the same request may be made again from then on. Rows are kept.
    """
    CREATE TABLE tieout.api_writes (
        caller text NOT NULL,
        key text NOT NULL,
        customer text,
        request_sha256 tieout.sha256 NOT NULL,
        began_at timestamptz NOT NULL,
        held_until timestamptz NOT NULL,
        status integer,
        media_type text,
        body text,
        answered_at timestamptz,
        PRIMARY KEY (caller, key),
        CONSTRAINT answered_whole CHECK (num_nulls(status, media_type, body, answered_at) IN (0, 4))
    )
    """,
    """
    CREATE FUNCTION tieout.answered_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.answered_at IS NULL THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a write has one answer' USING ERRCODE = 'TIE01';
    END $$
    """,
    "CREATE TRIGGER answered_once BEFORE UPDATE ON tieout.api_writes"
    " FOR EACH ROW EXECUTE FUNCTION tieout.answered_once()",
    "CREATE TRIGGER rows_stay BEFORE DELETE OR TRUNCATE ON tieout.api_writes"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.refuse_change()",
    "ALTER TABLE tieout.api_writes ENABLE ALWAYS TRIGGER answered_once",
    "ALTER TABLE tieout.api_writes ENABLE ALWAYS TRIGGER rows_stay",
    "ALTER TABLE tieout.api_writes ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE tieout.api_writes FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY staff ON tieout.api_writes TO {OWNER}, {AUDITOR} USING (true)",
    f"CREATE POLICY finance ON tieout.api_writes TO {CONSOLE} USING (customer IS NULL) WITH CHECK (customer IS NULL)",
    f"CREATE POLICY own ON tieout.api_writes TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
    f"GRANT SELECT ON tieout.api_writes TO {PORTAL}, {CONSOLE}, {AUDITOR}",
    "GRANT INSERT, UPDATE (began_at, held_until, status, media_type, body, answered_at) ON tieout.api_writes"
    f" TO {PORTAL}, {CONSOLE}",
)


def upgrade() -> None:
    """Make the tables of keys and of writes."""
    for statement in (*KEYS, *WRITES):
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP FUNCTION tieout.customer_of_key(text)")
    op.execute("DROP TABLE tieout.api_writes, tieout.customer_keys")
    op.execute("DROP FUNCTION tieout.answered_once()")
