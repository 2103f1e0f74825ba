"""Telling: which notices were tried, so that one that can't be sent holds up no other; webhooks with every try."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable
from migrations.roles import AUDITOR, CONSOLE, PORTAL, WORKER

revision = "0016"
down_revision = "0015"

TRIES = (
    # A projection for the order of the outbox; what was sent stands in notices_sent.
    """
    CREATE TABLE tieout.notice_tries (
        notice text PRIMARY KEY REFERENCES tieout.notices (id),
        tries integer NOT NULL CHECK (tries > 0),
        tried_at timestamptz NOT NULL
    )
    """,
    *readable("notice_tries", "INSERT", "UPDATE"),
)

OWN = "customer = current_setting('tieout.customer', true)"

WEBHOOKS = (
    "ALTER TABLE tieout.notices ADD CONSTRAINT of_its_customer UNIQUE (id, customer)",
    # Rounds look at what is new, however much there is.
    "CREATE INDEX notices_of_customer ON tieout.notices (customer, recorded_at)",
    "CREATE INDEX notices_when ON tieout.notices (recorded_at)",
    """
    CREATE TABLE tieout.webhook_endpoints (
        id text PRIMARY KEY,
        customer text NOT NULL,
        url text NOT NULL CHECK (url LIKE 'https://%'),
        types text[] NOT NULL CHECK (cardinality(types) > 0),
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        ended_at timestamptz,
        ended_by text,
        CONSTRAINT ended_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
        CONSTRAINT endpoint_of_its_customer UNIQUE (id, customer),
        FOREIGN KEY (made_by, customer) REFERENCES tieout.portal_users (id, customer)
    )
    """,
    # An endpoint is ended once, and nothing else of it changes, whoever has the right.
    "CREATE TRIGGER ended_once BEFORE UPDATE ON tieout.webhook_endpoints FOR EACH ROW"
    " WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION tieout.refuse_change()",
    "CREATE TRIGGER rows_stay BEFORE DELETE OR TRUNCATE ON tieout.webhook_endpoints"
    " FOR EACH STATEMENT EXECUTE FUNCTION tieout.refuse_change()",
    "ALTER TABLE tieout.webhook_endpoints ENABLE ALWAYS TRIGGER ended_once",
    "ALTER TABLE tieout.webhook_endpoints ENABLE ALWAYS TRIGGER rows_stay",
    "CREATE UNIQUE INDEX one_endpoint_an_address ON tieout.webhook_endpoints (customer, url) WHERE ended_at IS NULL",
    *readable("webhook_endpoints", "UPDATE (ended_at, ended_by)"),
    *own_rows("webhook_endpoints"),
    f"GRANT INSERT, UPDATE (ended_at, ended_by) ON tieout.webhook_endpoints TO {PORTAL}",
    f"GRANT UPDATE (ended_at, ended_by) ON tieout.webhook_endpoints TO {CONSOLE}",
    f"CREATE POLICY end_own ON tieout.webhook_endpoints FOR UPDATE TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
    # What signs. Sealed with a key that the database does not have, and read by the worker alone.
    """
    CREATE TABLE tieout.webhook_secrets (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        endpoint text NOT NULL,
        customer text NOT NULL,
        sealed text NOT NULL CHECK (sealed NOT LIKE 'whsec%'),
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        FOREIGN KEY (endpoint, customer) REFERENCES tieout.webhook_endpoints (id, customer)
    )
    """,
    "CREATE INDEX webhook_secrets_by_endpoint ON tieout.webhook_secrets (endpoint, position)",
    *append_only("webhook_secrets"),
    *own_rows("webhook_secrets"),
    f"REVOKE SELECT ON tieout.webhook_secrets FROM {PORTAL}",
    f"GRANT SELECT ON tieout.webhook_secrets TO {WORKER}",
    "GRANT SELECT (position, endpoint, customer, made_by, made_at) ON tieout.webhook_secrets"
    f" TO {PORTAL}, {CONSOLE}, {AUDITOR}",
    f"GRANT INSERT ON tieout.webhook_secrets TO {PORTAL}",
    """
    CREATE TABLE tieout.webhook_deliveries (
        position bigint GENERATED ALWAYS AS IDENTITY,
        endpoint text NOT NULL,
        customer text NOT NULL,
        notice text NOT NULL,
        number integer NOT NULL CHECK (number > 0),
        asked_by text,
        asked_at timestamptz NOT NULL,
        PRIMARY KEY (endpoint, notice, number),
        CONSTRAINT replays_are_asked_for CHECK ((number = 1) = (asked_by IS NULL)),
        CONSTRAINT delivery_of_its_customer UNIQUE (endpoint, notice, number, customer),
        FOREIGN KEY (endpoint, customer) REFERENCES tieout.webhook_endpoints (id, customer),
        FOREIGN KEY (notice, customer) REFERENCES tieout.notices (id, customer)
    )
    """,
    "CREATE INDEX webhook_deliveries_in_order ON tieout.webhook_deliveries (endpoint, position)",
    "CREATE INDEX webhook_deliveries_when ON tieout.webhook_deliveries (asked_at)",
    *append_only("webhook_deliveries"),
    *readable("webhook_deliveries", "INSERT"),
    *own_rows("webhook_deliveries"),
    f"GRANT INSERT ON tieout.webhook_deliveries TO {PORTAL}, {CONSOLE}",
    """
    CREATE TABLE tieout.webhook_attempts (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        endpoint text NOT NULL,
        customer text NOT NULL,
        notice text NOT NULL,
        number integer NOT NULL,
        status integer,
        milliseconds integer NOT NULL CHECK (milliseconds >= 0),
        detail text NOT NULL,
        tried_at timestamptz NOT NULL,
        FOREIGN KEY (endpoint, notice, number, customer)
            REFERENCES tieout.webhook_deliveries (endpoint, notice, number, customer)
    )
    """,
    "CREATE INDEX webhook_attempts_of ON tieout.webhook_attempts (endpoint, notice, number)",
    *append_only("webhook_attempts"),
    *readable("webhook_attempts", "INSERT"),
    *own_rows("webhook_attempts"),
    """
    CREATE TABLE tieout.webhook_outcomes (
        endpoint text NOT NULL,
        customer text NOT NULL,
        notice text NOT NULL,
        number integer NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('delivered', 'failed', 'ended')),
        concluded_at timestamptz NOT NULL,
        PRIMARY KEY (endpoint, notice, number),
        FOREIGN KEY (endpoint, notice, number, customer)
            REFERENCES tieout.webhook_deliveries (endpoint, notice, number, customer)
    )
    """,
    *append_only("webhook_outcomes"),
    *readable("webhook_outcomes", "INSERT"),
    *own_rows("webhook_outcomes"),
    *(
        f"CREATE POLICY new_own ON tieout.{table} FOR INSERT TO {PORTAL} WITH CHECK ({OWN})"
        for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries")
    ),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (*TRIES, *WEBHOOKS):
        op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    op.execute("DROP TABLE tieout.webhook_outcomes, tieout.webhook_attempts, tieout.webhook_deliveries")
    op.execute("DROP TABLE tieout.webhook_secrets, tieout.webhook_endpoints")
    op.execute("ALTER TABLE tieout.notices DROP CONSTRAINT of_its_customer")
    op.execute("DROP INDEX tieout.notices_of_customer, tieout.notices_when")
    op.execute("DROP TABLE tieout.notice_tries")
