"""Canonical text: one text for equal content, and none for a float, wherever it hides."""

import importlib
import inspect
import pkgutil
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from models.value import Value, _may_hold_floats, canonical_json


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


class Hidden(Value):
    """A value in whose midst a float may be."""

    it: dict[str, tuple[Decimal | float, ...]] = {}
    next: "Hidden | None" = None


def test_a_kind_that_may_hold_a_float_in_its_midst_is_looked_at() -> None:
    assert Hidden(it={"a": (Decimal("1.5"),)}).canonical() == '{"it":{"a":["1.5"]},"next":null}'
    with pytest.raises(TypeError, match="a float"):
        Hidden(next=Hidden(it={"a": (1.5,)})).canonical()


def test_no_noun_of_the_house_may_hold_a_float() -> None:
    nouns = [
        noun
        for module in pkgutil.walk_packages(models.__path__, "models.")
        for noun in vars(importlib.import_module(module.name)).values()
        if inspect.isclass(noun) and issubclass(noun, Value)
    ]
    assert len(nouns) > 100
    assert [noun.__name__ for noun in nouns if _may_hold_floats(noun)] == []
