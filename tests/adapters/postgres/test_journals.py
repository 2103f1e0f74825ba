"""The journal as PostgreSQL keeps it: every refusal, from every role, the owner and the superuser included."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from activities.witness import heads_of, witness
from adapters.postgres.books import Books as BooksView
from adapters.postgres.journals import NOTHING_BEFORE, PostgresJournal
from models.books import Conflict
from models.journal import Account, JournalEntry, PeriodLocked
from models.value import canonical_json, fingerprint_of
from runtime.audit import chain_verified
from tests.adapters.postgres.rows import AT, an_entry
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack

ENTRY = """
    INSERT INTO tieout.journal_entries (position, key, rule, customer, contract, period, posted_on, currency, statement,
        accrued, preparer, recorded_at, fingerprint, body, previous_hash, hash)
    VALUES (1, %(key)s, %(rule)s, %(customer)s, %(contract)s, %(period)s, %(posted_on)s, %(currency)s, %(statement)s,
        false, 'raw', now(), %(fingerprint)s, %(body)s, repeat('0', 64), repeat('0', 64))
"""
POSTING = "INSERT INTO tieout.journal_postings (entry, line, currency, account, amount) VALUES (%s, %s, %s, %s, %s)"


def journal(database: Books) -> PostgresJournal:
    """Return the journal as the worker has it."""
    return PostgresJournal(database.as_role("worker"))


def write_raw(
    connection: psycopg.Connection, key: str, postings: list[tuple[str, str]], month: str = "2026-10", **other: str
) -> None:
    """Write an entry and its postings around our code: by SQL, as anyone with a connection could."""
    body = {
        "key": key, "rule": "B2", "customer": "acme", "contract": "c", "period": month, "posted_on": f"{month}-01",
        "currency": "USD", "statement": "s", "accrued": False,
        "postings": [{"account": account, "amount": amount} for account, amount in postings],
    }  # fmt: skip
    text = canonical_json(body)
    connection.execute(ENTRY, {**body, "body": text, "fingerprint": fingerprint_of(text), **other})
    for line, (account, amount) in enumerate(postings, 1):
        connection.execute(POSTING, (key, line, "USD", account, Decimal(amount)))


def refusal_of(database: Books, role: str | None, act: Callable[[psycopg.Connection], None]) -> str | None:
    """Return the code by which an act and its commit are refused."""
    with database.connect(role) as connection:
        try:
            act(connection)
            connection.commit()
        except psycopg.Error as refusal:
            connection.rollback()
            return refusal.sqlstate
    return None


def test_posting_twice_gives_one_entry(fresh_database: Books) -> None:
    book = journal(fresh_database)
    assert book.post([an_entry("k1"), an_entry("k2")], "system", AT) == 2
    assert book.post([an_entry("k2"), an_entry("k3"), an_entry("k3")], "system", AT) == 1
    assert [entry.key for entry in book.entries()] == ["k1", "k2", "k3"]
    assert book.entries("2026-10", "acme") == book.entries()
    assert book.entries("2026-11") == book.entries(customer="other") == ()


def test_a_key_with_other_substance_is_a_conflict_and_nothing_is_posted(fresh_database: Books) -> None:
    book = journal(fresh_database)
    book.post([an_entry("k1")], "system", AT)
    with pytest.raises(Conflict):
        book.post([an_entry("k0"), an_entry("k1", "9.99")], "system", AT)
    assert [entry.key for entry in book.entries()] == ["k1"]


def test_a_repeat_after_the_lock_is_the_entry_that_is_there(fresh_database: Books) -> None:
    book = journal(fresh_database)
    book.post([an_entry("k1")], "system", AT)
    book.lock("2026-10", "ann", "closed", AT)
    assert book.post([an_entry("k1")], "system", AT) == 0
    assert book.post([an_entry("k1", month="2026-11")], "system", AT) == 0


def test_many_writers_of_one_key_give_one_entry(fresh_database: Books) -> None:
    book, start = journal(fresh_database), threading.Barrier(4)

    def write(writer: int) -> int:
        start.wait()
        return book.post([an_entry("same"), an_entry(f"own-{writer}")], f"writer-{writer}", AT)

    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(write, range(4)))
    assert sum(new) == 5  # the shared key once, and four of their own
    state = book.verify_chain()
    assert (state.whole, state.entries) == (True, 5)


APPLICATION = ("worker", "console", "auditor", "portal", "rates")


@pytest.mark.parametrize("role", [None, "owner", *APPLICATION])
def test_3_nobody_changes_or_removes_an_entry(fresh_database: Books, role: str | None) -> None:
    journal(fresh_database).post([an_entry()], "system", AT)
    expected = "42501" if role in APPLICATION else "TIE01"
    for table in ("journal_entries", "journal_postings", "period_locks"):
        column = {"journal_entries": "preparer", "journal_postings": "meter", "period_locks": "reason"}[table]
        for statement in (
            f"UPDATE tieout.{table} SET {column} = 'x'",
            f"UPDATE tieout.{table} SET {column} = 'x' WHERE false",  # a statement that meets no row
            f"DELETE FROM tieout.{table}",
            f"TRUNCATE tieout.{table} CASCADE",
        ):
            assert refusal_of(fresh_database, role, lambda c, s=statement: c.execute(s)) == expected, statement  # type: ignore[misc]


@pytest.mark.parametrize("role", [one for one in APPLICATION if one != "worker"])
def test_only_the_worker_posts(database: Books, role: str) -> None:
    raw = lambda c: write_raw(c, f"raw-{role}", [("1110", "1.00"), ("4020", "-1.00")])  # noqa: E731
    assert refusal_of(database, role, raw) == "42501"
    lock = "INSERT INTO tieout.period_locks VALUES ('2031-01', 'eve', 'why not', now())"
    assert refusal_of(database, role, lambda c: c.execute(lock)) == "42501"  # type: ignore[arg-type]


@pytest.mark.parametrize("role", APPLICATION)
def test_no_application_role_switches_a_trigger_off(database: Books, role: str) -> None:
    for act in ("ALTER TABLE tieout.journal_entries DISABLE TRIGGER ALL", "SET session_replication_role = replica"):
        assert refusal_of(database, role, lambda c, s=act: c.execute(s)) == "42501"  # type: ignore[misc]


def test_the_same_key_by_hand_is_a_duplicate(fresh_database: Books) -> None:
    journal(fresh_database).post([an_entry("k1")], "system", AT)
    raw = lambda c: write_raw(c, "k1", [("1110", "1.00"), ("4020", "-1.00")])  # noqa: E731
    for role in (None, "owner", "worker"):
        assert refusal_of(fresh_database, role, raw) == "23505"


def test_3_a_replica_role_does_not_switch_the_refusals_off(fresh_database: Books) -> None:
    journal(fresh_database).post([an_entry()], "system", AT)

    def as_replica(connection: psycopg.Connection) -> None:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE tieout.journal_postings SET amount = amount * 2")

    assert refusal_of(fresh_database, None, as_replica) == "TIE01"


@pytest.mark.parametrize("role", [None, "owner", "worker"])
@pytest.mark.parametrize(
    ("postings", "code"),
    [
        ([("1110", "1.00"), ("4020", "-0.99")], "TIE03"),  # off by a cent
        ([("1110", "1.00")], "TIE03"),  # one side alone
        ([], "TIE03"),
        ([("1110", "1.004"), ("4020", "-1.004")], "23514"),  # finer than a cent
        ([("1110", "0"), ("4020", "0")], "23514"),
        ([("9999", "1.00"), ("4020", "-1.00")], "23514"),
    ],
)
def test_an_entry_that_does_not_balance_is_refused_at_commit(
    database: Books, role: str | None, postings: list[tuple[str, str]], code: str
) -> None:
    assert refusal_of(database, role, lambda connection: write_raw(connection, "raw", postings)) == code


def test_a_balanced_entry_written_by_hand_is_on_the_chain_like_any_other(fresh_database: Books) -> None:
    with fresh_database.connect("owner") as connection:
        write_raw(connection, "raw", [("1110", "1.00"), ("4020", "-1.00")])
    with fresh_database.connect("auditor") as connection:
        row = connection.execute("SELECT position, previous_hash, hash FROM tieout.journal_entries").fetchone()
    assert row is not None
    assert row[:2] == (1, NOTHING_BEFORE)  # what the writer claimed of its place was not taken
    assert row[2] == journal(fresh_database).head() != NOTHING_BEFORE


def test_nothing_is_added_to_an_entry_later(fresh_database: Books) -> None:
    journal(fresh_database).post([an_entry()], "system", AT)

    def add(connection: psycopg.Connection) -> None:
        connection.execute(POSTING, ("k1", 3, "USD", "1110", 5))
        connection.execute(POSTING, ("k1", 4, "USD", "4020", -5))

    assert refusal_of(fresh_database, None, add) == "TIE03"


def test_columns_say_what_the_body_says(database: Books) -> None:
    def lie(connection: psycopg.Connection) -> None:
        write_raw(connection, "lie", [("1110", "1.00"), ("4020", "-1.00")], customer="other")

    assert refusal_of(database, None, lie) == "23514"
    wrong = lambda c: write_raw(c, "lie", [("1110", "1.00"), ("4020", "-1.00")], fingerprint="0" * 64)  # noqa: E731
    assert refusal_of(database, None, wrong) == "23514"


def test_a_second_currency_does_not_get_into_an_entry(database: Books) -> None:
    def mix(connection: psycopg.Connection) -> None:
        write_raw(connection, "mix", [("1110", "1.00"), ("4020", "-1.00")])
        connection.execute(POSTING, ("mix", 3, "EUR", "1110", 1))

    assert refusal_of(database, None, mix) == "23503"


@pytest.mark.parametrize("role", [None, "owner", "worker"])
def test_5_a_locked_period_takes_nothing_whatever_the_route(fresh_database: Books, role: str | None) -> None:
    book = journal(fresh_database)
    book.lock("2026-10", "ann", "closed", AT)
    book.lock("2026-10", "bob", "again", AT)  # the first lock stands
    with pytest.raises(PeriodLocked):
        book.post([an_entry()], "system", AT)
    raw = lambda c: write_raw(c, "raw", [("1110", "1.00"), ("4020", "-1.00")])  # noqa: E731
    assert refusal_of(fresh_database, role, raw) == "TIE02"
    assert (book.locked("2026-10"), book.locked("2026-11"), book.open_month("2026-10")) == (True, False, "2026-11")
    with fresh_database.connect("auditor") as connection:
        assert connection.execute("SELECT locked_by FROM tieout.period_locks").fetchall() == [("ann",)]


def test_a_lock_waits_for_entries_under_way(fresh_database: Books) -> None:
    book = journal(fresh_database)
    with fresh_database.connect("worker") as writer, ThreadPoolExecutor(1) as pool:
        write_raw(writer, "raw", [("1110", "1.00"), ("4020", "-1.00")])
        locking = pool.submit(book.lock, "2026-10", "ann", "closed", AT)
        with pytest.raises(TimeoutError):
            locking.result(0.2)
        writer.commit()
        locking.result(5)
    assert [line.key for line in BooksView(fresh_database.as_role("auditor")).journal()] == ["raw", "raw"]


def test_the_chain_names_the_first_entry_that_differs(fresh_database: Books) -> None:
    book = journal(fresh_database)
    book.post([an_entry(f"k{n}") for n in range(1, 6)], "system", AT)
    assert book.verify_chain().whole

    def tamper(statement: str) -> str | None:
        """Change what the triggers protect, as only one who switches them off can; look; change it back."""
        with fresh_database.connect() as connection:
            for table in ("journal_entries", "journal_postings"):
                connection.execute(f"ALTER TABLE tieout.{table} DISABLE TRIGGER USER")
            connection.execute(statement)
            connection.commit()
        return book.verify_chain().first_difference

    assert tamper("UPDATE tieout.journal_postings SET amount = amount * 2 WHERE entry = 'k4'") == "k4"
    assert tamper("UPDATE tieout.journal_entries SET preparer = 'eve' WHERE key = 'k3'") == "k3"
    body = json.loads(an_entry("k2").canonical()) | {"description": "another story"}
    text = canonical_json(body)
    told = f"body = '{text}', fingerprint = '{fingerprint_of(text)}'"
    assert tamper(f"UPDATE tieout.journal_entries SET {told} WHERE key = 'k2'") == "k2"
    assert (
        tamper(
            "UPDATE tieout.journal_entries SET hash = tieout.link_hash(previous_hash, recorded_at, preparer, body)"
            " WHERE key = 'k2'"
        )
        == "k3"  # k2 was hashed anew, so what follows it does not follow
    )
    tamper("DELETE FROM tieout.journal_postings WHERE entry = 'k1'")
    assert tamper("DELETE FROM tieout.journal_entries WHERE key = 'k1'") == "k2"
    assert "missing" in book.verify_chain().reason


REWRITTEN = """
    DO $$ DECLARE one record; last text := repeat('0', 64);
    BEGIN
        FOR one IN SELECT * FROM tieout.journal_entries ORDER BY position LOOP
            UPDATE tieout.journal_entries SET previous_hash = last,
                hash = tieout.link_hash(last, recorded_at, preparer, body) WHERE key = one.key RETURNING hash INTO last;
        END LOOP;
    END $$
