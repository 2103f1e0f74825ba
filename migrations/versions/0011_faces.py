"""Faces: who signs in to the pages, sessions, links, what a customer made there; one customer's rows and no other."""

from alembic import op

from migrations.ddl import append_only, own_rows, readable
from migrations.roles import AUDITOR, CONSOLE, PORTAL, WORKER

revision = "0011"
down_revision = "0010"

OWN = "customer = current_setting('tieout.customer', true)"

PEOPLE = (
    # Finance: a subject of the identity provider is a person of the desk. The page names the subject, never the person.
    """
    CREATE TABLE tieout.person_subjects (
        issuer text NOT NULL,
        subject text NOT NULL,
        person text NOT NULL REFERENCES tieout.people (id),
        PRIMARY KEY (issuer, subject)
    )
    """,
    *readable("person_subjects"),
    """
    CREATE TABLE tieout.portal_users (
        id text PRIMARY KEY,
        customer text NOT NULL,
        email text NOT NULL CHECK (email = lower(email)),
        name text NOT NULL,
        role text NOT NULL CHECK (role IN ('admin', 'viewer')),
        active boolean NOT NULL DEFAULT true,
        CONSTRAINT one_user_an_address UNIQUE (email),
        CONSTRAINT of_their_customer UNIQUE (id, customer)
    )
    """,
    *readable("portal_users"),
    *own_rows("portal_users"),
    f"GRANT INSERT, UPDATE (active, role, name) ON tieout.portal_users TO {CONSOLE}",
)

SESSIONS = (
    # Of links and sessions only hashes are kept, and nobody reads those: functions compare them.
    """
    CREATE TABLE tieout.sign_in_links (
        id text PRIMARY KEY,
        link_sha256 tieout.sha256 NOT NULL UNIQUE,
        customer text NOT NULL,
        portal_user text,
        person text REFERENCES tieout.people (id),
        made_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > made_at),
        spent_at timestamptz,
        FOREIGN KEY (portal_user, customer) REFERENCES tieout.portal_users (id, customer),
        CONSTRAINT for_one CHECK ((portal_user IS NULL) <> (person IS NULL))
    )
    """,
    """
    CREATE TABLE tieout.web_sessions (
        id text PRIMARY KEY,
        session_sha256 tieout.sha256 NOT NULL UNIQUE,
        face text NOT NULL CHECK (face IN ('console', 'portal')),
        customer text,
        portal_user text,
        person text REFERENCES tieout.people (id),
        made_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > made_at),
        ended_at timestamptz,
        FOREIGN KEY (portal_user, customer) REFERENCES tieout.portal_users (id, customer),
        CONSTRAINT for_one CHECK ((portal_user IS NULL) <> (person IS NULL)),
        CONSTRAINT customers_at_the_portal CHECK ((face = 'portal') = (customer IS NOT NULL))
    )
    """,
    "CREATE INDEX sessions_by_person ON tieout.web_sessions (person, made_at)",
    f"GRANT SELECT (id, customer, portal_user, person, made_at, expires_at, spent_at) ON tieout.sign_in_links"
    f" TO {CONSOLE}, {AUDITOR}",
    f"GRANT SELECT (id, face, customer, portal_user, person, made_at, expires_at, ended_at) ON tieout.web_sessions"
    f" TO {CONSOLE}, {AUDITOR}",
)

