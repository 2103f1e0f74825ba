"""What holds for every question of both APIs, by their OpenAPI pages: keys, writes once, pages, exact decimals."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from api.customers.app import customers_of
from api.customers.callers import Door as CustomersDoor
from api.finance.app import finance_of
from api.finance.callers import Door as FinanceDoor

PAGES = {
    "customers": customers_of(cast(CustomersDoor, None)).openapi(),
    "finance": finance_of(cast(FinanceDoor, None)).openapi(),
}
"""Of apps that stand on nothing: their pages need no door."""


def questions(page: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of every question."""
    for path, methods in page["paths"].items():
        for method, said in methods.items():
            yield method, path, said


def parameters(said: dict[str, Any], place: str) -> dict[str, bool]:
    """Return the parameters of a place, and whether each is required."""
    return {one["name"]: one["required"] for one in said.get("parameters", ()) if one["in"] == place}


@pytest.mark.parametrize("api", PAGES)
def test_every_question_needs_a_key_and_says_how_it_is_refused(api: str) -> None:
    for method, path, said in questions(PAGES[api]):
        assert path.startswith("/v1/"), path
        assert said["security"] == [{"HTTPBearer": []}], path
        assert {"401", "403", "404", "422", "429", "503"} <= set(said["responses"]), (method, path)


@pytest.mark.parametrize("api", PAGES)
def test_every_write_has_its_key_and_no_question_has_one(api: str) -> None:
    methods = set()
    for method, path, said in questions(PAGES[api]):
        methods.add(method)
        assert parameters(said, "header") == ({"Idempotency-Key": True} if method == "post" else {}), path
    assert methods == {"get", "post"}


@pytest.mark.parametrize("api", PAGES)
def test_every_list_has_pages_and_nothing_else_has(api: str) -> None:
    lists = 0
    for method, path, said in questions(PAGES[api]):
        schema = said["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        paged = "/Page_" in schema.get("$ref", "")
        lists += paged
        assert ({"limit", "cursor"} <= set(parameters(said, "query"))) == paged, path
        assert method == "get" or not paged, path
    assert lists > 8


@pytest.mark.parametrize("api", PAGES)
def test_no_answer_holds_a_number_that_is_not_whole(api: str) -> None:
    assert {"type": "number"} not in list(parts(PAGES[api]))


def parts(content: Any) -> Iterator[Any]:
    """Yield what every place of a page says of its type."""
    if isinstance(content, dict):
        yield {"type": content.get("type")}
        for part in content.values():
            yield from parts(part)
    elif isinstance(content, list):
        for part in content:
            yield from parts(part)
