"""The customers' API: it tells what the pages show, to who holds a key of the customer's, and writes once."""

from decimal import Decimal

import pytest

from api.pages import Cursor
from models.access import CustomerScope
from tests.api.test_tenants import endpoint
from tests.api.world import client_of, customers_app, program
from tests.web.conftest import World, csrf_in
from tests.web.filled import PAPER
from tests.web.test_webhooks import delivered_to

pytestmark = pytest.mark.stack

REFERENCE = "2026-10@1/acme/USD"


def test_the_overview_tells_the_newest_month_and_its_fingerprint(filled: World) -> None:
    told = program(filled).get("/v1/overview").json()
    assert told["head"]["total"] == "140"
    assert told["head"]["currency"] == "USD"
    assert told["head"]["on_track"] is False
    assert [(one["name"], one["amount"]) for one in told["made_up"]] == [
        ("Usage", "130"), ("Fees", "50"), ("Paid by commitments", "-40"),
    ]  # fmt: skip
    assert told["pools"][0]["used"] == "100"
    assert (told["why"]["first"], told["why"]["last"]) == ("90", "140")
    assert len(told["head"]["fingerprint"]) == 64


def test_months_are_listed_newest_first_and_each_is_told_whole(filled: World) -> None:
    acme = program(filled)
    assert [one["month"] for one in acme.pages("/v1/statements", limit=1)] == ["2026-10", "2026-09"]
    whole = acme.get("/v1/statements/2026-09").json()
    assert whole["head"]["total"] == whole["statement"]["total"] == "90"
    assert acme.get("/v1/statements/2026-08").status_code == 404


def test_usage_is_told_by_day_group_line_and_hour(filled: World) -> None:
    acme = program(filled)
    usage = acme.get("/v1/usage", month="2026-10").json()["usage"]
    assert usage["days"] == ["2026-10-01", "2026-10-02", "2026-10-31"]
    assert usage["day_totals"] == ["10", "20", "100"]
    assert usage["subtotal"] == "130"
    assert [one["amount"] for one in acme.pages("/v1/usage/days", limit=2, month="2026-10")] == ["10", "20", "100"]
    assert [one["quantity"] for one in acme.pages("/v1/usage/days/2026-10-31/hours")] == ["100"]


def test_pools_are_told_by_kind(filled: World) -> None:
    acme = program(filled)
    [pool] = acme.pages("/v1/commitments")
    assert (pool["pool"], pool["committed"], pool["left"]) == ("pool", "100", "0")
    assert acme.pages("/v1/credits") == acme.pages("/v1/entitlements") == []


def test_an_invoice_is_told_with_its_lines_why_and_paper(filled: World) -> None:
    acme = program(filled)
    assert [one["reference"] for one in acme.pages("/v1/invoices", limit=1)] == [REFERENCE, "2026-09@1/acme/USD"]
    whole = acme.get(f"/v1/invoices/{REFERENCE}").json()
    assert whole["invoice"]["total"] == "140"
    assert whole == acme.get("/v1/invoices/2026-10%401%2Facme%2FUSD").json()
    lines = acme.pages(f"/v1/invoices/{REFERENCE}/lines", limit=2)
    assert sum(Decimal(one["line"]["amount"]) for one in lines) == 140
    assert lines[0]["line"]["explanation"]["sentence"]
    assert lines[0]["reduced_by"] == [{"line": "draw/pool", "amount": "40"}]
    assert acme.get(f"/v1/invoices/{REFERENCE}/why").json()["why"]["last"] == "140"
    assert acme.get("/v1/invoices/2026-09@1/acme/USD/why").json()["why"] is None
    paper = acme.get(f"/v1/invoices/{REFERENCE}/pdf")
    assert (paper.content, paper.headers["content-type"]) == (PAPER, "application/pdf")
    assert acme.pages("/v1/corrections") == []


def test_a_file_is_made_listed_and_given_as_it_was_made(filled: World) -> None:
    acme = program(filled)
    made = acme.post("/v1/exports", {"month": "2026-10", "kind": "lines", "format": "csv"}).json()
    assert made["rows"] == 3
    assert acme.pages("/v1/exports") == [made]
    assert acme.get(f"/v1/exports/{made['id']}").json() == made
    file = acme.get(f"/v1/exports/{made['id']}/file")
    assert file.headers["x-content-sha256"] == made["sha256"]
    assert file.text.count("\r\n") == 4
    with filled.books.connect() as owner:
        looked = owner.execute("SELECT who, what FROM tieout.views ORDER BY position").fetchall()
    assert [who.startswith("key:acme-key") for who, _ in looked] == [True]


