"""A write is done once for its caller and key: sent again it has its first answer, and nothing is made twice."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from fastapi import Request, Response
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.concurrency import run_in_threadpool

from adapters.postgres.api_writes import PostgresApiWrites
from api import v1
from api.once import HELD, Key, Once, once_of
from runtime.clock import SystemClock
from runtime.desk import DecisionNotTaken
from runtime.reach import TemporalUnreachable
from tests.api.world import program
from tests.postgres_fixture import Books
from tests.web.conftest import World

pytestmark = pytest.mark.stack

ASKED = {"threshold": "5"}


def test_a_write_sent_again_has_its_first_answer_to_the_byte(filled: World) -> None:
    acme = program(filled)
    first = acme.post("/v1/alerts", ASKED, key="one")
    filled.clock.later(hours=23, minutes=59)
    again = acme.post("/v1/alerts", ASKED, key="one")
    assert first.status_code == 200
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(acme.pages("/v1/alerts")) == 1


def test_a_key_in_quotes_is_the_same_key(filled: World) -> None:
    acme = program(filled)
    acme.post("/v1/alerts", ASKED, key="one")
    acme.post("/v1/alerts", ASKED, key='"one"')
    assert len(acme.pages("/v1/alerts")) == 1


def test_another_write_under_the_same_key_is_refused(filled: World) -> None:
    acme = program(filled)
    acme.post("/v1/alerts", ASKED, key="one")
    for path, body in (("/v1/alerts", {"threshold": "6"}), ("/v1/settings/notices", ASKED)):
        answer = acme.post(path, body, key="one")
        assert answer.status_code == 422, answer.text
    assert acme.post("/v1/alerts", {"threshold": "6"}, key="one").json()["type"] == "urn:tieout:problem:key_reused"
    assert len(acme.pages("/v1/alerts")) == 1


def test_a_refusal_is_an_answer_too(filled: World) -> None:
    acme = program(filled)
    asked = {"month": "2026-08", "kind": "lines", "format": "csv"}
    first, again = (acme.post("/v1/exports", asked, key="one") for _ in range(2))
    assert (first.status_code, first.content) == (404, again.content)
    assert again.headers["content-type"] == "application/problem+json"


def test_a_write_without_a_key_is_not_done(filled: World) -> None:
    acme = program(filled)
    for headers in ({}, {"Idempotency-Key": "with a space"}, {"Idempotency-Key": "x" * 256}):
        answer = acme.client.post("/v1/alerts", json=ASKED, headers={**acme.headers, **headers})
        assert answer.status_code == 400, answer.text
        assert answer.json()["type"] == "urn:tieout:problem:no_idempotency_key"
    assert acme.pages("/v1/alerts") == []


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["lines", "focus"])), min_size=1, max_size=6))
def test_whatever_is_sent_in_whatever_order_each_key_does_its_first_write_once(
    filled: World, sent: list[tuple[str, str]]
) -> None:
    acme = program(filled)
    key_id = acme.get("/v1/key").json()["key"]
    first: dict[str, tuple[str, bytes]] = {}
    for key, kind in sent:
        answer = acme.post("/v1/exports", {"month": "2026-10", "kind": kind, "format": "csv"}, key=key)
        known = first.setdefault(key, (kind, answer.content))
        if known[0] == kind:
            assert (answer.status_code, answer.content) == (200, known[1])
        else:
            assert answer.status_code == 422
    mine = [one for one in acme.pages("/v1/exports") if one["made_by"] == f"key:{key_id}"]
    assert sorted(one["kind"] for one in mine) == sorted(kind for kind, _ in first.values())


def test_a_key_is_its_callers_alone(filled: World) -> None:
    one, other, foreign = program(filled), program(filled), program(filled, "bolt")
    ids = {who.post("/v1/alerts", ASKED, key="one").json()["id"] for who in (one, other, foreign)}
    assert len(ids) == 3
    assert len(one.pages("/v1/alerts")) == 2


def test_no_callers_key_makes_the_id_of_anothers(fresh_database: Books) -> None:
    writes = PostgresApiWrites(fresh_database.as_role("console"))
    asked = (("person:pia", "x:1"), ("person:pia:x", "1"))
    mine, theirs = (Once(writes, SystemClock(), caller, key, None, "") for caller, key in asked)
    assert mine.id != theirs.id


def test_a_write_is_seen_by_its_own_customer_alone(filled: World) -> None:
    program(filled).post("/v1/alerts", ASKED)
    for role, customer, rows in (("portal", "acme", 1), ("portal", "bolt", 0), ("console", "acme", 0)):
        with filled.books.connect(role) as connection:
            connection.execute("SELECT set_config('tieout.customer', %s, true)", [customer])
            assert connection.execute("SELECT count(*) FROM tieout.api_writes").fetchone() == (rows,), (role, customer)


class Clock:
    """An instant that a test moves."""

    at = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return it."""
        return self.at


