"""The console: nobody sees a page of it, no role does more than it may, and no form breaks it."""

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import seed_people
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from models.close import Role, Stage, State
from runtime.console import Console
from tests.web.conftest import ISSUER, NOON, World, csrf_in
from tests.web.test_tenants import flat
from web.console.app import console_of
from web.face import Face
from web.signing_in import Provider
from web.tables import csv_of

pytestmark = pytest.mark.stack

URL = "http://127.0.0.1:8083"
MONTH = "2026-10"
PEOPLE = {
    "audra": Role.AUDITOR,
    "erik": Role.ENGINEER,
    "pia": Role.PREPARER,
    "aron": Role.APPROVER,
    "cora": Role.CONTROLLER,
}
VALUES = {"month": MONTH, "customer": "acme", "reference": f"{MONTH}@1/acme/USD", "name": "revenue", "proposal": "p-1"}
OTHERWISE = {"/rates/timeline": 422, "/rates/changes/new": 403}  # asks which rate; is for who may propose


@pytest.fixture
def console(world: World) -> FastAPI:
    """A console over books in which acme's close waits at its approval; it has no way to the workflows."""
    owner = world.books.owner_url
    seed_people(owner, [(name, name.title(), (role,), f"t-{name}") for name, role in PEOPLE.items()])
    seed_visitors(owner, [(ISSUER, name, name) for name in PEOPLE], [])
    closes = PostgresCloses(world.books.as_role("worker"))
    closes.open_close(MONTH, 1, "pia", True, NOON)
    closes.project(MONTH, 1, "acme", Stage.APPROVE, State.WAITING, NOON, "1 to approve", total="12.00", currency="USD")
    role = world.books.as_role("console")
    face = Face("console", "Close", URL, PostgresWebSessions(role), world.clock)
    return console_of(face, Console(role, clock=world.clock), Provider(ISSUER, "tieout-console", "a-secret"), "a-word")


def browser(console: FastAPI, world: World, who: str | None = None) -> TestClient:
    """Return a browser, with somebody signed in or nobody."""
    client = TestClient(console, base_url=URL, follow_redirects=False, raise_server_exceptions=False)
    world.clients.append(client)
    if who is not None:
        sessions = PostgresWebSessions(world.books.as_role("console"))
        token, at = f"session-of-{who}-{len(world.clients)}", world.clock.at
        sessions.open_person(ISSUER, who, token[-16:], token, at, at + timedelta(hours=1))
        client.cookies.set("tieout-console", token)
    return client


def addresses(console: FastAPI, method: str) -> list[str]:
    """Return every address of the console that a method is for, filled with what is there."""
    found = []
    for route in flat(console.routes):
        if (
            isinstance(route, APIRoute)
            and method in (route.methods or set())
            and not route.path.startswith(("/sign-", "/healthz"))
        ):
            found.append(re.sub(r"\{(\w+)(?::\w+)?\}", lambda one: VALUES[one[1]], route.path))
    assert len(found) > 15
    return found


def test_nobody_sees_a_page_and_is_brought_back_to_the_one_they_wanted(console: FastAPI, world: World) -> None:
    nobody = browser(console, world)
    for address in addresses(console, "GET"):
        answer = nobody.get(address)
        assert answer.status_code == 303, address
        assert answer.headers["location"].startswith("/sign-in?next=") or address == "/", address
        assert "acme" not in answer.text


def test_nobody_changes_anything(console: FastAPI, world: World) -> None:
    nobody = browser(console, world)
    token = csrf_in(nobody.get("/sign-in").text) if "csrf" in nobody.get("/sign-in").text else "none"
    for address in addresses(console, "POST"):
        answer = nobody.post(address, data={"csrf": token})
        assert answer.status_code in (303, 403), address
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in"), address


def test_a_form_without_its_token_changes_nothing(console: FastAPI, world: World) -> None:
    cora = browser(console, world, "cora")
    for address in addresses(console, "POST"):
        assert cora.post(address, data={}).status_code == 403, address


def test_every_page_is_served_to_who_is_signed_in(console: FastAPI, world: World) -> None:
    audra = browser(console, world, "audra")
    for address in addresses(console, "GET"):
        if address.startswith("/live/"):
            continue
        status = audra.get(address).status_code
        if address in OTHERWISE:
            assert status == OTHERWISE[address], address
            continue
        there = not address.startswith(("/invoices/", "/rates/changes", "/contracts/"))
        assert status == (303 if address in ("/", "/period") else 200 if there else 404), address


