"""Two apps at one address: the API has its own paths, and everything else is the pages'."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from web.neighbour import Beside


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("/v1/overview", "api"),
        ("/openapi.json", "api"),
        ("/", "pages"),
        ("/v1", "pages"),
        ("/v10/x", "pages"),
        ("/x/v1/overview", "pages"),
        ("/x/openapi.json", "pages"),
    ],
)
def test_a_path_is_answered_by_whose_it_is(path: str, whose: str) -> None:
    client = TestClient(Beside(PlainTextResponse("pages"), PlainTextResponse("api")))
    assert client.get(path).text == whose
