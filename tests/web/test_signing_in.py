"""Who is let in: links are spent once, by a POST, in time; sessions end; what was asked for is come back to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.postgres.web_sessions import PostgresWebSessions, SessionDesk
from models.books import NotAuthenticated
from tests.web.conftest import ISSUER, NOON, World, csrf_in
from web.face import Face, NotSecure
from web.sessions import safe_path

pytestmark = pytest.mark.stack


def test_a_link_is_mailed_confirmed_and_spent_once(world: World) -> None:
    browser = world.browser()
    page = browser.get("/sign-in", params={"next": "/usage?month=2026-10"})
    answer = browser.post(
        "/sign-in",
        data={"csrf": csrf_in(page.text), "email": " Admin@acme.example ", "next": "/usage?month=2026-10"},
    )
    assert "on its way" in answer.text
    [(address, link)] = world.mails
    assert address == "admin@acme.example"
    confirm = browser.get(link)
    assert "Sign in as Acme Robotics?" in confirm.text
    assert browser.get(link).status_code == 200  # looking spends nothing, however often
    spent = browser.post(link, data={"csrf": csrf_in(confirm.text), "next": "/usage?month=2026-10"})
    assert (spent.status_code, spent.headers["location"]) == (303, "/usage?month=2026-10")
    cookie = spent.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert browser.get("/").status_code == 200

    other = world.browser()
    assert other.get(link).status_code == 410
    page = other.get("/sign-in")
    assert other.post(link, data={"csrf": csrf_in(page.text)}).status_code == 410


def test_nobody_learns_which_addresses_there_are(world: World) -> None:
    browser = world.browser()
    token = csrf_in(browser.get("/sign-in").text)
    known = browser.post("/sign-in", data={"csrf": token, "email": "admin@bolt.example"})
    unknown = browser.post("/sign-in", data={"csrf": token, "email": "eve@example.com"})
    assert known.content == unknown.content
    assert [address for address, _ in world.mails] == ["admin@bolt.example"]


def test_an_address_is_mailed_five_links_an_hour_at_most(world: World) -> None:
    browser = world.browser()
    token = csrf_in(browser.get("/sign-in").text)
    for _ in range(7):
        browser.post("/sign-in", data={"csrf": token, "email": "admin@bolt.example"})
    assert len(world.mails) == 5
    world.clock.later(minutes=61)
    browser.post("/sign-in", data={"csrf": token, "email": "admin@bolt.example"})
    assert len(world.mails) == 6


def test_a_link_expires(world: World) -> None:
    browser, link = world.browser(), world.link("acme-admin")
    page = browser.get(link)
    world.clock.later(hours=1)
    assert browser.post(link, data={"csrf": csrf_in(page.text)}).status_code == 410


def test_of_many_who_spend_a_link_at_once_one_can(world: World) -> None:
    token = world.link("acme-admin").rpartition("/")[2]
    until = NOON + timedelta(days=1)
    with ThreadPoolExecutor(4) as pool:
        spent = list(pool.map(lambda n: world.sessions.spend(token, f"s{n}", f"session-{n}", NOON, until), range(8)))
    assert spent.count(True) == 1


def test_an_expired_session_comes_back_to_the_same_page(world: World) -> None:
    browser = world.signed_in("acme-admin")
    world.clock.later(days=8)
    answer = browser.get("/?month=2026-10")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/%3Fmonth%3D2026-10"
    link = world.link("acme-admin")
    page = browser.get(f"{link}?next=/%3Fmonth%3D2026-10")
    spent = browser.post(link, data={"csrf": csrf_in(page.text), "next": "/?month=2026-10"})
    assert spent.headers["location"] == "/?month=2026-10"


def test_signing_out_ends_the_session_itself(world: World) -> None:
    browser = world.signed_in("acme-admin")
    kept = dict(browser.cookies)
    browser.post("/sign-out", data={"csrf": csrf_in(browser.get("/").text)})
    thief = world.browser()
    thief.cookies.update(kept)
    assert thief.get("/").status_code == 303


def test_a_user_who_left_is_out_at_once(world: World) -> None:
    browser = world.signed_in("acme-viewer")
    with world.books.connect() as connection:
        connection.execute("UPDATE tieout.portal_users SET active = false WHERE id = 'acme-viewer'")
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "given",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/\tx", "", "/sign-in", None],
)
def test_nobody_is_sent_to_another_host(given: str | None) -> None:
    assert safe_path(given, "/home") == "/home"
    assert safe_path("/close/2026-10?x=1", "/home") == "/close/2026-10?x=1"


def test_a_face_beyond_this_machine_needs_tls(world: World) -> None:
    with pytest.raises(NotSecure):
        Face("portal", "Billing", "http://billing.example", world.sessions, world.clock)
    secure = Face("portal", "Billing", "https://billing.example", world.sessions, world.clock)
    assert secure.session_cookie == "__Host-tieout-portal"


def test_a_person_signs_at_the_desk_by_their_session_and_by_nothing_else(world: World) -> None:
    console = PostgresWebSessions(world.books.as_role("console"))
    until = NOON + timedelta(hours=10)
    assert console.open_person(ISSUER, "cora", "s1", "a-session", NOON, until) == "cora"
    desk = SessionDesk(world.books.as_role("console"), NOON)
    assert desk.person("a-session").id == "cora"
    for stranger in ("t-cora", "cora", "s1", ""):  # her token at the terminal opens no page, nor does her name
        with pytest.raises(NotAuthenticated):
            desk.person(stranger)
    with pytest.raises(NotAuthenticated):
        SessionDesk(world.books.as_role("console"), until).person("a-session")
    with pytest.raises(NotAuthenticated):
        console.open_person("http://other", "cora", "s2", "b-session", NOON, until)
    console.end("a-session", NOON)
    with pytest.raises(NotAuthenticated):
        desk.person("a-session")


def test_finance_sees_a_customers_pages_read_only_and_it_is_logged(world: World) -> None:
    from adapters.postgres.terms import PostgresTerms
    from tests.adapters.postgres.rows import a_contract

    PostgresTerms(world.books.as_role("worker")).add_contract(a_contract("acme"), "pia", "cora", NOON)
    console = PostgresWebSessions(world.books.as_role("console"))
    until = NOON + timedelta(hours=1)
    console.open_person(ISSUER, "pia", "s1", "a-session", NOON, until)
    assert not console.view_as("no-session", "acme", "l0", "a-link-0", NOON, until)
    assert not console.view_as("a-session", "nobody", "l1", "a-link-1", NOON, until)
    assert console.view_as("a-session", "acme", "l2", "a-link", NOON, until)
    browser = world.browser()
    page = browser.get("/sign-in/link/a-link")
    browser.post("/sign-in/link/a-link", data={"csrf": csrf_in(page.text)})
    assert "Seen as acme by pia, read only" in browser.get("/").text
    with world.books.connect("auditor") as connection:
        assert connection.execute("SELECT customer, who, what FROM tieout.views").fetchall() == [
            ("acme", "pia", "view as customer")
        ]
