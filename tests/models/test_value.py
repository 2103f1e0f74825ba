"""Canonical text: one text for equal content, and none for a float, wherever it hides."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.value import Value, canonical_json


class Anything(Value):
    """A value that holds whatever it is given."""

    it: Any


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a:1.5,[e"\\-', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_the_text_is_the_one_of_its_content_however_it_looks(content: Any) -> None:
    assert Anything(it=content).canonical() == canonical_json({"it": content})


@given(plain, st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["alone", "listed", "named"]))
def test_a_float_is_refused_wherever_it_is(content: Any, number: float, where: str) -> None:
    held = {"alone": number, "listed": [content, number], "named": {"a": content, "b": {"c": number}}}[where]
    with pytest.raises(TypeError, match="a float"):
        Anything(it=held).canonical()