def test_an_alert_is_set_listed_and_ended(filled: World) -> None:
    acme = program(filled)
    made = acme.post("/v1/alerts", {"kind": "pool", "threshold": "80", "pool": "pool"}).json()
    assert (made["kind"], made["pool"], made["threshold"]) == ("pool", "pool", "80")
    assert acme.pages("/v1/alerts") == [made]
    assert made["fired"] == [{"month": "2026-10", "value": "100"}]  # 60 in September, 100 of 100 in October
    assert acme.post(f"/v1/alerts/{made['id']}/end").status_code == 200
    assert acme.pages("/v1/alerts") == []
    for body in (
        {"threshold": "0"},
        {"kind": "pool", "threshold": "101", "pool": "pool"},
        {"threshold": "1e3"},
        {"threshold": 5},
    ):
        assert acme.post("/v1/alerts", body).status_code == 422, body
    for body in ({"threshold": "5", "pool": "pool"}, {"kind": "pool", "threshold": "5", "pool": "none"},
                 {"kind": "pool", "threshold": "5"}):  # fmt: skip
        assert acme.post("/v1/alerts", body).status_code == 404, body


def test_deliveries_are_told_page_by_page_to_the_first(filled: World) -> None:
    acme, added = program(filled), delivered_to(filled)
    path = f"/v1/webhooks/{added}/deliveries"
    whole = [(one["delivery"]["notice"], one["delivery"]["number"], one["newest"]) for one in acme.pages(path)]
    assert whole == [
        ("invoice_ready/acme/2", 2, True),
        ("invoice_ready/acme/2", 1, False),
        ("invoice_ready/acme/1", 1, True),
    ]
    paged = acme.pages(path, limit=1)
    assert [(one["delivery"]["notice"], one["delivery"]["number"], one["newest"]) for one in paged] == whole
    assert [len(one["attempts"]) for one in paged] == [0, 2, 1]
    for after in (("x",), ("invoice_ready/acme/2", "many"), ("invoice_ready/acme/2", "0"), ("a", "9" * 30)):
        assert acme.get(path, cursor=Cursor(after=after).text()).status_code == 422, after


def test_a_file_of_every_month_is_chosen_listed_and_taken_back(filled: World) -> None:
    acme, path = program(filled), "/v1/standing-exports"
    for form in ("csv", "parquet"):
        asked = {"kind": "focus", "format": form, "wanted": True}
        assert acme.post(path, asked).json() == asked
    assert [(one["kind"], one["format"]) for one in acme.pages(path, limit=1)] == [
        ("focus", "csv"),
        ("focus", "parquet"),
    ]
    assert acme.post(path, {"kind": "focus", "format": "csv", "wanted": False}).status_code == 200
    assert [one["format"] for one in acme.pages(path)] == ["parquet"]
    assert acme.post(path, {"kind": "focus", "format": "xlsx", "wanted": True}).status_code == 422
    assert program(filled, "bolt").pages(path) == []


def test_a_contact_is_added_once_listed_and_ended(filled: World) -> None:
    acme, path = program(filled), "/v1/contacts"
    made = acme.post(path, {"email": "CFO@acme.example"}).json()
    assert (made["email"], made["made_by"].partition(":")[0]) == ("cfo@acme.example", "key")
    assert acme.post(path, {"email": "cfo@acme.example"}).json() == made  # there already, by whatever key
    assert acme.pages(path) == [made]
    for wrong in ("cfo", "a@b, c@d", "a@b\r\nBcc: c@d", "a\x00@b"):
        assert acme.post(path, {"email": wrong}).status_code == 422, wrong
    for _ in range(2):
        assert acme.post(f"{path}/{made['id']}/end").json() == {"id": made["id"]}
    assert acme.pages(path) == []


def test_an_alert_is_previewed_without_being_set(filled: World) -> None:
    acme, path = program(filled), "/v1/alerts/preview"
    assert acme.get(path, threshold="100.50").json() == {
        "kind": "total", "pool": None, "threshold": "100.5", "currency": "USD",
        "would_fire": [{"month": "2026-10", "value": "140"}],
    }  # fmt: skip
    [firing] = acme.get(path, kind="pool", pool="pool", threshold="50").json()["would_fire"]
    assert firing == {"month": "2026-09", "value": "60"}
    for query, status in (
        ({"threshold": "0"}, 422),
        ({"threshold": "x"}, 422),
        ({"threshold": "5", "kind": "pool"}, 404),
        ({"threshold": "5", "currency": "EUR"}, 404),
        ({"threshold": "5", "kind": "pool", "pool": "pool", "currency": "USD"}, 404),
    ):
        assert acme.get(path, **query).status_code == status, query
    assert acme.pages("/v1/alerts") == []


