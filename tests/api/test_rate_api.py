"""The rate API over a catalog in memory: filters, both times, pages, quotes, keys, problems."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from api.app import app_of
from api.limiting import Limits
from models.rate_card import RateVersion
from models.rate_change import KnownRate

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RECORDED = datetime(2026, 1, 1, tzinfo=UTC)


def a_rate(model: str, start: str, amount: str, meter: str = "llm.input_tokens", card: str = "list") -> RateVersion:
    return RateVersion.model_validate(
        {
            "rate": card,
            "meter": meter,
            "where": {"provider": "p", "model": model},
            "from": f"{start}T00:00:00Z",
            "amount": amount,
            "per": 1000000,
            "currency": "USD",
            "source": "https://example.com/prices",
            "checked_on": "2026-01-01",
        }
    )


@dataclass
class Shelf:
    """A catalog in memory: rows as the books have them, and how often they were read."""

    kept: list[KnownRate] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)

    def add(self, version: RateVersion, recorded_at: datetime = RECORDED, until: str | None = None) -> None:
        """Append a version; one of the same key ceases to be what is known."""
        for place, row in enumerate(self.kept):
            if row.version.id == version.id and row.recorded_until is None:
                self.kept[place] = row.model_copy(update={"recorded_until": recorded_at})
        self.kept.append(
            KnownRate(
                version=version,
                effective_until=datetime.fromisoformat(f"{until}T00:00:00Z") if until else None,
                recorded_at=recorded_at,
                recorded_until=None,
                proposed_by="rita",
                approved_by="cora",
                position=len(self.kept) + 1,
            )
        )

    def head(self) -> int:
        """Return the last position."""
        return len(self.kept)

    def rows(self, after: int = 0) -> tuple[KnownRate, ...]:
        """Return the rows of what moved."""
        self.reads.append(after)
        moved = {row.version.subject for row in self.kept if row.position > after}
        return tuple(row for row in self.kept if row.version.subject in moved)


class Ring:
    """Keys by their secret."""

    def scopes_of(self, secret: str) -> Sequence[str] | None:
        """Return what a secret opens."""
        return {"both": ("rates:read", "rates:quote"), "read": ("rates:read",)}.get(secret)


class Noon:
    """A clock that stands."""

    def now(self) -> datetime:
        """Return the instant."""
        return NOW


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    shelf.add(a_rate("a", "2026-01-01", "2.5"), until="2026-10-20")
    shelf.add(a_rate("a", "2026-10-20", "3"))
    shelf.add(a_rate("b", "2026-01-01", "0.00000000000000000000012999"))
    shelf.add(a_rate("a", "2026-01-01", "10", meter="llm.output_tokens"))
    return shelf


@pytest.fixture
def client(shelf: Shelf) -> TestClient:
    client = TestClient(app_of(shelf, Ring(), Noon(), Limits()), raise_server_exceptions=False)
    client.headers["Authorization"] = "Bearer both"
    return client


def ids(client: TestClient, **query: str | int) -> list[tuple[str, str]]:
    answer = client.get("/v1/rates", params=query)
    assert answer.status_code == 200, answer.text
    return [(one["id"], one["amount"]) for one in answer.json()["rates"]]


def line(
    model: str = "a", quantity: object = "2000", at: str = "2026-10-19T23:59:59Z", **more: object
) -> dict[str, object]:
    dimensions = {"provider": "p", "model": model}
    return {"meter": "llm.input_tokens", "dimensions": dimensions, "quantity": quantity, "at": at, **more}


def test_rates_are_listed_by_filter_and_instant(client: TestClient) -> None:
    assert len(ids(client)) == 4
    assert len(ids(client, provider="p", model="a")) == 3
    assert ids(client, card="other") == []
    assert ids(client, meter="llm.input_tokens", model="a", at="2026-10-20T00:00:00Z") == [
        ("list/llm.input_tokens[model=a,provider=p]@2026-10-20T00:00:00Z", "3")
    ]
    assert ids(client, model="b")[0][1] == "0.00000000000000000000012999"  # no digit is lost


def test_a_filter_nobody_knows_is_refused_and_answers_nothing(client: TestClient) -> None:
    answer = client.get("/v1/rates", params={"modle": "a"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:tieout:problem:unknown_parameter"
    assert "'modle'" in answer.json()["detail"]


def test_a_correction_is_known_later_under_the_same_id(client: TestClient, shelf: Shelf) -> None:
    wrong = a_rate("a", "2026-10-20", "3")
    corrected_at = datetime(2026, 11, 10, tzinfo=UTC)
    shelf.add(a_rate("a", "2026-10-20", "12"), recorded_at=corrected_at)
    found = client.get(f"/v1/rates/{wrong.id}").json()
    assert (found["rate"]["amount"], [one["amount"] for one in found["history"]]) == ("12", ["3", "12"])
    before = {"as_known_at": "2026-11-09T00:00:00Z"}
    assert client.get(f"/v1/rates/{wrong.id}", params=before).json()["rate"]["amount"] == "3"
    assert ids(client, model="a", at="2026-11-01T00:00:00Z", meter="llm.input_tokens", **before)[0][1] == "3"
    asked = {"card": "list", "lines": [line(at="2026-11-01T00:00:00Z", quantity="1000000")]}
    assert client.post("/v1/quote", json=asked).json()["totals"] == {"USD": "12"}
    assert client.post("/v1/quote", json={**asked, **before}).json()["totals"] == {"USD": "3"}


def test_pages_are_of_one_knowledge(client: TestClient, shelf: Shelf) -> None:
    first = client.get("/v1/rates", params={"limit": 2}).json()
    shelf.add(a_rate("a", "2026-01-01", "7", meter="llm.cached_tokens"), recorded_at=NOW + timedelta(seconds=1))
    rest = client.get("/v1/rates", params={"limit": 2, "cursor": first["next"]}).json()
    told = [one["id"] for page in (first, rest) for one in page["rates"]]
    assert len(told) == len(set(told)) == 4
    assert rest["next"] is None
    assert "cached" not in "".join(told)
    assert len(ids(client)) == 5  # asked anew, it is there
    assert client.get("/v1/rates", params={"cursor": "forged"}).status_code == 422


def test_a_quote_is_exact_rounded_and_names_its_versions(client: TestClient) -> None:
    answer = client.post("/v1/quote", json={"card": "list", "lines": [line(), line(at="2026-10-20T00:00:00Z")]})
    assert answer.status_code == 200, answer.text
    # 2,000 x 2.5 / 1,000,000 = 0.005, rounded away from zero; 2,000 x 3 / 1,000,000 = 0.006
    assert [(one["exact"], one["amount"]) for one in answer.json()["lines"]] == [("0.005", "0.01"), ("0.006", "0.01")]
    assert [one["version"][-20:] for one in answer.json()["lines"]] == ["2026-01-01T00:00:00Z", "2026-10-20T00:00:00Z"]
    assert answer.json()["totals"] == {"USD": "0.02"}
    assert answer.headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "named", "of_line"),
    [
        ({"card": "list", "lines": [line(), line(model="z")]}, "lines[1].dimensions", 1),
        ({"card": "list", "lines": [line(meter="x")]}, "lines[0].meter", 0),
        ({"card": "list", "lines": [line(at="2025-01-01T00:00:00Z")]}, "lines[0].at", 0),
        ({"card": "none", "lines": [line()]}, "card", None),
        ({"card": "list", "lines": [line(), line(quantity=1.5)]}, "lines[1].quantity", 1),
        ({"card": "list", "lines": [line(at="2026-10-01")]}, "lines[0].at", 0),
        ({"card": "list", "lines": []}, "lines", None),
        ({"card": "list", "lines": [line()], "currency": "EUR"}, "currency", None),
    ],
)
def test_a_fault_names_line_and_field(
    client: TestClient, asked: dict[str, object], named: str, of_line: int | None
) -> None:
    answer = client.post("/v1/quote", json=asked)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["field"], told.get("line")) == (named, of_line)
    assert told["type"].startswith("urn:tieout:problem:")


def test_an_etag_spares_the_answer_until_the_catalog_moves(client: TestClient, shelf: Shelf) -> None:
    for path in ("/v1/rates", f"/v1/rates/{a_rate('b', '2026-01-01', '1').id}"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    tag = client.get("/v1/rates").headers["ETag"]
    shelf.add(a_rate("c", "2026-01-01", "1"))
    assert client.get("/v1/rates", headers={"If-None-Match": tag}).status_code == 200


def test_only_what_moved_is_read_again(client: TestClient, shelf: Shelf) -> None:
    for _ in range(3):
        ids(client)
    assert shelf.reads == [0]
    shelf.add(a_rate("c", "2026-01-01", "1"))
    assert [amount for _, amount in ids(client, model="c")] == ["1"]
    assert shelf.reads == [0, 4]


@pytest.mark.parametrize(
    ("key", "path", "status"),
    [
        (None, "/v1/rates", 401),
        ("stranger", "/v1/rates", 401),
        ("read", "/v1/quote", 403),
        ("read", "/v1/rates", 200),
    ],
)
def test_a_key_opens_what_its_scopes_say(client: TestClient, key: str | None, path: str, status: int) -> None:
    client.headers.pop("Authorization")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if path == "/v1/quote":
        answer = client.post(path, json={"card": "list", "lines": [line()]}, headers=headers)
    else:
        answer = client.get(path, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_what_is_not_there_is_a_problem_too(client: TestClient) -> None:
    for path in ("/v1/rates/none", "/v2"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_openapi_page_describes_all_of_it(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/rates", "/v1/rates/{rate_id}", "/v1/quote"} <= set(paths)
    refused = paths["/v1/quote"]["post"]["responses"]["422"]["content"]
    assert list(refused) == ["application/problem+json"]
    assert Decimal(client.get("/healthz").json()["head"]) == 4


def test_who_asks_too_often_is_told_when_to_come_again_and_a_quote_is_a_question(shelf: Shelf) -> None:
    limited = TestClient(app_of(shelf, Ring(), Noon(), Limits(reads=2, writes=1)), raise_server_exceptions=False)
    limited.headers["Authorization"] = "Bearer both"
    quote = {"card": "list", "lines": [line()]}
    statuses = [limited.post("/v1/quote", json=quote).status_code, limited.get("/v1/rates").status_code]
    refused = limited.post("/v1/quote", json=quote)
    assert statuses == [200, 200]
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:tieout:problem:too_many")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert limited.get("/v1/rates", headers={"Authorization": "Bearer read"}).status_code == 200
