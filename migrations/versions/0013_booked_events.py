"""Booked events: facts no statement has, by two people, each with its journal entry; and postings compared as sets.

The comparison of postings with their entry's body is the one of 0006, as one set less another: PostgreSQL hashes both,
where it compared each posting with each line of the batch.
"""

from alembic import op

from migrations.ddl import append_only, readable

revision = "0013"
down_revision = "0012"

COMPARED = """
    CREATE OR REPLACE FUNCTION tieout.postings_match_the_body() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE stray record;
    BEGIN
        SELECT a.entry, a.line INTO stray FROM (
            SELECT entry, line::bigint AS line, account, amount, obligation, "grant", meter, model, rated_line,
                to_char(service_from, 'YYYY-MM-DD') AS service_from, to_char(service_until, 'YYYY-MM-DD')
            FROM added
            EXCEPT
            SELECT e.key, said.line, said.posting ->> 'account', (said.posting ->> 'amount')::numeric,
                said.posting ->> 'obligation', said.posting ->> 'grant', said.posting ->> 'meter',
                said.posting ->> 'model', said.posting ->> 'rated_line', said.posting ->> 'service_from',
                said.posting ->> 'service_until'
            FROM tieout.journal_entries e,
                jsonb_array_elements(e.body::jsonb -> 'postings') WITH ORDINALITY AS said (posting, line)
            WHERE e.key = ANY (ARRAY(SELECT DISTINCT entry FROM added))
        ) a LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'posting % of entry % is not what the entry says', stray.line, stray.entry
                USING ERRCODE = 'TIE03';
        END IF;
        RETURN NULL;
    END $$
"""

TABLES = (
    """
    CREATE TABLE tieout.booked_events (
        position bigint GENERATED ALWAYS AS IDENTITY,
        contract text NOT NULL,
        id text NOT NULL,
        kind text NOT NULL,
        customer text NOT NULL,
        happened_on date NOT NULL,
        fingerprint tieout.sha256 NOT NULL CHECK (fingerprint = tieout.fingerprint_of(body)),
        body text NOT NULL,
        proposal text NOT NULL REFERENCES tieout.decisions (id),
        approval text NOT NULL REFERENCES tieout.decisions (id),
        proposed_by text NOT NULL REFERENCES tieout.people (id),
        approved_by text NOT NULL REFERENCES tieout.people (id),
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (contract, id),
        CONSTRAINT four_eyes CHECK (proposed_by <> approved_by),
        CONSTRAINT columns_say_what_the_body_says CHECK (
            body::jsonb ->> 'contract' = contract AND body::jsonb ->> 'id' = id AND body::jsonb ->> 'event' = kind
            AND body::jsonb ->> 'on' = to_char(happened_on, 'YYYY-MM-DD')
            AND coalesce(body::jsonb ->> 'by', proposed_by) = proposed_by
            AND coalesce(body::jsonb ->> 'approved_by', approved_by) = approved_by
        )
    )
    """,
    "CREATE INDEX booked_events_by_customer ON tieout.booked_events (customer, position)",
    *append_only("booked_events"),
    *readable("booked_events", "INSERT"),
    COMPARED,
)


def upgrade() -> None:
    """Make the table of booked events, and compare postings as sets."""
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Take the table back; the comparison stays, since what it refuses is the same."""
    op.execute("DROP TABLE tieout.booked_events")
