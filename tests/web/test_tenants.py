"""Every address of the portal with another customer's ids, with ids of nobody, and as nobody: nothing leaks.

A foreign id and an unknown one are answered by the same bytes. A route that is added without saying here what its ids
are fails the first test.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from tests.web.conftest import World, csrf_in

pytestmark = pytest.mark.stack

FOREIGN = {
    "reference": "2026-10@1/bolt/USD",
    "export_id": "SELECT id FROM tieout.exports WHERE customer = 'bolt'",
    "share_id": "SELECT id FROM tieout.share_links WHERE customer = 'bolt'",
    "alert_id": "SELECT id FROM tieout.alerts WHERE customer = 'bolt'",
    "contact_id": "SELECT id FROM tieout.billing_contacts WHERE customer = 'bolt'",
    "key_id": "SELECT id FROM tieout.customer_keys WHERE customer = 'bolt'",
    "endpoint_id": "SELECT id FROM tieout.webhook_endpoints WHERE customer = 'bolt'",
}
"""What an address's parameter is, of bolt; a query where only the database knows."""
UNKNOWN = {
    "reference": "2026-10@1/nobody/USD",
    "export_id": "0123456789abcdef",
    "share_id": "0123456789abcdef",
    "alert_id": "0123456789abcdef",
    "contact_id": "0123456789abcdef",
    "key_id": "0123456789abcdef",
    "endpoint_id": "0123456789abcdef",
}
TOKENS = {"/sign-in/link/{token}", "/shared/{token}"}
"""Addresses that are opened by what they hold; their tests are those of links."""
OPEN = {"/sign-in", "/sign-out", "/healthz"} | TOKENS


def routes(world: World) -> Iterator[tuple[str, str]]:
    """Yield method and path of every page and form."""
    found = [route for route in flat(world.app.routes) if isinstance(route, APIRoute)]
    assert len(found) > 15
    for route in found:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, route.path


def flat(given: object) -> Iterator[object]:
    for one in given:  # type: ignore[attr-defined]
        inner = getattr(one, "original_router", None) or getattr(one, "router", None)
        if inner is not None and not isinstance(one, APIRoute):
            yield from flat(inner.routes)
        else:
            yield one


def path_with(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)(:path)?}", lambda found: ids[found[1]], path)


@pytest.fixture
def bolts(filled: World) -> dict[str, str]:
    """One of everything that bolt made, by the name of its parameter."""
    browser = filled.signed_in("bolt-admin")
    token = csrf_in(browser.get("/exports").text)
    browser.post("/exports", data={"csrf": token, "month": "2026-10", "kind": "focus", "format": "csv"})
    browser.post("/alerts", data={"csrf": token, "threshold": "100"})
    browser.post("/settings/contacts", data={"csrf": token, "email": "cfo@bolt.example"})
    browser.post("/keys", data={"csrf": token, "name": "books"})
    browser.post("/shares", data={"csrf": token, "reference": FOREIGN["reference"], "days": "7"})
    browser.post("/settings/webhooks", data={"csrf": token, "url": "https://hooks.example/", "types": "invoice.ready"})
    with filled.books.connect() as owner:
        return {
            name: owner.execute(said).fetchone()[0] if said.startswith("SELECT") else said  # type: ignore[index]
            for name, said in FOREIGN.items()
        }


def told(answer: Any) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells."""
    return answer.status_code, answer.content, dict(answer.headers)


def test_a_foreign_id_and_an_unknown_one_are_answered_alike(filled: World, bolts: dict[str, str]) -> None:
    acme = filled.signed_in("acme-admin")
    token = csrf_in(acme.get("/").text)
    for method, path in routes(filled):
        if "{" not in path or path in TOKENS:
            continue
        foreign, unknown = path_with(path, bolts), path_with(path, UNKNOWN)
        ask = {"data": {"csrf": token}} if method == "POST" else {}
        theirs, nobodys = acme.request(method, foreign, **ask), acme.request(method, unknown, **ask)  # type: ignore[arg-type]
        assert theirs.status_code == 404, foreign
        assert told(theirs) == told(nobodys), path


def test_a_form_that_names_anothers_invoice_is_answered_like_an_unknown_one(
    filled: World, bolts: dict[str, str]
) -> None:
    acme = filled.signed_in("acme-admin")
    token = csrf_in(acme.get("/").text)
    answers = [
        acme.post("/shares", data={"csrf": token, "reference": ids["reference"], "days": "7"})
        for ids in (bolts, UNKNOWN)
    ]
    assert answers[0].status_code == 404
    assert told(answers[0]) == told(answers[1])


def test_what_bolt_made_still_stands(filled: World, bolts: dict[str, str]) -> None:
    test_a_foreign_id_and_an_unknown_one_are_answered_alike(filled, bolts)
    browser = filled.signed_in("bolt-admin")
    assert browser.get(f"/exports/{bolts['export_id']}").status_code == 200
    assert browser.get("/settings").text.count(">Revoke<") == 2  # a link and a key
    assert ">End<" in browser.get("/alerts").text
    assert "End this endpoint" in browser.get(f"/settings/webhooks/{bolts['endpoint_id']}").text


def test_nobody_gets_nothing(filled: World, bolts: dict[str, str]) -> None:
    for method, path in routes(filled):
        if path in OPEN:
            continue
        nobody = filled.browser()
        token = csrf_in(nobody.get("/sign-in").text)
        ask = {"data": {"csrf": token}} if method == "POST" else {}
        for ids in (bolts, UNKNOWN):
            answer = nobody.request(method, path_with(path, ids), **ask)  # type: ignore[arg-type]
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/sign-in?next="), path
            assert answer.content == b"", path


def test_no_page_of_acme_speaks_of_bolt(filled: World, bolts: dict[str, str]) -> None:
    acme = filled.signed_in("acme-admin")
    for method, path in routes(filled):
        if method == "GET" and "{" not in path and path not in OPEN and not path.startswith("/live/"):
            answer = acme.get(path, params={"day": "2026-10-31"})
            assert answer.status_code == 200, path
            assert "bolt" not in answer.text.lower(), path
    assert "bolt" not in acme.get("/invoices/2026-10@1/acme/USD").text.lower()
