"""Every question of the customers' API with another customer's ids, with ids of nobody, and as nobody: nothing leaks.

A foreign id and an unknown one are answered by the same bytes. A question that is added without saying here what its
ids are fails.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from models.webhook import EventType
from tests.api.world import Program, client_of, customers_app, program
from tests.web.conftest import World, desks_of
from tests.web.test_tenants import flat

pytestmark = pytest.mark.stack

BODIES = {
    "/v1/exports": {"month": "2026-10", "kind": "focus", "format": "csv"},
    "/v1/standing-exports": {"kind": "focus", "format": "csv", "wanted": True},
    "/v1/alerts": {"threshold": "100"},
    "/v1/contacts": {"email": "cfo@hooks.example"},
    "/v1/contacts/{contact_id}/end": None,
    "/v1/alerts/{alert_id}/end": None,
    "/v1/webhooks/{endpoint_id}/replay": {"notice": "invoice_ready/2026-10"},
    "/v1/webhooks/{endpoint_id}/end": None,
    "/v1/settings/notices": {"kind": "pool_used", "wanted": False},
}
QUERIES = {"/v1/alerts/preview": {"threshold": "100"}}
SHARED = {"month", "day"}
"""Parts of an address that are nobody's own: a month of theirs is a month of ours."""


def questions(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of every question."""
    found = [route for route in flat(app.routes) if isinstance(route, APIRoute)]
    assert len(found) > 20
    for route in found:
        for method in sorted(route.methods or ()):
            yield method, route.path


def filled_in(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)(:path)?}", lambda found: ids[found[1]], path)


@pytest.fixture
def app(filled: World) -> FastAPI:
    return customers_app(filled)


@pytest.fixture
def bolts(filled: World, app: FastAPI) -> dict[str, str]:
    """One of everything that bolt made, by the name of its parameter."""
    bolt = program(filled, "bolt", app=app)
    return {
        "reference": "2026-10@1/bolt/USD",
        "export_id": bolt.post("/v1/exports", BODIES["/v1/exports"]).json()["id"],
        "alert_id": bolt.post("/v1/alerts", BODIES["/v1/alerts"]).json()["id"],
        "contact_id": bolt.post("/v1/contacts", BODIES["/v1/contacts"]).json()["id"],
        "endpoint_id": endpoint(filled, "bolt"),
        "month": "2026-10",
        "day": "2026-10-31",
    }


def endpoint(world: World, customer: str) -> str:
    """Return the id of an endpoint that a customer's administrator added on their pages."""
    desk = desks_of(world.books.as_role("portal"), world.clock)(customer)
    return desk.add(customer, f"https://{customer}.example/", [EventType.INVOICE_READY], f"{customer}-admin")[0].id


UNKNOWN = {
    "reference": "2026-10@1/nobody/USD",
    "export_id": "0" * 32,
    "alert_id": "0" * 32,
    "contact_id": "0" * 32,
    "endpoint_id": "0" * 16,
    "month": "2026-10",
    "day": "2026-10-31",
}


def ask(who: Program, method: str, path: str, ids: dict[str, str]) -> Any:
    address = filled_in(path, ids)
    return who.get(address, **QUERIES.get(path, {})) if method == "GET" else who.post(address, BODIES[path])


def told(answer: Any) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells, but how often its key may still ask."""
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("ratelimit")}
    return answer.status_code, answer.content, headers


def test_a_foreign_id_and_an_unknown_one_are_answered_alike(filled: World, app: FastAPI, bolts: dict[str, str]) -> None:
    acme = program(filled, app=app)
    tried = 0
    for method, path in questions(app):
        if not set(re.findall(r"{(\w+)", path)) - SHARED:
            continue
        tried += 1
        theirs, nobodys = ask(acme, method, path, bolts), ask(acme, method, path, UNKNOWN)
        assert theirs.status_code == 404, path
        assert told(theirs) == told(nobodys), path
    assert tried >= 11
    bolt = program(filled, "bolt", app=app)
    assert [one["id"] for one in bolt.pages("/v1/alerts")] == [bolts["alert_id"]]  # nothing of bolt's was ended
    assert bolt.get(f"/v1/webhooks/{bolts['endpoint_id']}").json()["endpoint"]["ended_at"] is None


def test_nobody_gets_nothing(filled: World, app: FastAPI, bolts: dict[str, str]) -> None:
    client = client_of(filled, app)
    answers = {
        told(ask(Program(client, headers), method, path, ids))[1]
        for headers in ({}, {"Authorization": "Bearer of-nobody"}, {"Authorization": "Basic eDp5"})
        for method, path in questions(app)
        for ids in (bolts, UNKNOWN)
    }
    assert {json.loads(one)["status"] for one in answers} == {401}
    assert len(answers) == 2  # without a key, and with one that is not in use


def test_no_answer_to_acme_speaks_of_bolt(filled: World, app: FastAPI, bolts: dict[str, str]) -> None:
    acme = program(filled, app=app)
    mine = {**bolts, "reference": "2026-10@1/acme/USD"}
    for path, name in (("/v1/exports", "export_id"), ("/v1/alerts", "alert_id"), ("/v1/contacts", "contact_id")):
        mine[name] = acme.post(path, BODIES[path]).json()["id"]
    mine["endpoint_id"] = endpoint(filled, "acme")
    for method, path in sorted(questions(app)):
        answer = ask(acme, method, path, mine)
        nothing = path == "/v1/webhooks/{endpoint_id}/replay"  # nothing was delivered yet
        assert answer.status_code == (404 if nothing else 200), (path, answer.text)
        assert b"bolt" not in answer.content.lower(), path
        assert "bolt" not in json.dumps(dict(answer.headers)).lower(), path


def test_a_cursor_of_bolts_leads_acme_only_through_acmes_own(filled: World, app: FastAPI) -> None:
    bolt, acme = program(filled, "bolt", app=app), program(filled, app=app)
    cursor = bolt.get("/v1/invoices", limit=1).json()["next"]
    told = acme.get("/v1/invoices", cursor=cursor)
    assert told.status_code == 200
    assert b"bolt" not in told.content


def test_a_share_link_opens_no_question(filled: World, app: FastAPI) -> None:
    browser = filled.signed_in("bolt-admin")
    token = browser.get("/").text.split('name="csrf" value="', 1)[1].split('"', 1)[0]
    page = browser.post("/shares", data={"csrf": token, "reference": "2026-10@1/bolt/USD", "days": "7"}).text
    link = page.split('<code id="link">', 1)[1].split("<", 1)[0]
    nobody = Program(client_of(filled, app), {"Authorization": f"Bearer {link.rsplit('/', 1)[1]}"})
    assert nobody.get("/v1/invoices").status_code == 401
