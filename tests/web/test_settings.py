"""Settings: who is mailed beside the contract's address, and the zone that times, never billing days, are shown in."""

import re

import pytest

from adapters.postgres.notices import PostgresNotices
from models.visitor import ADDRESS
from runtime.customer_desk import MOST_CONTACTS
from tests.web.conftest import World, csrf_in

pytestmark = pytest.mark.stack


def mailed(world: World, customer: str = "acme") -> tuple[str, ...]:
    """Return who the worker mails beside the contract's address."""
    return PostgresNotices(world.books.as_role("worker")).contacts(customer)


def test_a_contact_is_mailed_from_when_it_is_added_until_it_is_taken_off(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/settings").text)
    for address in ("CFO@acme.example", "cfo@acme.example", "ap2@acme.example"):  # the second is there already
        assert browser.post("/settings/contacts", data={"csrf": token, "email": address}).status_code == 303
        filled.clock.later(seconds=1)
    page = browser.get("/settings").text
    assert re.findall(r'<th scope="row">(\w+@acme.example)</th><td>acme-admin', page) == [
        "cfo@acme.example",
        "ap2@acme.example",
    ]
    assert (mailed(filled), mailed(filled, "bolt")) == (("cfo@acme.example", "ap2@acme.example"), ())
    first, _ = re.findall(r'action="(/settings/contacts/\w+/end)"', page)
    for _ in range(2):  # taken off twice is taken off
        assert browser.post(first, data={"csrf": token}).status_code == 303
    assert mailed(filled) == ("ap2@acme.example",)
    assert browser.post("/settings/contacts", data={"csrf": token, "email": "cfo@acme.example"}).status_code == 303
    assert mailed(filled) == ("ap2@acme.example", "cfo@acme.example")


@pytest.mark.parametrize(
    "address",
    [
        "", "cfo", "a@b, c@d", "a@b;c@d", "Cfo <cfo@acme.example>", "a@b\r\nBcc: c@d", '"a"@b', "a b@c", "@",
        "a\x00@b", "a\x7f@b", "ä@b.example", "a@bücher.example", "a@-b", "a@b..c", "a@.b",
        "a@" + "b" * 300,
    ],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(filled: World, address: str) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/settings").text)
    assert browser.post("/settings/contacts", data={"csrf": token, "email": address}).status_code == 422
    assert mailed(filled) == ()
    assert re.fullmatch(ADDRESS, address) is None or len(address) > 254


def test_there_are_no_more_contacts_than_may_be_and_a_viewer_adds_none(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/settings").text)
    told = [
        browser.post("/settings/contacts", data={"csrf": token, "email": f"c{number}@acme.example"}).status_code
        for number in range(MOST_CONTACTS + 1)
    ]
    assert told == [303] * MOST_CONTACTS + [409]
    assert len(mailed(filled)) == MOST_CONTACTS
    viewer = filled.signed_in("acme-viewer")
    page = viewer.get("/settings").text
    assert "/settings/contacts" not in page
    asked = {"csrf": csrf_in(page), "email": "me@acme.example"}
    assert viewer.post("/settings/contacts", data=asked).status_code == 403


def test_times_are_shown_in_the_zone_a_user_chose_and_billing_days_in_the_contracts(filled: World) -> None:
    viewer, admin = filled.signed_in("acme-viewer"), filled.signed_in("acme-admin")
    before = {path: viewer.get(path).text for path in ("/", "/usage", "/invoices")}
    assert "2 Nov 2026, 10:00 UTC" in before["/"]
    token = csrf_in(viewer.get("/settings").text)
    assert viewer.post("/settings/zone", data={"csrf": token, "zone": "Asia/Kolkata"}).status_code == 303
    assert "2 Nov 2026, 15:30 IST" in viewer.get("/").text
    assert "2 Nov 2026, 15:30 IST" in viewer.get("/invoices").text
    usage = viewer.get("/usage").text
    assert "Days are those of UTC" in usage
    days = re.findall(r'<th scope="row">(?:<a[^>]*>)?(\d+ \w+ \d+)', usage)
    assert days == re.findall(r'<th scope="row">(?:<a[^>]*>)?(\d+ \w+ \d+)', before["/usage"])
    assert "10:00 UTC" in admin.get("/").text  # each user their own
    assert "<option selected>Asia/Kolkata" in viewer.get("/settings").text
    for wrong in ("Mars/Olympus", "../../etc/passwd", "a" * 65, "UTC\x00"):
        assert viewer.post("/settings/zone", data={"csrf": token, "zone": wrong}).status_code in (404, 422), wrong
    assert viewer.post("/settings/zone", data={"csrf": token, "zone": ""}).status_code == 303
    assert viewer.get("/").text == before["/"]