@pytest.mark.parametrize("who", ["audra", "erik"])
def test_who_only_looks_decides_nothing(console: FastAPI, world: World, who: str) -> None:
    client = browser(console, world, who)
    token = csrf_in(client.get("/close").text)
    for address in addresses(console, "POST"):
        if who == "erik" and (address.endswith(("/decide", "/view"))):
            continue  # an engineer may try a stage again, and look as the customer does
        answer = client.post(address, data={"csrf": token, "month": MONTH, "kind": "approve_rate"})
        assert answer.status_code in (403, 422), address
        if answer.status_code == 422:  # a form that is not whole is refused before anybody asks who sent it
            assert "acme" not in answer.text


def test_an_approver_without_a_way_to_the_workflows_is_told_that_nothing_was_decided(
    console: FastAPI, world: World
) -> None:
    aron = browser(console, world, "aron")
    token = csrf_in(aron.get("/close").text)
    form = {
        "csrf": token,
        "kind": "approve",
        "key": "6f1c1d0e-3f0c-4f5e-9a49-0d6a3f4b7a10",
        "fingerprint": "a" * 64,
    }
    answer = aron.post(f"/close/{MONTH}/customers/acme/decide", data=form)
    assert answer.status_code == 503
    assert "nothing was decided" in answer.text
    assert "Retry-After" in answer.headers


def test_what_is_not_there_is_not_streamed(console: FastAPI, world: World) -> None:
    cora = browser(console, world, "cora")
    for address in ("/live/close/2031-01", "/live/rates/changes/p-1"):
        assert cora.get(address).status_code == 404, address


def test_a_draft_of_a_rate_is_compared_and_writes_nothing_and_a_wrong_field_is_named(
    console: FastAPI, world: World
) -> None:
    pia = browser(console, world, "pia")
    said = {
        "csrf": csrf_in(pia.get("/rates/changes/new").text),
        "step": "draft",
        "rate": "list-2026",
        "meter": "call.minutes",
        "from": "2026-12-01T00:00:00Z",
        "amount": "0.05",
        "per": "1",
        "currency": "USD",
        "source": "the notice of November",
        "checked_on": "2026-11-24",
    }
    drafted = pia.post("/rates/changes/new", data=said)
    assert drafted.status_code == 200
    assert "the first version of this rate" in drafted.text
    assert 'value="the notice of November"' in drafted.text
    wrong = pia.post("/rates/changes/new", data={**said, "amount": "1,000"})
    assert wrong.status_code == 422
    assert "amount: " in wrong.text
    assert pia.post("/rates/changes/new", data={**said, "step": "propose"}).status_code == 503
    assert PostgresRateChanges(world.books.as_role("console")).inbox(True) == ()


def test_a_month_and_a_customer_nobody_knows_are_the_same_page(console: FastAPI, world: World) -> None:
    cora = browser(console, world, "cora")
    pages = [
        cora.get(address).content
        for address in ("/close/2031-01", f"/close/{MONTH}/customers/nobody", "/close/never", "/reports/none")
    ]
    assert len(set(pages)) == 1


FORMS = (
    "/close",
    "/close/{m}/exceptions/resolve",
    "/close/{m}/exceptions/bulk",
    "/close/{m}/exceptions/assign",
    "/close/{m}/approval",
    "/close/{m}/customers/acme/decide",
    "/close/{m}/period/sign",
    "/close/{m}/period/reopen",
    "/rates/changes/new",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FORMS),
    st.dictionaries(
        st.sampled_from(["month", "dry_run", "finding", "answer", "reason", "source", "quantity", "cause", "owner",
                         "list_fingerprint", "kind", "key", "fingerprint", "name", "step", "rate", "meter", "where",
                         "from", "amount", "per", "currency", "checked_on", "hours"]),
        st.text(max_size=60),
        max_size=6,
    ),
)  # fmt: skip
def test_no_form_breaks_the_console(console: FastAPI, world: World, address: str, form: dict[str, str]) -> None:
    cora = browser(console, world, "cora")
    token = csrf_in(cora.get("/close").text)
    status = cora.post(address.replace("{m}", MONTH), data={**form, "csrf": token}).status_code
    assert status in (200, 303, 403, 404, 409, 422, 503), (address, form)


def test_a_cell_that_a_spreadsheet_would_run_is_text() -> None:
    assert csv_of(("a",), [("=1+1",), ("@x",), ("-2",), (-2,)]).splitlines() == ["a", "'=1+1", "'@x", "'-2", "-2"]