"""


class Kept:
    """What a store under retention keeps: the first writer's bytes."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def put(self, key: str, body: bytes, content_type: str = "") -> str:
        self.held.setdefault(key, body)
        return key

    def get(self, uri: str) -> bytes:
        return self.held[uri]

    def uris(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(key for key in self.held if key.startswith(prefix)))


def superuser(database: Books, *statements: str) -> None:
    """Do what only one who switches triggers off can do."""
    with database.connect() as connection:
        for table in ("journal_entries", "journal_postings"):
            connection.execute(f"ALTER TABLE tieout.{table} DISABLE TRIGGER USER")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_journal_that_is_rewritten_whole_is_found_out_by_the_heads_kept_at_each_lock(fresh_database: Books) -> None:
    book, store = journal(fresh_database), Kept()
    book.post([an_entry(f"k{n}") for n in range(1, 4)], "system", AT)
    witness(store, book, "2026-10", AT)  # type: ignore[arg-type]
    book.post([an_entry(f"n{n}", month="2026-11") for n in range(1, 3)], "system", AT)
    witness(store, book, "2026-11", AT)  # type: ignore[arg-type]
    witness(store, book, "2026-11", AT + timedelta(days=1))  # type: ignore[arg-type]  # again: nothing new
    heads = heads_of(store)  # type: ignore[arg-type]
    assert [len(head.links) for head in heads] == [3, 2]
    state = book.verify_chain(heads)
    assert (state.whole, state.entries, state.witnessed) == (True, 5, 5)
    body = json.loads(an_entry("k2").canonical()) | {"description": "another story"}
    text = canonical_json(body)
    told = f"body = '{text}', fingerprint = '{fingerprint_of(text)}'"
    superuser(fresh_database, f"UPDATE tieout.journal_entries SET {told} WHERE key = 'k2'", REWRITTEN)
    assert book.verify_chain().whole  # by itself the chain looks whole again
    state = book.verify_chain(heads)
    assert (state.first_difference, "witnessed" in state.reason) == ("k2", True)