MADE_THERE = (
    """
    CREATE TABLE tieout.share_links (
        id text PRIMARY KEY,
        link_sha256 tieout.sha256 NOT NULL UNIQUE,
        customer text NOT NULL,
        scope text NOT NULL,
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > made_at),
        revoked_at timestamptz,
        FOREIGN KEY (made_by, customer) REFERENCES tieout.portal_users (id, customer)
    )
    """,
    *own_rows("share_links"),
    f"REVOKE SELECT ON tieout.share_links FROM {PORTAL}",
    "GRANT SELECT (id, customer, scope, made_by, made_at, expires_at, revoked_at) ON tieout.share_links"
    f" TO {PORTAL}, {CONSOLE}, {AUDITOR}",
    f"GRANT INSERT, UPDATE (revoked_at) ON tieout.share_links TO {PORTAL}",
    f"CREATE POLICY revoke_own ON tieout.share_links FOR UPDATE TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
    """
    CREATE TABLE tieout.exports (
        position bigint GENERATED ALWAYS AS IDENTITY,
        id text PRIMARY KEY,
        customer text NOT NULL,
        period tieout.month NOT NULL,
        kind text NOT NULL,
        format text NOT NULL,
        statement tieout.sha256 NOT NULL REFERENCES tieout.statements (fingerprint),
        rows_written bigint NOT NULL CHECK (rows_written >= 0),
        sha256 tieout.sha256 NOT NULL,
        made_by text NOT NULL,
        made_at timestamptz NOT NULL
    )
    """,
    *append_only("exports"),
    *readable("exports"),
    *own_rows("exports"),
    f"GRANT INSERT ON tieout.exports TO {PORTAL}",
    """
    CREATE TABLE tieout.alerts (
        id text PRIMARY KEY,
        customer text NOT NULL,
        kind text NOT NULL,
        subject text NOT NULL,
        threshold numeric NOT NULL CHECK (threshold > 0),
        made_by text NOT NULL,
        made_at timestamptz NOT NULL,
        ended_at timestamptz
    )
    """,
    *readable("alerts"),
    *own_rows("alerts"),
    f"GRANT INSERT, UPDATE (ended_at) ON tieout.alerts TO {PORTAL}",
    f"CREATE POLICY end_own ON tieout.alerts FOR UPDATE TO {PORTAL} USING ({OWN}) WITH CHECK ({OWN})",
    # Who looked at or took what: each export, each page seen as a customer, each use of a share link.
    """
    CREATE TABLE tieout.views (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        face text NOT NULL,
        customer text NOT NULL,
        who text NOT NULL,
        what text NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    *append_only("views"),
    *readable("views"),
    *own_rows("views"),
    f"GRANT INSERT ON tieout.views TO {PORTAL}, {CONSOLE}",
    *(
        f"CREATE POLICY new_own ON tieout.{table} FOR INSERT TO {PORTAL} WITH CHECK ({OWN})"
        for table in ("share_links", "exports", "alerts", "views")
    ),
    # A customer reads how their usage was reconciled and what was corrected, of their own rows alone.
    *own_rows("reconciliations"),
    *own_rows("reconciliation_uses"),
    *own_rows("corrections"),
    "ALTER TABLE tieout.correction_steps ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE tieout.correction_steps FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY staff ON tieout.correction_steps TO tieout_owner, {WORKER}, {CONSOLE}, {AUDITOR}"
    " USING (true) WITH CHECK (true)",
    f"CREATE POLICY own ON tieout.correction_steps FOR SELECT TO {PORTAL}"
    " USING (EXISTS (SELECT FROM tieout.corrections c WHERE c.id = correction))",
    f"GRANT SELECT ON tieout.correction_steps TO {PORTAL}",
    "ALTER VIEW tieout.superseded_invoices SET (security_invoker = true)",
    f"GRANT SELECT ON tieout.superseded_invoices TO {PORTAL}",
)

DRAFTS = (
    # A projection that each refresh overwrites: it can be made again, and is evidence of nothing.
    """
    CREATE TABLE tieout.draft_statements (
        customer text NOT NULL,
        period tieout.month NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        days text NOT NULL,
        complete_up_to timestamptz NOT NULL,
        refreshed_at timestamptz NOT NULL,
        PRIMARY KEY (customer, period)
    )
    """,
    *readable("draft_statements", "INSERT", "UPDATE"),
    *own_rows("draft_statements"),
)

_DEFINER = "LANGUAGE {language} {kind} SECURITY DEFINER SET search_path = pg_catalog"
_ASKS = _DEFINER.format(language="sql", kind="STABLE")
_ACTS = _DEFINER.format(language="sql", kind="VOLATILE")

DOORS = (
    (
        "open_person_session(text, text, text, text, timestamptz, timestamptz)",
        (CONSOLE,),
        f"""
        CREATE FUNCTION tieout.open_person_session(
            issuer_ text, subject_ text, id_ text, token text, at timestamptz, until timestamptz
        ) RETURNS text {_ACTS} AS $$
            INSERT INTO tieout.web_sessions (id, session_sha256, face, person, made_at, expires_at)
            SELECT id_, tieout.fingerprint_of(token), 'console', p.id, at, until
            FROM tieout.person_subjects s JOIN tieout.people p ON p.id = s.person
            WHERE s.issuer = issuer_ AND s.subject = subject_ AND p.active
            RETURNING person
        $$
        """,
    ),
    (
        "person_of_session(text, timestamptz)",
        (CONSOLE,),
        f"""
        CREATE FUNCTION tieout.person_of_session(
            token text, at timestamptz, OUT id text, OUT name text, OUT roles text[], OUT session text,
            OUT expires_at timestamptz
        ) RETURNS SETOF record {_ASKS} AS $$
            SELECT p.id, p.name, p.roles, s.id, s.expires_at
            FROM tieout.web_sessions s JOIN tieout.people p ON p.id = s.person
            WHERE s.session_sha256 = tieout.fingerprint_of(token) AND s.face = 'console' AND p.active
                AND s.ended_at IS NULL AND s.expires_at > at
        $$
        """,
    ),
    (
        "ask_link(text, text, text, timestamptz, timestamptz)",
        (PORTAL,),
        # Five an hour and address: a mailbox is no drum.
        f"""
        CREATE FUNCTION tieout.ask_link(
            email_ text, id_ text, token text, at timestamptz, until timestamptz
        ) RETURNS text {_ACTS} AS $$
            INSERT INTO tieout.sign_in_links (id, link_sha256, customer, portal_user, made_at, expires_at)
            SELECT id_, tieout.fingerprint_of(token), u.customer, u.id, at, until
            FROM tieout.portal_users u
            WHERE u.email = lower(email_) AND u.active AND 5 > (
                SELECT count(*) FROM tieout.sign_in_links l
                WHERE l.portal_user = u.id AND l.made_at > at - interval '1 hour'
            )
            RETURNING id
        $$
        """,
    ),
    (
        "make_link(text, text, text, timestamptz, timestamptz)",
        (CONSOLE,),
        f"""
        CREATE FUNCTION tieout.make_link(
            user_ text, id_ text, token text, at timestamptz, until timestamptz
        ) RETURNS text {_ACTS} AS $$
            INSERT INTO tieout.sign_in_links (id, link_sha256, customer, portal_user, made_at, expires_at)
            SELECT id_, tieout.fingerprint_of(token), u.customer, u.id, at, until
            FROM tieout.portal_users u WHERE u.id = user_ AND u.active
            RETURNING id
        $$
        """,
    ),
    (
        "view_as(text, text, text, text, timestamptz, timestamptz)",
        (CONSOLE,),
        # A customer's pages as finance sees them: vouched for by a live session, and logged with the link.
        f"""
        CREATE FUNCTION tieout.view_as(
            session_ text, customer_ text, id_ text, token text, at timestamptz, until timestamptz
        ) RETURNS text {_ACTS} AS $$
            WITH made AS (
                INSERT INTO tieout.sign_in_links (id, link_sha256, customer, person, made_at, expires_at)
                SELECT id_, tieout.fingerprint_of(token), customer_, p.id, at, until
                FROM tieout.person_of_session(session_, at) p
                WHERE EXISTS (SELECT FROM tieout.contracts c WHERE c.customer = customer_)
                RETURNING id, person
            ), logged AS (
                INSERT INTO tieout.views (face, customer, who, what, recorded_at)
                SELECT 'console', customer_, person, 'view as customer', at FROM made
            )
            SELECT id FROM made
        $$
        """,
    ),
    (
        "link_of(text, timestamptz)",
        (PORTAL,),
        f"""
        CREATE FUNCTION tieout.link_of(token text, at timestamptz, OUT customer text, OUT name text)
        RETURNS SETOF record {_ASKS} AS $$
            SELECT l.customer, coalesce(u.name, p.name)
            FROM tieout.sign_in_links l
            LEFT JOIN tieout.portal_users u ON u.id = l.portal_user
            LEFT JOIN tieout.people p ON p.id = l.person
            WHERE l.link_sha256 = tieout.fingerprint_of(token) AND l.spent_at IS NULL AND l.expires_at > at
        $$
        """,
    ),
    (
        "spend_link(text, text, text, timestamptz, timestamptz)",
        (PORTAL,),
        # One statement: of two who spend the same link at once, the second waits for the row and finds it spent.
        f"""
        CREATE FUNCTION tieout.spend_link(
            token text, id_ text, session_ text, at timestamptz, until timestamptz
        ) RETURNS text {_ACTS} AS $$
            WITH spent AS (
                UPDATE tieout.sign_in_links SET spent_at = at
                WHERE link_sha256 = tieout.fingerprint_of(token) AND spent_at IS NULL AND expires_at > at
                RETURNING customer, portal_user, person
            )
            INSERT INTO tieout.web_sessions
                (id, session_sha256, face, customer, portal_user, person, made_at, expires_at)
            SELECT id_, tieout.fingerprint_of(session_), 'portal', customer, portal_user, person, at, until FROM spent
            RETURNING id
        $$
        """,
    ),
    (
        "customer_of_session(text, timestamptz)",
        (PORTAL,),
        f"""
        CREATE FUNCTION tieout.customer_of_session(
            token text, at timestamptz, OUT session text, OUT customer text, OUT portal_user text, OUT name text,
            OUT email text, OUT role text, OUT person text, OUT expires_at timestamptz
        ) RETURNS SETOF record {_ASKS} AS $$
            SELECT s.id, s.customer, u.id, coalesce(u.name, p.name), coalesce(u.email, ''),
                coalesce(u.role, 'viewer'), p.id, s.expires_at
            FROM tieout.web_sessions s
            LEFT JOIN tieout.portal_users u ON u.id = s.portal_user
            LEFT JOIN tieout.people p ON p.id = s.person
            WHERE s.session_sha256 = tieout.fingerprint_of(token) AND s.face = 'portal' AND s.ended_at IS NULL
                AND s.expires_at > at AND coalesce(u.active, p.active)
        $$
        """,
    ),
    (
        "share_of(text, timestamptz)",
        (PORTAL,),
        f"""
        CREATE FUNCTION tieout.share_of(
            token text, at timestamptz, OUT id text, OUT customer text, OUT scope text, OUT made_by text,
            OUT made_at timestamptz, OUT expires_at timestamptz
        ) RETURNS SETOF record {_ASKS} AS $$
            SELECT id, customer, scope, made_by, made_at, expires_at FROM tieout.share_links
            WHERE link_sha256 = tieout.fingerprint_of(token) AND revoked_at IS NULL AND expires_at > at
        $$
        """,
    ),
    (
        "end_session(text, timestamptz)",
        (CONSOLE, PORTAL),
        f"""
        CREATE FUNCTION tieout.end_session(token text, at timestamptz) RETURNS void {_ACTS} AS $$
            UPDATE tieout.web_sessions SET ended_at = at
            WHERE session_sha256 = tieout.fingerprint_of(token) AND ended_at IS NULL
        $$
        """,
    ),
)
"""Functions by signature, who may ask them, and what they are: the only ways to a session or a link."""


def upgrade() -> None:
    """Make what the faces need."""
    for statement in (*PEOPLE, *SESSIONS, *MADE_THERE, *DRAFTS):
        op.execute(statement)
    for signature, roles, statement in DOORS:
        op.execute(statement)
        op.execute(f"REVOKE ALL ON FUNCTION tieout.{signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION tieout.{signature} TO {', '.join(roles)}")


def downgrade() -> None:
    """Take it back."""
    for signature, _, _ in reversed(DOORS):
        op.execute(f"DROP FUNCTION tieout.{signature}")
    op.execute(f"REVOKE SELECT ON tieout.superseded_invoices FROM {PORTAL}")
    op.execute("ALTER VIEW tieout.superseded_invoices RESET (security_invoker)")
    for table in ("correction_steps", "corrections", "reconciliation_uses", "reconciliations"):
        op.execute(f"REVOKE SELECT ON tieout.{table} FROM {PORTAL}")
        op.execute(f"DROP POLICY own ON tieout.{table}")
        op.execute(f"DROP POLICY staff ON tieout.{table}")
        op.execute(f"ALTER TABLE tieout.{table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE tieout.{table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP TABLE tieout.draft_statements, tieout.views, tieout.alerts, tieout.exports, tieout.share_links")
    op.execute("DROP TABLE tieout.web_sessions, tieout.sign_in_links, tieout.portal_users, tieout.person_subjects")
