"""A form is taken from our own page in the same browser alone; nothing changes otherwise."""

import pytest

from tests.web.conftest import World, csrf_in

pytestmark = pytest.mark.stack


def test_no_token_a_wrong_one_and_another_sessions_are_refused(world: World) -> None:
    mine, other = world.signed_in("acme-admin"), world.signed_in("bolt-admin")
    theirs = csrf_in(other.get("/").text)
    for data in ({}, {"csrf": ""}, {"csrf": "x" * 64}, {"csrf": theirs}):
        assert mine.post("/sign-out", data=data).status_code == 403
    assert mine.get("/").status_code == 200  # still signed in
    right = csrf_in(mine.get("/").text)
    assert mine.post("/sign-out", data={"csrf": right}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert mine.post("/sign-out", headers={"X-CSRF-Token": right}).status_code == 303


def test_a_link_is_not_spent_from_elsewhere(world: World) -> None:
    link = world.link("acme-admin")
    assert world.browser().post(link, data={"next": "/"}).status_code == 403
    assert world.browser().get(link).status_code == 200


def test_a_form_longer_than_any_of_ours_is_not_read(world: World) -> None:
    browser = world.browser()
    token = csrf_in(browser.get("/sign-in").text)
    answer = browser.post("/sign-in", data={"csrf": token, "email": "a" * 300_000})
    assert answer.status_code == 413


def test_a_body_that_does_not_say_its_length_is_not_read(world: World) -> None:
    browser = world.browser()
    token = csrf_in(browser.get("/sign-in").text)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = browser.post("/sign-in", content=(part for part in (f"csrf={token}".encode(), b"&email=x")), headers=form)
    assert answer.status_code == 413


def test_every_answer_keeps_the_browser_at_home(world: World) -> None:
    browser = world.browser()
    for path in ("/sign-in", "/nothing", "/static/tieout.css", "/healthz", "/"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; "), path
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert browser.get("/sign-in").headers["cache-control"] == "no-store"
