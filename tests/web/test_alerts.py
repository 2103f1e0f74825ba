"""Alerts: what they would have told is known before and after they are set, and there are never too many of them."""

import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from billing.alerting import AlertKind
from runtime.customer_desk import MOST_ALERTS, CustomerDesk, TooManyAlerts
from runtime.portal import Portal
from tests.web.conftest import World, csrf_in

pytestmark = pytest.mark.stack


def test_an_alert_says_when_it_would_have_fired(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/alerts").text)
    assert browser.post("/alerts", data={"csrf": token, "threshold": "100.50"}).status_code == 303
    filled.clock.later(minutes=1)
    assert browser.post("/alerts", data={"csrf": token, "threshold": "50", "what": "pool/pool"}).status_code == 303
    page = browser.get("/alerts").text
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page, re.DOTALL)
    assert "October 2026" in rows[0]  # 140.00, September had 90.00
    assert "September 2026" not in rows[0]
    assert "September 2026" in rows[1]  # 60 of 100
    [ended, _] = re.findall(r'action="(/alerts/\w+/end)"', page)
    browser.post(ended, data={"csrf": token})
    assert browser.get("/alerts").text.count("/end") == 1


def test_an_alert_tells_when_it_would_have_fired_before_it_is_set(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/alerts").text)
    for what, threshold, said in (
        ("total/USD", "100.50", "would have fired in October 2026"),  # 140.00, September had 90.00
        ("pool/pool", "50", "would have fired in September 2026"),  # 60 of 100
        ("total/USD", "1000", "would not have fired so far"),
    ):
        answer = browser.post("/alerts/preview", data={"csrf": token, "what": what, "threshold": threshold})
        assert answer.status_code == 200
        [shown] = re.findall(r'<p role="status">(.*?)</p>', answer.text, re.DOTALL)
        assert said in re.sub(r"<[^>]*>", "", shown), shown
        assert f'<option value="{what}" selected>' in answer.text
        assert "No alert is set." in answer.text
    assert (
        browser.post("/alerts/preview", data={"csrf": token, "what": "pool/none", "threshold": "5"}).status_code == 404
    )
    viewer = filled.signed_in("acme-viewer")
    assert "would have fired" not in viewer.get("/alerts").text


def test_of_alerts_set_at_once_no_more_than_fifty_are_kept(filled: World) -> None:
    books = Portal(filled.books.as_role("portal")).of("acme")

    def add(number: int) -> bool:
        desk = CustomerDesk(books, "Lumen", f"u{number}", filled.clock)
        try:
            return desk.add_alert(f"a{number}", AlertKind.TOTAL, "", Decimal(5)) is not None
        except TooManyAlerts:
            return False

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(add, range(MOST_ALERTS + 8)))
    assert sum(kept) == len(books.kept.alerts()) == MOST_ALERTS
    assert add(kept.index(True))  # set before: the same again


def test_an_alert_is_set_for_days_of_a_pool_that_is_there(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    page = browser.get("/alerts").text
    assert re.findall(r'<option value="([^"]*)">', page) == ["total/USD", "depletes/pool", "pool/pool"]
    token = csrf_in(page)
    for what, threshold, status in (
        ("depletes/pool", "30", 303),
        ("depletes/pool", "30.5", 422),
        ("depletes/pool", "367", 422),
        ("expires/pool", "30", 404),  # a commitment is no credit
        ("depletes/other", "30", 404),
        ("total/pool", "30", 404),
        ("total/EUR", "30", 404),  # no month was billed in it
        ("nonsense", "30", 404),
    ):
        answer = browser.post("/alerts", data={"csrf": token, "threshold": threshold, "what": what})
        assert answer.status_code == status, (what, threshold)
    assert "pool lasts no longer than" in browser.get("/alerts").text


@pytest.mark.parametrize("text", ["", "-1", "0", "NaN", "Infinity", "1e40", "=1", "ten", "1,000"])
def test_a_threshold_that_is_no_amount_is_refused(filled: World, text: str) -> None:
    browser = filled.signed_in("acme-admin")
    token = csrf_in(browser.get("/alerts").text)
    assert browser.post("/alerts", data={"csrf": token, "threshold": text}).status_code == 422
    assert "No alert is set." in browser.get("/alerts").text
