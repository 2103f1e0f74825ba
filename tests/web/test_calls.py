"""From a line to its days, to single calls, to the mail that asks about it; of one customer alone."""

import re
from decimal import Decimal
from urllib.parse import unquote

import psycopg
import pytest

from tests.web.conftest import World

pytestmark = pytest.mark.stack

INVOICE = "/invoices/2026-10@1/acme/USD"
DAY = "/usage/calls?day=2026-10-31&meter=call.minutes"


def test_a_line_leads_to_its_days_and_a_day_to_its_calls(filled: World) -> None:
    browser = filled.signed_in("acme-viewer")
    assert DAY.replace("&", "&amp;") in browser.get(INVOICE).text
    page = browser.get(DAY).text
    quantities = [
        Decimal(one) for one in re.findall(r'<td class="right"><data class="quantity" value="([\d.]+)"', page)
    ]
    assert quantities == [60, 40]  # what was used that day by the hour's page: 100; the call at 10:30 is not of it
    assert "acme-31-5" in page
    assert "09:05:00 UTC" in page
    assert "0134" not in page
    assert "…134" in page


def test_calls_are_the_customers_own(filled: World) -> None:
    page = filled.signed_in("acme-viewer").get(DAY).text
    assert "bolt" not in page
    with filled.books.connect("portal") as connection:
        assert connection.execute("SELECT count(*) FROM tieout.sealed_rows").fetchone() == (0,)
        connection.execute("SELECT set_config('tieout.customer', 'acme', true)")
        assert connection.execute("SELECT DISTINCT customer FROM tieout.sealed_rows").fetchall() == [("acme",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT body FROM tieout.snapshots")


def test_who_looked_at_single_calls_is_logged(filled: World) -> None:
    filled.signed_in("acme-viewer").get(DAY)
    with filled.books.connect() as owner:
        found = owner.execute("SELECT what FROM tieout.views WHERE customer = 'acme' ORDER BY position DESC").fetchone()
    assert found == ("single calls of 2026-10-31",)


def test_a_month_without_seals_says_so(filled: World) -> None:
    page = filled.signed_in("acme-viewer").get("/usage/calls?day=2026-09-30").text
    assert "Single calls of this month are not opened here." in page


def test_a_question_about_a_line_names_it(filled: World) -> None:
    filled.app.state.ask = "billing@lumen.example"
    browser = filled.signed_in("acme-viewer")
    found = re.findall(
        r'href="mailto:billing@lumen\.example\?subject=([^&]+)&amp;body=([^"]+)"', browser.get(INVOICE).text
    )
    subject, body = (unquote(part) for part in found[0])
    assert subject == "Invoice ACME-2026-10, line calls"
    assert "About this line: calls\n" in body
    filled.app.state.ask = None
    assert "mailto:" not in browser.get(INVOICE).text
