"""Journal: entries posted and verified a second, beside a bare COPY of the same rows and bean-check of the same ledger.

The bare COPY goes into tables without a key, trigger or hash: what nobody could audit. `python -m benchmarks.journal`.
"""

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from sqlalchemy import make_url

from adapters.general_ledger.beancount import write_beancount
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.sessions import Database
from devstack.postgres import Postgres
from devstack.state import State
from migrations.roles import role_url
from migrations.upgrade import upgrade
from models.journal import Account, JournalEntry, Posting, Rule
from runtime import exports

AT = datetime(2026, 11, 2, tzinfo=UTC)
CHUNK = 1_000
"""Entries of one transaction; a close posts a customer's at a time."""


def entries(count: int) -> list[JournalEntry]:
    """Return so many entries of two postings, each of its own customer's usage."""
    return [
        JournalEntry(
            key=f"2026-10@1/bench-{number:06}/B2", rule=Rule.B2, customer=f"bench-{number % 1000:04}",
            contract=f"bench-{number % 1000:04}-2026", period="2026-10", posted_on=date(2026, 10, 31), currency="USD",
            description="Usage of the month", statement="f" * 64,
            postings=(
                Posting(account=Account.UNBILLED, amount=Decimal(number % 9973 + 1) / 100, obligation="usage"),
                Posting(account=Account.USAGE, amount=-Decimal(number % 9973 + 1) / 100, obligation="usage"),
            ),
        )
        for number in range(count)
    ]  # fmt: skip


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Return seconds of posting, verifying, the bare COPY and bean-check over so many entries."""
    made = entries(count)
    server = Postgres(State(folder))
    server.start()
    try:
        upgrade(server.url)
        book = PostgresJournal(Database(role_url(server.url, "worker")))
        posted = _seconds(lambda: [book.post(made[at : at + CHUNK], "bench", AT) for at in range(0, count, CHUNK)])
        verified = _seconds(lambda: _verify(book, count))
        copied = _seconds(lambda: _copy(server.url, made))
        book.database.dispose()
    finally:
        server.stop()
    ledger = write_beancount(folder, made)
    checked = _seconds(lambda: _check(ledger))
    return {"entries": count, "post": posted, "verify": verified, "copy": copied, "bean_check": checked}


def rows(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return the rows of the table: what, ours, the least, the ratio."""
    count = found["entries"]

    def rate(name: str) -> str:
        return f"{count / found[name]:,.0f}/s"

    posting, verifying = found["post"] / found["copy"], found["verify"] / found["bean_check"]
    return [
        (f"journal: {count:,} entries posted; bare COPY", rate("post"), rate("copy"), f"{posting:.1f} x"),
        ("journal: verified; bean-check alone", rate("verify"), rate("bean_check"), f"{verifying:.2f} x"),
    ]


def _seconds(act: Any) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _verify(book: PostgresJournal, count: int) -> None:
    state = book.verify_chain()
    if not state.whole or state.entries != count:
        raise RuntimeError(f"the journal is not whole: {state}")


def _copy(url: str, made: Sequence[JournalEntry]) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute(
            "CREATE TABLE bare_entries (key text, customer text, period text, posted_on date, body text)"
        )
        connection.execute("CREATE TABLE bare_postings (entry text, line int, account text, amount numeric)")
        cursor = connection.cursor()
        with cursor.copy("COPY bare_entries FROM STDIN") as copy:
            for one in made:
                copy.write_row((one.key, one.customer, one.period, one.posted_on, one.canonical()))
        with cursor.copy("COPY bare_postings FROM STDIN") as copy:
            for one in made:
                for line, posting in enumerate(one.postings, 1):
                    copy.write_row((one.key, line, posting.account.value, posting.amount))


def _check(ledger: Path) -> None:
    [said] = exports.check([ledger])
    if said.accepted is False:
        raise RuntimeError(said.words)


def main(count: Annotated[int, typer.Option(help="Entries.")] = 100_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        for row in rows(measure(Path(folder), count)):
            print("  ".join(row))


if __name__ == "__main__":
    typer.run(main)
