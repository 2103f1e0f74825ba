"""Pages of any size, put together, are the list; what is added meanwhile moves nothing that was not read yet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages import Cursor, Paging, count_place, page_of
from api.problem import Problem

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=3)  # no row has a NUL
ROWS = st.lists(st.tuples(NAMES, st.integers(0, 50)), unique=True, max_size=30)


def place(row: tuple[str, int]) -> tuple[str, ...]:
    return row[0], count_place(row[1])


def page(rows: list[Any], word: str | None, limit: int, newest_first: bool) -> tuple[tuple[Any, ...], str | None]:
    asked = Paging(cursor=Cursor.from_word(word) if word else None, limit=limit)
    return page_of(rows, place, asked, newest_first)


@given(ROWS, st.integers(1, 7), st.booleans())
def test_the_pages_are_the_list(rows: list[tuple[str, int]], limit: int, newest_first: bool) -> None:
    found: list[Any] = []
    word: str | None = None
    while True:
        part, word = page(rows, word, limit, newest_first)
        assert len(part) <= limit
        found += part
        if word is None:
            break
        assert part
    assert found == sorted(rows, reverse=newest_first)


@given(ROWS, ROWS, st.integers(1, 7), st.booleans())
def test_what_is_added_between_pages_neither_repeats_nor_hides_a_row(
    rows: list[tuple[str, int]], added: list[tuple[str, int]], limit: int, newest_first: bool
) -> None:
    first, word = page(rows, None, limit, newest_first)
    rest: list[Any] = []
    grown = list({*rows, *added})
    while word is not None:
        part, word = page(grown, word, limit, newest_first)
        rest += part
    found = [*first, *rest]
    assert len(found) == len(set(found))
    assert set(rows) <= set(found)
    assert set(found) <= set(grown)


@given(st.text(max_size=40))
def test_a_word_of_nobodys_is_refused(word: str) -> None:
    if word and word not in {Cursor(after=("a",)).text()}:
        with pytest.raises(Problem):
            Cursor.from_word(word)


def test_a_cursor_in_both_times_is_none_of_a_plain_list() -> None:
    timed = Cursor(after=("a",), known_at="2026-11-24T00:00:00Z").text()
    assert Cursor.from_word(timed, timed=True).after == ("a",)
    for word, of in (
        (timed, False),
        (Cursor(after=("a",)).text(), True),
        (Cursor(after=("a",), known_at="x").text(), True),
    ):
        with pytest.raises(Problem):
            Cursor.from_word(word, timed=of)