class Works:
    """A write that waits, fails, or is done, as a test has it; and how often it was begun."""

    def __init__(self) -> None:
        self.begun, self.go, self.running = 0, threading.Event(), threading.Event()
        self.raises: Exception | None = None

    def run(self) -> Response:
        """Do it."""
        self.begun += 1
        self.running.set()
        assert self.go.wait(20)
        if self.raises is not None:
            raise self.raises
        return Response(f'{{"done":{self.begun}}}', media_type="application/json")


@pytest.fixture
def works() -> Works:
    return Works()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(fresh_database: Books, works: Works, clock: Clock) -> Iterator[TestClient]:
    """An app with one write, of finance's pia."""
    app = v1.app_of("one write", "")
    writes = PostgresApiWrites(fresh_database.as_role("console"))

    @app.post("/v1/work")
    async def work(request: Request, key: Key) -> Response:
        once = await once_of(request, writes, clock, "person:pia", None, key)

        async def act() -> Response:
            return await run_in_threadpool(works.run)

        return await once.answered(act)

    with TestClient(app, raise_server_exceptions=False) as one:
        one.headers["Idempotency-Key"] = "one"
        yield one


def test_of_two_at_once_one_is_done_and_the_other_is_told_to_wait(client: TestClient, works: Works) -> None:
    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(client.post("/v1/work").status_code))
    first.start()
    assert works.running.wait(20)
    second = client.post("/v1/work")
    works.go.set()
    first.join(20)
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert answers == [200]
    assert client.post("/v1/work").json() == {"done": 1}
    assert works.begun == 1


@pytest.mark.parametrize("fault", [TemporalUnreachable("no answer"), RuntimeError("broken")])
def test_what_failed_on_our_side_is_not_kept(client: TestClient, works: Works, fault: Exception) -> None:
    works.go.set()
    works.raises = fault
    assert client.post("/v1/work").status_code in (500, 503)
    works.raises = None
    assert client.post("/v1/work").json() == {"done": 2}


def test_what_a_workflow_refused_is_kept(client: TestClient, works: Works) -> None:
    works.go.set()
    works.raises = DecisionNotTaken("pia prepared it", code="preparer_may_not_approve")
    first = client.post("/v1/work")
    works.raises = None
    assert first.status_code == 409
    assert first.json()["facts"] == {"code": "preparer_may_not_approve"}
    assert client.post("/v1/work").content == first.content


def test_what_somebody_left_who_died_is_begun_again_once_it_is_held_no_longer(
    client: TestClient, works: Works, clock: Clock, fresh_database: Books
) -> None:
    works.go.set()
    works.raises = RuntimeError("broken")
    client.post("/v1/work")
    works.raises = None
    with fresh_database.connect() as owner:  # as a process leaves it that was killed
        owner.execute("UPDATE tieout.api_writes SET held_until = %s", [clock.at + HELD])
        owner.commit()
    assert client.post("/v1/work").status_code == 409
    clock.at += HELD + timedelta(seconds=1)
    assert client.post("/v1/work").json() == {"done": 2}


def test_an_answer_is_never_changed(client: TestClient, works: Works, fresh_database: Books) -> None:
    works.go.set()
    client.post("/v1/work")
    with fresh_database.connect() as owner:
        with pytest.raises(psycopg.Error, match="one answer"):
            owner.execute("UPDATE tieout.api_writes SET body = 'x'")
        owner.rollback()
        with pytest.raises(psycopg.Error):
            owner.execute("DELETE FROM tieout.api_writes")
