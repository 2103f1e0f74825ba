"""Exports: what is made of every month is chosen on their page by an administrator, and listed with its total."""

import re

import pytest

from tests.web.conftest import World, csrf_in

pytestmark = pytest.mark.stack


def test_a_file_of_every_month_is_chosen_and_taken_back(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    page = browser.get("/exports").text
    token = csrf_in(page)
    assert page.count(">Start</button>") == 6
    asked = {"csrf": token, "kind": "usage", "format": "csv", "wanted": "true"}
    assert browser.post("/exports/every-month", data=asked).status_code == 303
    assert "Usage by hour, csv: made" in browser.get("/exports").text
    assert "Usage by hour, csv: not made" in filled.signed_in("bolt-admin").get("/exports").text
    for wrong in ({"kind": "all"}, {"format": "xlsx"}, {"format": ""}):
        assert browser.post("/exports/every-month", data={**asked, **wrong}).status_code in (404, 422), wrong
    assert browser.post("/exports/every-month", data={**asked, "wanted": "false"}).status_code == 303
    assert browser.get("/exports").text.count(">Start</button>") == 6


def test_a_viewer_sees_what_is_made_and_chooses_nothing(filled: World) -> None:
    viewer = filled.signed_in("acme-viewer")
    page = viewer.get("/exports").text
    assert "Invoice lines, csv: not made" in page
    assert "/exports/every-month" not in page
    asked = {"csrf": csrf_in(page), "kind": "usage", "format": "csv", "wanted": "true"}
    assert viewer.post("/exports/every-month", data=asked).status_code == 403


def test_a_file_is_listed_with_the_total_of_its_statement(filled: World) -> None:
    browser = filled.signed_in("acme-viewer")
    asked = {"csrf": csrf_in(browser.get("/exports").text), "month": "2026-10", "kind": "lines", "format": "csv"}
    assert browser.post("/exports", data=asked).status_code == 303
    [row] = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", browser.get("/exports").text, re.DOTALL)
    assert '<data class="money" value="140">' in row


def test_an_invoices_lines_are_the_bytes_of_their_export(filled: World) -> None:
    browser = filled.signed_in("acme-viewer")
    token = csrf_in(browser.get("/exports").text)
    browser.post("/exports", data={"csrf": token, "month": "2026-10", "kind": "lines", "format": "csv"})
    [path] = re.findall(r'href="(/exports/\w+)"', browser.get("/exports").text)
    [lines, *_] = re.findall(r'href="(/lines.csv/[^"]+)"', browser.get("/invoices").text)
    given, made = browser.get(lines), browser.get(path)
    assert (given.content, given.headers["x-content-sha256"]) == (made.content, made.headers["x-content-sha256"])
    assert given.headers["content-disposition"] == 'attachment; filename="ACME-2026-10.csv"'
    assert lines in browser.get("/invoices/2026-10@1/acme/USD").text
    assert browser.get("/lines.csv/2026-10@1/bolt/USD").status_code == 404
