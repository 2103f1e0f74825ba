"""Index: the catalog in memory, both times of it, brought up to date when its head moves."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from billing.rating.rates import RateBook
from models.rate_change import KnownRate

NEVER = datetime.min.replace(tzinfo=UTC)


class Catalog(Protocol):
    """What the index is made from (`adapters.postgres.catalog.PostgresCatalog`)."""

    def head(self) -> int:
        """Return the position of the row appended last."""
        ...

    def rows(self, after: int = 0) -> tuple[KnownRate, ...]:
        """Return every row of the subjects that have one after a position."""
        ...


@dataclass(frozen=True, slots=True)
class Edition:
    """The whole catalog at one head. It never changes; a change of the catalog is another edition."""

    head: int
    by_subject: dict[str, tuple[KnownRate, ...]]  # by subject in order, each by start and the order it was known
    by_id: dict[str, tuple[KnownRate, ...]]  # what was known under one id, oldest first
    book: RateBook  # of what is known now
    newest: datetime  # when the row appended last was recorded

    def present(self, now: datetime) -> datetime:
        """Return now, or when the newest row was recorded where that clock is ahead: what is there is known."""
        return max(now, self.newest)

    def book_known_at(self, at: datetime | None) -> RateBook:
        """Return the versions as known at an instant; now for None."""
        return self.book if at is None else _book_known_at(self, at)

    def __hash__(self) -> int:
        return hash(self.head)

    def __eq__(self, other: object) -> bool:
        return self is other


@lru_cache(maxsize=8)
def _book_known_at(edition: Edition, at: datetime) -> RateBook:
    return RateBook.of(one.version for rows in edition.by_subject.values() for one in rows if one.known(at))


class Index:
    """Hands out the edition of the catalog's present head; only what moved is read again."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._edition = _edition(0, {})

    def edition(self) -> Edition:
        """Return the catalog as it is now: one short question to the books tells whether it moved."""
        head = self._catalog.head()
        if head == self._edition.head:
            return self._edition
        with self._lock:
            if head > self._edition.head:
                moved = _grouped(self._catalog.rows(self._edition.head))
                self._edition = _edition(
                    max(row.position for rows in moved.values() for row in rows), {**self._edition.by_subject, **moved}
                )
            return self._edition


def _edition(head: int, by_subject: dict[str, tuple[KnownRate, ...]]) -> Edition:
    ordered = dict(sorted(by_subject.items()))
    by_id: dict[str, list[KnownRate]] = {}
    for rows in ordered.values():
        for row in rows:
            by_id.setdefault(row.version.id, []).append(row)
    return Edition(
        head=head,
        by_subject=ordered,
        by_id={key: tuple(sorted(rows, key=lambda row: row.position)) for key, rows in by_id.items()},
        newest=max((row.recorded_at for rows in ordered.values() for row in rows), default=NEVER),
        book=RateBook.of(row.version for rows in ordered.values() for row in rows if row.recorded_until is None),
    )


def _grouped(rows: Iterable[KnownRate]) -> dict[str, tuple[KnownRate, ...]]:
    found: dict[str, list[KnownRate]] = {}
    for row in rows:
        found.setdefault(row.version.subject, []).append(row)
    return {
        subject: tuple(sorted(group, key=lambda row: (row.version.starts_at, row.position)))
        for subject, group in found.items()
    }
