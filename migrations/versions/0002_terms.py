"""Terms: rate versions in both times, contract versions, authorities; one person proposes, another approves."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable

revision = "0002"
down_revision = "0001"

TABLES = (
    """
    CREATE TABLE tieout.rate_versions (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        version text NOT NULL,
        subject text NOT NULL,
        rate text NOT NULL,
        meter text NOT NULL,
        amount numeric NOT NULL CHECK (amount >= 0),
        per numeric NOT NULL CHECK (per > 0),
        currency tieout.currency NOT NULL,
        effective tstzrange NOT NULL CHECK (lower_inc(effective) AND NOT upper_inc(effective)),
        recorded tstzrange NOT NULL CHECK (lower_inc(recorded) AND NOT upper_inc(recorded)),
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        proposed_by text NOT NULL,
        approved_by text NOT NULL,
        CONSTRAINT four_eyes CHECK (proposed_by <> approved_by),
        CONSTRAINT one_version_at_an_instant
            EXCLUDE USING gist (subject WITH =, effective WITH &&, recorded WITH &&)
    )
    """,
    # The one change a row may undergo: it ceases to be what is known, because a later row says more.
    """
    CREATE FUNCTION tieout.only_supersede() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF upper_inf(OLD.recorded) AND NOT upper_inf(NEW.recorded) AND lower(NEW.recorded) = lower(OLD.recorded)
            AND to_jsonb(NEW) - 'recorded' = to_jsonb(OLD) - 'recorded' THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a rate version is superseded, never changed' USING ERRCODE = 'TIE01';
    END $$
    """,
    "CREATE TRIGGER only_supersede BEFORE UPDATE ON tieout.rate_versions"
    " FOR EACH ROW EXECUTE FUNCTION tieout.only_supersede()",
    "CREATE TRIGGER rows_stay BEFORE DELETE OR TRUNCATE ON tieout.rate_versions"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.refuse_change()",
    "ALTER TABLE tieout.rate_versions ENABLE ALWAYS TRIGGER only_supersede",
    "ALTER TABLE tieout.rate_versions ENABLE ALWAYS TRIGGER rows_stay",
    *readable("rate_versions", "INSERT", "UPDATE (recorded)"),
    """
    CREATE TABLE tieout.contracts (
        position bigint GENERATED ALWAYS AS IDENTITY,
        version text PRIMARY KEY,
        contract text NOT NULL,
        customer text NOT NULL,
        currency tieout.currency NOT NULL,
        effective_on date NOT NULL,
        starts_on date NOT NULL,
        ends_on date NOT NULL CHECK (ends_on > starts_on),
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        proposed_by text NOT NULL,
        approved_by text NOT NULL,
        recorded_at timestamptz NOT NULL,
        CONSTRAINT four_eyes CHECK (proposed_by <> approved_by)
    )
    """,
    "CREATE INDEX contracts_by_customer ON tieout.contracts (customer, position)",
    "CREATE INDEX contracts_by_contract ON tieout.contracts (contract, position)",
    *append_only("contracts"),
    *readable("contracts", "INSERT"),
    *own_rows("contracts"),
    """
    CREATE TABLE tieout.authorities (
        position bigint GENERATED ALWAYS AS IDENTITY,
        fingerprint tieout.sha256 PRIMARY KEY CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        declared_by text NOT NULL,
        starts_on date NOT NULL,
        ends_on date CHECK (ends_on > starts_on),
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("authorities"),
    *readable("authorities", "INSERT"),
)


def upgrade() -> None:
    """Make the tables of terms."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.authorities, tieout.contracts, tieout.rate_versions")
    op.execute("DROP FUNCTION tieout.only_supersede()")
