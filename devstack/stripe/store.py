"""What the double knows, in one SQLite file: a kill between two requests loses nothing that was answered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]
EMAIL = "json_extract(body, '$.email')"  # a column as good as the others, with an index of its own

TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, parent TEXT, position INTEGER NOT NULL DEFAULT 0, status TEXT, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS customers_by_email ON objects (json_extract(body, '$.email'), seq) WHERE kind = 'customer';
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (customer, kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (parent, kind, position);
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, saved_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, idempotency_key TEXT, replayed INTEGER NOT NULL, fault TEXT
);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL, due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, delivered_at REAL
);
"""


class Store:
    """The double's objects and what it remembers about requests.

    One connection, one writer: requests are served in turn.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.sql = sqlite3.connect(file, isolation_level=None)
        self.sql.row_factory = sqlite3.Row
        self.sql.execute("PRAGMA journal_mode=WAL")
        self.sql.execute("PRAGMA synchronous=NORMAL")
        self.sql.executescript(TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block did, or nothing of it when it raises."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Inside a transaction, undo what the block did when it raises."""
        self.sql.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK TO attempt")
            self.sql.execute("RELEASE attempt")
            raise
        self.sql.execute("RELEASE attempt")

    def add(
        self, thing: Mapping[str, Any], *, parent: str | None = None, position: int = 0, status: str | None = None
    ) -> None:
        """Keep a new object; its `object`, `created`, `customer` and `status` (or the one given) become columns."""
        self.sql.execute(
            "INSERT INTO objects (id, kind, created, customer, parent, position, status, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                thing["id"],
                thing["object"],
                thing["created"],
                thing.get("customer"),
                parent,
                position,
                status or thing.get("status"),
                json.dumps(thing),
            ),
        )

    def change(self, thing: Mapping[str, Any]) -> None:
        """Keep an object's new content."""
        self.sql.execute(
            "UPDATE objects SET status = ?, body = ? WHERE id = ?",
            (thing.get("status"), json.dumps(thing), thing["id"]),
        )

    def place(self, identifier: str, parent: str | None, position: int) -> None:
        """Put an object under a parent at a position, or under none."""
        self.sql.execute("UPDATE objects SET parent = ?, position = ? WHERE id = ?", (parent, position, identifier))

    def remove(self, identifier: str) -> None:
        """Forget an object."""
        self.sql.execute("DELETE FROM objects WHERE id = ?", (identifier,))

    def find(self, kind: str, identifier: str) -> Json | None:
        """Return the object of this kind and id, or None."""
        row = self.sql.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (identifier, kind)).fetchone()
        return None if row is None else _body(row)

    def children(self, kind: str, parent: str) -> list[Json]:
        """Return the objects of a kind under a parent, by position."""
        rows = self.sql.execute(
            "SELECT body FROM objects WHERE parent = ? AND kind = ? ORDER BY position, seq", (parent, kind)
        ).fetchall()
        return [_body(row) for row in rows]

    def all(self, kind: str) -> list[Json]:
        """Return every object of a kind, oldest first."""
        return [_body(row) for row in self.sql.execute("SELECT body FROM objects WHERE kind = ? ORDER BY seq", (kind,))]

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are."""
        return int(self.sql.execute("SELECT count(*) FROM objects WHERE kind = ?", (kind,)).fetchone()[0])


def _body(row: sqlite3.Row) -> Json:
    body: Json = json.loads(row["body"])
    return body