def test_entries_that_are_cut_off_the_end_are_missed(fresh_database: Books) -> None:
    book, store = journal(fresh_database), Kept()
    book.post([an_entry(f"k{n}") for n in range(1, 4)], "system", AT)
    witness(store, book, "2026-10", AT)  # type: ignore[arg-type]
    for table, column in (("journal_postings", "entry"), ("journal_entries", "key")):
        superuser(fresh_database, f"DELETE FROM tieout.{table} WHERE {column} = 'k3'")
    assert book.verify_chain().whole
    state = book.verify_chain(heads_of(store))  # type: ignore[arg-type]
    assert (state.first_difference, "gone" in state.reason) == ("k3", True)
    assert chain_verified(state).differing


def test_the_journal_is_read_in_both_times(fresh_database: Books) -> None:
    book, view = journal(fresh_database), BooksView(fresh_database.as_role("auditor"))
    book.post([an_entry("early", "10.00")], "system", AT)  # effective on 1 October
    book.post([an_entry("november", "5.00", month="2026-11")], "system", AT)
    book.post([an_entry("late", "2.00")], "system", AT + timedelta(days=9))  # of 1 October too, known later

    def usage(**times: object) -> Decimal:
        rows = view.trial_balance(**times)  # type: ignore[arg-type]
        return -sum((row.balance for row in rows if row.account is Account.USAGE), Decimal(0))

    october, known = date(2026, 10, 31), AT + timedelta(days=1)
    assert usage() == Decimal("17.00")
    assert usage(as_of=october) == Decimal("12.00")
    assert usage(known_at=known) == Decimal("15.00")
    assert usage(as_of=october, known_at=known) == Decimal("10.00")
    assert {line.key for line in view.journal(as_of=october, known_at=known)} == {"early"}


