"""A key may ask so often a minute; each answer tells how often still, and another key is not held back by it."""

import re

import pytest

from api.limiting import MOST_BYTES, Limits
from tests.api.world import customers_app, program
from tests.web.conftest import World

pytestmark = pytest.mark.stack


def test_who_asks_too_often_is_told_when_to_come_again(filled: World) -> None:
    app = customers_app(filled, Limits(reads=3, writes=1))
    acme, other = program(filled, app=app), program(filled, app=app)
    left = [acme.get("/v1/key").headers["ratelimit"] for _ in range(3)]
    assert [re.sub(r"t=\d+", "t=", one) for one in left] == [f'"read";r={n};t=' for n in (2, 1, 0)]
    answer = acme.get("/v1/key")
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:tieout:problem:too_many")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit-policy"] == '"read";q=3;w=60'
    assert answer.headers["ratelimit"].startswith('"read";r=0;t=')
    assert other.get("/v1/key").status_code == 200


def test_writes_are_counted_apart_and_one_refused_is_not_done(filled: World) -> None:
    acme = program(filled, app=customers_app(filled, Limits(reads=10, writes=1)))
    assert acme.post("/v1/alerts", {"threshold": "5"}, key="one").status_code == 200
    assert acme.post("/v1/alerts", {"threshold": "6"}, key="two").status_code == 429
    assert len(acme.pages("/v1/alerts")) == 1


def test_a_body_longer_than_any_of_ours_is_not_read(filled: World) -> None:
    acme = program(filled)
    answer = acme.client.post("/v1/alerts", content=b"x" * (MOST_BYTES + 1), headers=acme.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    answer = acme.client.post("/v1/alerts", content=iter([b"x"]), headers=acme.headers)
    assert answer.status_code == 411
