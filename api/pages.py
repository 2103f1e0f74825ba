"""Pages: a cursor names the place after which the next page begins; what is added or ends meanwhile moves nothing."""

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Generic, Self, TypeVar

from fastapi import Depends, Query
from pydantic import Field

from api.problem import Problem
from models.value import Frozen, Value

MOST = 1000
T = TypeVar("T")


class Cursor(Value):
    """Where a page ended; of a list in both times, also as known at which instant its first page was made."""

    after: tuple[str, ...] = Field(min_length=1)
    known_at: str | None = None

    def text(self) -> str:
        """Return it as an opaque word for a URL."""
        return base64.urlsafe_b64encode(self.canonical().encode()).decode().rstrip("=")

    @classmethod
    def from_word(cls, word: str, timed: bool = False) -> Self:
        """Return the cursor of a word we gave out, with an instant for a timed list only; raises Problem on others."""
        try:
            cursor = cls.from_text(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode())
            known = cursor.known_at is not None and datetime.fromisoformat(cursor.known_at).tzinfo is not None
        except (ValueError, binascii.Error) as error:
            raise none_of_ours() from error
        if known is not timed or any("\x00" in part for part in cursor.after):
            raise none_of_ours()
        return cursor


class Page(Frozen, Generic[T]):
    """A part of a list in its order."""

    items: tuple[T, ...]
    next: str | None = Field(description="cursor of the next page, for the same filters; null on the last")


class Paging(Frozen):
    """Which page is asked for."""

    cursor: Cursor | None
    limit: int


def paging(
    cursor: Annotated[str | None, Query(min_length=1, max_length=2000, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Paging:
    """Return which page is asked for; raises Problem."""
    return Paging(cursor=Cursor.from_word(cursor) if cursor is not None else None, limit=limit)


AsPages = Annotated[Paging, Depends(paging)]
"""A list takes this."""


def page_of(
    rows: Iterable[T], place: Callable[[T], tuple[str, ...]], asked: Paging, newest_first: bool = False
) -> tuple[tuple[T, ...], str | None]:
    """Return a page of rows in the order of their places, and the next one's cursor; no two rows have one place."""
    placed = sorted(((place(row), row) for row in rows), key=lambda one: one[0], reverse=newest_first)
    if asked.cursor is not None:
        after = asked.cursor.after
        placed = [one for one in placed if (one[0] < after if newest_first else one[0] > after)]
    page = placed[: asked.limit]
    more = len(placed) > len(page)
    return tuple(row for _, row in page), Cursor(after=page[-1][0]).text() if more else None


def at_place(at: datetime) -> str:
    """Return an instant as a text that sorts as instants do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def count_place(number: int) -> str:
    """Return a whole number from 0 on as a text that sorts as numbers do."""
    return f"{number:020}"


def none_of_ours() -> Problem:
    """Return the answer to a cursor we did not give out."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", "this cursor is none of ours")
