"""The pages in a real browser: wide and narrow, light and dark, clean for axe, nothing asked of another host.

Screenshots go to the folder TIEOUT_ARTIFACTS names, else to the test's own.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from adapters.postgres.drafts import PostgresDrafts
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from devstack import pictures
from devstack.identity import provider_of
from models.draft import Draft
from runtime.console import Console
from runtime.portal import Portal
from tests.statement_builders import a_statement, usage
from tests.web.conftest import NOON, World, a_free_port, desks_of, serving
from tests.web.stack_of_faces import look
from tests.web.test_webhooks import delivered_to
from web.console.app import console_of
from web.face import Face
from web.portal.app import portal_of
from web.signing_in import Provider

pytestmark = [pytest.mark.stack, pytest.mark.slow]

CHROMIUM = pictures.chromium()
PAGES = (
    "/", "/usage", "/usage?month=2026-09", "/commitments", "/credits", "/invoices", "/invoices/2026-10@1/acme/USD",
    "/exports", "/alerts", "/settings", "/nothing",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def portal(filled: World) -> Iterator[str]:
    """The portal on a port of its own."""
    port = a_free_port()
    role = filled.books.as_role("portal")
    url = f"http://127.0.0.1:{port}"
    face = Face("portal", "Lumen Billing", url, PostgresWebSessions(role), filled.clock, embedded=True)
    app = portal_of(face, Portal(role, filled.shelf), lambda *_: None, "Lumen", desks_of(role, filled.clock))
    with serving(app, port) as address:
        yield address


def seen(page: Page) -> list[str]:
    """Return the list that fills with whatever a page asks of another host, and with its scripts' errors."""
    found: list[str] = []
    page.on("request", lambda asked: found.append(asked.url) if urlsplit(asked.url).hostname != "127.0.0.1" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda told: found.append(told.text) if "Content Security Policy" in told.text else None)
    return found


def sign_in(page: Page, world: World, portal: str) -> None:
    """Sign in as acme's administrator, and return when the overview is there."""
    page.goto(portal + world.link("acme-admin"))
    page.click("main button")
    page.wait_for_url(f"{portal}/")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where pictures are kept."""
    chosen = Path(os.environ.get("TIEOUT_ARTIFACTS", tmp_path)) / "faces"
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


def test_every_page_of_the_portal_full(browser: Browser, filled: World, portal: str, folder: Path) -> None:
    page = browser.new_page()
    outside = seen(page)
    page.goto(f"{portal}/sign-in")
    look(page, folder, "sign-in")
    page.goto(portal + filled.link("acme-admin"))
    look(page, folder, "confirm")
    sign_in(page, filled, portal)
    endpoint = delivered_to(filled)
    for path in (*PAGES, f"/settings/webhooks/{endpoint}"):
        page.goto(portal + path)
        for each in page.locator("main details").all()[:2]:
            each.evaluate("one => one.setAttribute('open', '')")
        look(page, folder, f"full{path.replace('/', '_').replace('?', '_').replace(endpoint, 'one')}")
    page.goto(f"{portal}/settings/webhooks/{endpoint}")
    page.get_by_role("button", name="New secret").click()
    look(page, folder, "full_settings_secret")
    assert outside == []
    page.close()


def test_every_page_of_the_portal_empty(browser: Browser, world: World, folder: Path) -> None:
    port = a_free_port()
    role = world.books.as_role("portal")
    face = Face("portal", "Lumen Billing", f"http://127.0.0.1:{port}", PostgresWebSessions(role), world.clock)
    app = portal_of(face, Portal(role, world.shelf), lambda *_: None, "Lumen", desks_of(role, world.clock))
    with serving(app, port) as portal:
        page = browser.new_page()
        outside = seen(page)
        sign_in(page, world, portal)
        for path in PAGES[:6]:
            page.goto(portal + path)
            look(page, folder, f"empty{path.replace('/', '_').replace('?', '_')}")
        assert outside == []
        page.close()


def test_a_theme_is_chosen_and_kept(browser: Browser, filled: World, portal: str) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(f"{portal}/sign-in")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("text=Dark")
    assert page.evaluate(ground) != light
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.close()


def test_the_pages_work_without_javascript(browser: Browser, filled: World, portal: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, filled, portal)
    page.goto(f"{portal}/exports")
    page.click("text=Make a file")
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody tr").count() == 1
    page.goto(f"{portal}/usage")
    page.select_option("select[name=month]", "2026-09")
    page.click("text=Show")
    page.wait_for_selector("text=This month has no usage by day.")
    context.close()


def test_a_double_click_makes_one_file(browser: Browser, filled: World, portal: str) -> None:
    page = browser.new_page()
    sign_in(page, filled, portal)
    page.goto(f"{portal}/exports")
    page.dblclick("text=Make a file")
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody tr").count() == 1
    page.close()


def test_a_key_is_made_and_shown_once(browser: Browser, filled: World, portal: str, folder: Path) -> None:
    page = browser.new_page()
    sign_in(page, filled, portal)
    page.goto(f"{portal}/settings")
    page.get_by_label("Name", exact=True).fill("our ledger")
    page.locator("select[name=writes]").select_option("true")
    page.get_by_role("button", name="Make a key").click()
    secret = page.locator("#key").inner_text()
    look(page, folder, "key")
    page.goto(f"{portal}/settings")
    look(page, folder, "settings-key")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke the key our ledger").click()
    page.get_by_role("cell", name="revoked").wait_for()
    page.close()


def test_keyboard_and_skip_link(browser: Browser, filled: World, portal: str) -> None:
    page = browser.new_page()
    sign_in(page, filled, portal)
    page.goto(f"{portal}/invoices")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.outerHTML").startswith('<a class="skip"')
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "September 2026"
    page.keyboard.press("Enter")
    page.wait_for_url("**/invoices/2026-09@1/acme/USD")
    page.close()


def test_the_overview_follows_the_books(browser: Browser, filled: World, portal: str) -> None:
    page = browser.new_page()
    sign_in(page, filled, portal)
    page.wait_for_selector("text=Billed for October 2026")
    november = a_statement(usage("calls", "12.34", month="2026-11"), month="2026-11")
    draft = Draft(statement=november, days=(), complete_up_to=NOON, refreshed_at=NOON)
    PostgresDrafts(filled.books.as_role("worker")).keep(draft)
    page.wait_for_selector("text=On track to be billed for November 2026", timeout=20_000)
    assert "12.34" in page.inner_text(".figure")
    page.close()


def test_the_console_from_sign_in_to_its_list(browser: Browser, world: World, folder: Path) -> None:
    issuer, url = (f"http://127.0.0.1:{a_free_port()}" for _ in range(2))
    seed_visitors(world.books.owner_url, [(issuer, "pia", "pia")], [])
    role = world.books.as_role("console")
    face = Face("console", "Lumen Close", url, PostgresWebSessions(role), world.clock, embedded=True)
    app = console_of(face, Console(role), Provider(issuer, "tieout-console", "a-secret"), "a-word")
    provider = provider_of(issuer, "a-secret", f"{url}/sign-in/back")
    with serving(provider, urlsplit(issuer).port), serving(app, urlsplit(url).port):
        page = browser.new_page()
        outside = seen(page)
        page.goto(f"{url}/close")
        look(page, folder, "console-sign-in")
        page.click("main .button")
        page.click("text=Pia, billing operations")
        page.wait_for_url(f"{url}/close")
        assert "No close yet." in page.inner_text("main")
        look(page, folder, "console-empty")
        assert outside == []
        page.close()
