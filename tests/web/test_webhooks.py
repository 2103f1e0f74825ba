"""A customer's administrator adds an endpoint, sees its secret once, what was delivered, and asks for it again."""

import re
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from adapters.postgres.notices import PostgresNotices
from adapters.postgres.webhooks import PostgresWebhooks
from models.notice import Notice, NoticeKind
from models.webhook import ENDPOINTS, Answer, Attempt, Delivery, EventType, Outcome
from tests.web.conftest import NOON, SEALER, World, csrf_in, desks_of

pytestmark = pytest.mark.stack

ALL_TYPES = ["invoice.ready", "threshold.reached"]


def added(browser: TestClient, url: str = "https://hooks.example/tieout", **more: object) -> tuple[int, str]:
    """Add an endpoint by the form; return the answer."""
    token = csrf_in(browser.get("/settings").text)
    answer = browser.post("/settings/webhooks", data={"csrf": token, "url": url, "types": ALL_TYPES, **more})
    return answer.status_code, answer.text


def secret_in(page: str) -> str:
    """Return the secret that a page shows."""
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    assert found is not None
    return found[0]


def delivered_to(world: World, customer: str = "acme") -> str:
    """Return an endpoint of a customer's to which one event was delivered, and another failed, and was replayed."""
    worker = PostgresWebhooks(world.books.as_role("worker"))
    browser = world.signed_in(f"{customer}-admin")
    _, page = added(browser, f"https://hooks.{customer}.example/in")
    endpoint = str(re.findall(r"/settings/webhooks/(\w+)", page)[0])
    for number in (1, 2):
        PostgresNotices(world.books.as_role("worker")).keep(
            Notice(
                id=f"invoice_ready/{customer}/{number}",
                kind=NoticeKind.INVOICE_READY,
                customer=customer,
                period="2026-10",
                subject=f"Invoice {number}: 140.00 USD for October 2026",
                sentences=("Due.",),
                path="/invoices",
                written_at=NOON,
            )
        )
    good, bad = (one for one in worker.due(NOON, NOON, 9, NOON) if one.endpoint == endpoint)
    yes, no = (
        Answer(status=204, milliseconds=31, detail=""),
        Answer(status=None, milliseconds=10_000, detail="timed out"),
    )
    worker.attempted(Attempt(delivery=good, answer=yes, tried_at=NOON), Outcome.DELIVERED)
    worker.attempted(Attempt(delivery=bad, answer=no, tried_at=NOON), None)
    worker.attempted(Attempt(delivery=bad, answer=Answer(status=503, milliseconds=12, detail=""), tried_at=NOON), None)
    worker.conclude(bad, Outcome.FAILED, NOON)
    token = csrf_in(browser.get("/settings").text)
    path = f"/settings/webhooks/{endpoint}/replay"
    assert browser.post(path, data={"csrf": token, "notice": bad.notice}).status_code == 303
    return endpoint


def test_a_secret_is_shown_once_and_kept_sealed(world: World) -> None:
    browser = world.signed_in("acme-admin")
    status, page = added(browser)
    assert status == 200
    secret = secret_in(page)
    assert len(secret) == len("whsec_") + 44  # 32 bytes
    for path in ("/settings", re.findall(r"/settings/webhooks/\w+", page)[0]):
        shown = browser.get(path).text
        assert "https://hooks.example/tieout" in shown
        assert "whsec" not in shown
    with world.books.connect("worker") as connection:
        [(sealed,)] = connection.execute("SELECT sealed FROM tieout.webhook_secrets").fetchall()
    assert SEALER.open(sealed) == secret


def test_a_viewer_sees_the_endpoints_and_no_form(world: World) -> None:
    added(world.signed_in("acme-admin"))
    page = world.signed_in("acme-viewer").get("/settings").text
    assert "https://hooks.example/tieout" in page
    assert 'action="/settings/webhooks"' not in page


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example/", "Only https is told"),
        ("https://user:word@hooks.example/", "A user, a password or a fragment has no place in it"),
        ("https://10.0.0.1/", "A name is needed, not an address"),
        ("https://2130706433/", "A name is needed, not an address"),
        ("https://hooks.example:22/", "The port is neither 443 nor above 1023"),
        ("nonsense", "Only https is told"),
    ],
)
def test_an_address_that_is_not_told_is_refused_and_says_why(world: World, url: str, said: str) -> None:
    browser = world.signed_in("acme-admin")
    status, page = added(browser, url)
    assert (status, said in page) == (422, True)
    assert "No system of yours is told of events." in browser.get("/settings").text


