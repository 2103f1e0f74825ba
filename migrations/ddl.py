"""Pieces of DDL that several versions share; what they say is part of those versions and is not changed afterwards."""

from collections.abc import Iterator

from migrations.roles import AUDITOR, CONSOLE, OWNER, PORTAL, WORKER

STAFF = ", ".join((OWNER, WORKER, CONSOLE, AUDITOR))


def append_only(table: str) -> Iterator[str]:
    """Yield what makes a table refuse UPDATE, DELETE and TRUNCATE from everyone, the owner included.

    A row trigger alone lets a statement that meets no row pass, and TRUNCATE has none; ALWAYS keeps them on under
    `session_replication_role = replica`.
    """
    for name, events, level in (
        ("each_row_stays", "UPDATE OR DELETE", "ROW"),
        ("rows_stay", "UPDATE OR DELETE OR TRUNCATE", "STATEMENT"),
    ):
        yield (
            f"CREATE TRIGGER {name} BEFORE {events} ON tieout.{table} "
            f"FOR EACH {level} EXECUTE FUNCTION tieout.refuse_change()"
        )
        yield f"ALTER TABLE tieout.{table} ENABLE ALWAYS TRIGGER {name}"


def readable(table: str, *extra: str) -> Iterator[str]:
    """Yield the grants by which worker, console and auditor read a table; `extra` adds what the worker may write."""
    yield f"GRANT SELECT ON tieout.{table} TO {WORKER}, {CONSOLE}, {AUDITOR}"
    if extra:
        yield f"GRANT {', '.join(extra)} ON tieout.{table} TO {WORKER}"


def own_rows(table: str) -> Iterator[str]:
    """Yield what lets the portal read one customer's rows, those of the setting `tieout.customer`, and no other."""
    yield f"ALTER TABLE tieout.{table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE tieout.{table} FORCE ROW LEVEL SECURITY"
    yield f"CREATE POLICY staff ON tieout.{table} TO {STAFF} USING (true) WITH CHECK (true)"
    yield (
        f"CREATE POLICY own ON tieout.{table} FOR SELECT TO {PORTAL} "
        "USING (customer = current_setting('tieout.customer', true))"
    )
    yield f"GRANT SELECT ON tieout.{table} TO {PORTAL}"