def test_settings_are_told_and_mail_is_chosen(filled: World) -> None:
    acme = program(filled)
    told = acme.get("/v1/settings").json()
    assert told["billing"]["email"] == "ap@acme.example"
    assert {one["id"] for one in told["users"]} == {"acme-admin", "acme-viewer"}
    assert acme.post("/v1/settings/notices", {"kind": "pool_used", "wanted": False}).status_code == 200
    wanted = {one["kind"]: one["wanted"] for one in acme.get("/v1/settings").json()["notices"]}
    assert wanted["pool_used"] is False
    assert acme.post("/v1/settings/notices", {"kind": "invoice_ready", "wanted": False}).status_code == 404


def test_webhooks_are_told_and_ended_and_no_secret_is(filled: World) -> None:
    acme, added = program(filled), endpoint(filled, "acme")
    [one] = acme.pages("/v1/webhooks")
    assert (one["endpoint"]["id"], one["endpoint"]["url"]) == (added, "https://acme.example/")
    assert acme.pages(f"/v1/webhooks/{added}/deliveries") == []
    assert acme.post(f"/v1/webhooks/{added}/replay", {"notice": "invoice_ready/none"}).status_code == 404
    assert acme.post(f"/v1/webhooks/{added}/end").json() == {"id": added}
    told = acme.get(f"/v1/webhooks/{added}")
    assert told.json()["endpoint"]["ended_by"].startswith("key:acme")
    assert "whsec" not in told.text
    assert acme.post(f"/v1/webhooks/{added}/end").json() == {"id": added}  # ended twice is ended
    assert acme.get(f"/v1/webhooks/{added}").json() == told.json()


def test_a_key_of_the_settings_page_opens_the_api_until_it_is_revoked(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/settings").text)
    page = browser.post("/keys", data={"csrf": token, "name": "our books", "writes": "false"}).text
    secret = page.split('<code id="key">', 1)[1].split("<", 1)[0]
    client = client_of(filled, customers_app(filled))
    headers = {"Authorization": f"Bearer {secret}"}
    told = client.get("/v1/key", headers=headers).json()
    assert (told["name"], told["customer"], told["scopes"]) == ("our books", "acme", ["read"])
    settings = browser.get("/settings").text
    assert "our books" in settings
    assert secret not in settings
    assert browser.post(f"/keys/{told['key']}/revoke", data={"csrf": token}).status_code == 303
    assert client.get("/v1/key", headers=headers).status_code == 401
    with filled.books.connect() as owner:
        looked = owner.execute("SELECT who, what FROM tieout.views ORDER BY position").fetchall()
    assert looked == [
        ("acme-admin", f"made the key {told['key']} (read)"), ("acme-admin", f"revoked the key {told['key']}"),
    ]  # fmt: skip


def test_a_viewer_makes_no_key(filled: World) -> None:
    browser = filled.signed_in("acme-viewer")
    token = csrf_in(browser.get("/").text)
    assert browser.post("/keys", data={"csrf": token, "name": "mine"}).status_code == 403


def test_a_key_ends_with_its_makers_access_and_writes_no_more_than_they_may(filled: World) -> None:
    acme = program(filled)
    with filled.books.connect() as owner:
        owner.execute("UPDATE tieout.portal_users SET role = 'viewer' WHERE id = 'acme-admin'")
        owner.commit()
        assert acme.get("/v1/key").json()["scopes"] == ["read"]
        assert acme.post("/v1/alerts", {"threshold": "5"}).status_code == 403
        owner.execute("UPDATE tieout.portal_users SET active = false WHERE id = 'acme-admin'")
    assert acme.get("/v1/key").status_code == 401


def test_a_key_that_may_read_writes_nothing(filled: World) -> None:
    acme = program(filled, scopes=(CustomerScope.READ,))
    answer = acme.post("/v1/alerts", {"threshold": "5"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:tieout:problem:scope")
    assert acme.pages("/v1/alerts") == []


def test_an_answer_has_a_tag_and_is_not_sent_to_who_has_it(filled: World) -> None:
    acme = program(filled)
    first = acme.get("/v1/statements/2026-10")
    again = acme.client.get("/v1/statements/2026-10", headers={**acme.headers, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_parameter_there_is_none_of_and_a_cursor_of_nobody_are_refused(filled: World) -> None:
    acme = program(filled)
    assert "limit" in acme.get("/v1/invoices", monht="2026-10").json()["detail"]
    twice = acme.client.get("/v1/invoices?limit=1&limit=2", headers=acme.headers)
    assert (twice.status_code, twice.json()["type"]) == (422, "urn:tieout:problem:parameter_twice")
    assert acme.get("/v1/invoices", cursor="").status_code == 422
    assert acme.get("/v1/invoices", cursor="bm9uZQ").status_code == 422
    assert acme.get("/v1/invoices", limit=1001).status_code == 422


def test_a_cookie_opens_nothing(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    client = client_of(filled, customers_app(filled))
    client.cookies.set("tieout-portal", browser.cookies["tieout-portal"])
    assert client.get("/v1/overview").status_code == 401