def test_an_event_of_another_name_is_no_choice(world: World) -> None:
    assert added(world.signed_in("acme-admin"), types="watch.alert")[0] == 422


def test_there_are_few_endpoints_and_each_address_once(world: World) -> None:
    browser = world.signed_in("acme-admin")
    for number in range(ENDPOINTS):
        assert added(browser, f"https://hooks.example/{number}")[0] == 200
        if number == 0:
            assert added(browser, "https://hooks.example/0")[0] == 409
    assert added(browser, "https://hooks.example/more")[0] == 409


def test_deliveries_show_every_try_and_one_that_ended_can_be_replayed(world: World) -> None:
    endpoint = delivered_to(world)
    browser = world.signed_in("acme-admin")
    page = browser.get(f"/settings/webhooks/{endpoint}").text
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page, re.DOTALL)
    assert len(rows) == 3
    assert "waiting" in rows[0]
    assert "by acme-admin" in rows[0]
    assert "failed" in rows[1]
    assert "no answer, timed out, 10000 ms" in rows[1]
    assert "503, 12 ms" in rows[1]
    assert "delivered" in rows[2]
    assert [">Replay<" in row for row in rows] == [False, False, True]  # the failed one waits to be told again
    due = PostgresWebhooks(world.books.as_role("worker")).due(NOON, NOON, 9, NOON)
    assert due == (Delivery(endpoint=endpoint, notice="invoice_ready/acme/2", number=2),)
    again = {"csrf": csrf_in(page), "notice": "invoice_ready/acme/2"}
    assert browser.post(f"/settings/webhooks/{endpoint}/replay", data=again).status_code == 303
    assert PostgresWebhooks(world.books.as_role("worker")).due(NOON, NOON, 9, NOON) == due  # twice is once


def test_a_new_secret_is_another_one_and_an_ended_endpoint_has_no_forms(world: World) -> None:
    browser = world.signed_in("acme-admin")
    _, page = added(browser)
    [endpoint] = re.findall(r"/settings/webhooks/(\w+)", page)
    token, path = csrf_in(browser.get("/settings").text), f"/settings/webhooks/{endpoint}"
    world.clock.later(minutes=1)
    assert secret_in(browser.post(f"{path}/secret", data={"csrf": token}).text) != secret_in(page)
    assert browser.post(f"{path}/end", data={"csrf": token}).status_code == 303
    shown = browser.get(path).text
    assert "by acme-admin" in shown
    assert f'action="{path}' not in shown
    for what, status in (("secret", 404), ("end", 303), ("replay", 404)):  # ended twice is ended
        assert browser.post(f"{path}/{what}", data={"csrf": token, "notice": "n"}).status_code == status
    assert browser.get(path).text == shown


def test_an_endpoint_that_is_added_while_they_are_listed_breaks_nothing(world: World) -> None:
    desk = desks_of(world.books.as_role("portal"), world.clock)("acme")
    role = world.books.as_role("portal")

    class Meanwhile(PostgresWebhooks):
        reads = 0

        def _rows(self, sql: str, **named: Any) -> Sequence[Any]:
            rows = super()._rows(sql, **named)
            self.reads += 1
            desk.add("acme", f"https://number{self.reads}.example/", [EventType.INVOICE_READY], "acme-admin")
            return rows

    assert Meanwhile(role, "acme").views() == ()
    assert len(desk.views()) == 3


@pytest.mark.parametrize("role", ["portal", "console", "worker"])
def test_an_endpoint_that_ended_is_never_in_force_again(world: World, role: str) -> None:
    browser = world.signed_in("acme-admin")
    _, page = added(browser)
    [endpoint] = re.findall(r"/settings/webhooks/(\w+)", page)
    browser.post(f"/settings/webhooks/{endpoint}/end", data={"csrf": csrf_in(browser.get("/settings").text)})
    with world.books.connect(role) as connection:
        connection.execute("SELECT set_config('tieout.customer', 'acme', false)")
        with pytest.raises(psycopg.errors.DatabaseError, match="refused"):
            connection.execute("UPDATE tieout.webhook_endpoints SET ended_at = NULL, ended_by = NULL")