def test_the_journal_as_it_was_known(fresh_database: Books) -> None:
    book, view = journal(fresh_database), BooksView(fresh_database.as_role("auditor"))
    book.post([an_entry("k1", "10.00")], "system", AT)
    book.post([an_entry("k2", "5.00")], "system", AT + timedelta(days=9))
    then = AT + timedelta(days=1)
    assert [entry.key for entry in book.entries(known_at=then)] == ["k1"]
    assert {row.account: row.balance for row in view.trial_balance(known_at=then)} == {
        Account.UNBILLED: Decimal("10.00"),
        Account.USAGE: Decimal("-10.00"),
    }
    assert {row.account: row.balance for row in view.trial_balance("2026-10")} == {
        Account.UNBILLED: Decimal("15.00"),
        Account.USAGE: Decimal("-15.00"),
    }
    assert view.trial_balance("2026-09") == view.trial_balance(first="2026-11") == ()


def test_an_entry_of_three_decimal_currency_keeps_them(fresh_database: Books) -> None:
    dollars = an_entry()
    dinars = tuple(
        posting.model_copy(update={"amount": Decimal(amount)})
        for posting, amount in zip(dollars.postings, ("0.823", "-0.823"), strict=True)
    )
    entry = JournalEntry.model_validate({**dict(dollars), "currency": "KWD", "postings": dinars})
    book = journal(fresh_database)
    book.post([entry], "system", AT)
    assert book.entries() == (entry,)
    assert [line.amount for line in BooksView(fresh_database.as_role("auditor")).journal()] == [
        Decimal("0.823"),
        Decimal("-0.823"),
    ]


def test_an_accrual_and_the_closes_own_entry_cannot_both_stand(fresh_database: Books) -> None:
    earned = an_entry("2026-10@1/acme-2026/B2").model_copy(update={"close_run": "2026-10@1", "contract": "acme-2026"})
    accrued = earned.model_copy(update={"key": "2026-10@1/acme-2026/B2/accrued", "accrued": True})
    assert journal(fresh_database).post([accrued], "system", AT) == 1
    with pytest.raises(IntegrityError, match="earned_once"):
        journal(fresh_database).post([earned], "system", AT)
    assert [entry.key for entry in journal(fresh_database).entries()] == [accrued.key]
