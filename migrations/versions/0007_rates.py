"""Rates: proposals and the steps of their changes, and the keys by which other services read the catalog."""

from alembic import op

from migrations.ddl import append_only, readable
from migrations.roles import AUDITOR, CONSOLE, RATES, WORKER

revision = "0007"
down_revision = "0006"

TABLES = (
    # A proposal is a row at the desk, like a decision: who proposes is a person whose token was checked.
    """
    CREATE TABLE tieout.rate_proposals (
        position bigint GENERATED ALWAYS AS IDENTITY,
        id text PRIMARY KEY,
        price_table text NOT NULL,
        version text NOT NULL,
        subject text NOT NULL,
        rate text NOT NULL,
        kind text NOT NULL,
        proposed_by text NOT NULL REFERENCES tieout.people (id),
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("rate_proposals"),
    *readable("rate_proposals"),
    f"GRANT INSERT ON tieout.rate_proposals TO {CONSOLE}",
    # Each step is taken once; a change stands where its last step left it.
    """
    CREATE TABLE tieout.rate_change_steps (
        position bigint GENERATED ALWAYS AS IDENTITY,
        proposal text NOT NULL REFERENCES tieout.rate_proposals (id),
        step text NOT NULL,
        person text REFERENCES tieout.people (id),
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (proposal, step)
    )
    """,
    # Four eyes as the database sees it: who proposed a rate does not approve it.
    """
    CREATE FUNCTION tieout.rate_has_two_people() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.step = 'approved' AND EXISTS (SELECT FROM tieout.rate_proposals p
            WHERE p.id = NEW.proposal AND p.proposed_by IS NOT DISTINCT FROM NEW.person) THEN
            RAISE EXCEPTION '% proposed this rate and may not approve it', NEW.person USING ERRCODE = 'TIE04';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER two_people BEFORE INSERT ON tieout.rate_change_steps"
    " FOR EACH ROW EXECUTE FUNCTION tieout.rate_has_two_people()",
    "ALTER TABLE tieout.rate_change_steps ENABLE ALWAYS TRIGGER two_people",
    *append_only("rate_change_steps"),
    *readable("rate_change_steps", "INSERT"),
    # Of a key only its hash is kept; the one change a row may undergo is that it is revoked.
    """
    CREATE TABLE tieout.api_keys (
        id text PRIMARY KEY,
        name text NOT NULL,
        key_sha256 tieout.sha256 NOT NULL UNIQUE,
        scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
        made_by text NOT NULL REFERENCES tieout.people (id),
        made_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
    """
    CREATE FUNCTION tieout.only_revoke() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.revoked_at IS NULL AND to_jsonb(NEW) - 'revoked_at' = to_jsonb(OLD) - 'revoked_at' THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a key is revoked once, never changed' USING ERRCODE = 'TIE01';
    END $$
    """,
    "CREATE TRIGGER only_revoke BEFORE UPDATE ON tieout.api_keys FOR EACH ROW EXECUTE FUNCTION tieout.only_revoke()",
    "CREATE TRIGGER rows_stay BEFORE DELETE OR TRUNCATE ON tieout.api_keys"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.refuse_change()",
    "ALTER TABLE tieout.api_keys ENABLE ALWAYS TRIGGER only_revoke",
    "ALTER TABLE tieout.api_keys ENABLE ALWAYS TRIGGER rows_stay",
    "GRANT SELECT (id, name, scopes, made_by, made_at, revoked_at) ON tieout.api_keys"
    f" TO {WORKER}, {CONSOLE}, {AUDITOR}",
    f"GRANT INSERT, UPDATE (revoked_at) ON tieout.api_keys TO {CONSOLE}",
    # The rate API asks whose key this is; it never sees what the answers are looked up by.
    """
    CREATE FUNCTION tieout.api_key_of(key text, OUT id text, OUT scopes text[])
    RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
        SELECT id, scopes FROM tieout.api_keys
        WHERE revoked_at IS NULL AND key_sha256 = tieout.fingerprint_of(key)
    $$
    """,
    "REVOKE ALL ON FUNCTION tieout.api_key_of(text) FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION tieout.api_key_of(text) TO {RATES}",
    f"GRANT SELECT ON tieout.rate_versions TO {RATES}",
)


def upgrade() -> None:
    """Make the tables of rate changes and keys."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute(f"REVOKE SELECT ON tieout.rate_versions FROM {RATES}")
    op.execute("DROP FUNCTION tieout.api_key_of(text)")
    op.execute("DROP TABLE tieout.api_keys, tieout.rate_change_steps, tieout.rate_proposals")
    op.execute("DROP FUNCTION tieout.only_revoke(), tieout.rate_has_two_people()")
