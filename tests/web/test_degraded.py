"""The pages while what stands behind them is loading, slow or down, in a real browser: each says so, in time."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from adapters.postgres.closes import PostgresCloses
from devstack.book import seed
from devstack.faces import Faces
from devstack.up import Stack
from migrations.upgrade import upgrade
from models.close import Stage, State
from runtime import settings, wiring
from tests.web.stack_of_faces import SHOTS, a_page, chromium, look

pytestmark = [pytest.mark.stack, pytest.mark.slow]

MONTH = "2026-10"
AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
SAID = AT.strftime("%-d %b %Y, %H:%M UTC")
BOUND_SECONDS = 8.0
"""Within which a page says that the books are slow: the patience of one question, and the rest of the page."""


@dataclass
class World:
    """The embedded stack without workers, its faces, and the worker's books."""

    stack: Stack
    faces: Faces
    closes: PostgresCloses


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def world(browser: Browser) -> Iterator[World]:
    """A close whose sources are still being sealed; tests move it on in their order."""
    folder = Path(tempfile.mkdtemp(prefix="tieout-degraded-"))
    folder.chmod(0o755)  # PostgreSQL runs as another account where we are root
    before = dict(os.environ)
    try:
        with Stack(folder / "state", {}) as stack:
            os.environ.update(stack.endpoints.as_environment())
            upgrade(stack.endpoints.database_url)
            seed.seed_demo_people(stack.endpoints.database_url, stack.state.root)
            faces = Faces(stack.state, stack.endpoints.as_environment())
            faces.seed(seed.contracts())
            closes = PostgresCloses(wiring.database(settings.load(), "worker"))
            faces.start()
            try:
                yield World(stack, faces, closes)
            finally:
                faces.stop()
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cora(browser: Browser, world: World) -> Iterator[Page]:
    """The controller's page; nothing of it asked another host, nothing broke in it."""
    watched = a_page(browser)
    watched.page.goto(world.faces.console_sign_in("cora"))
    expect(watched.page.get_by_role("heading", name="Closes", exact=True)).to_be_visible()
    yield watched.page
    assert watched.strangers == []
    assert watched.errors == []


@pytest.fixture(scope="module")
def acme(browser: Browser, world: World) -> Page:
    """The page of acme's administrator."""
    page = a_page(browser).page
    page.goto(world.faces.portal_sign_in("acme-admin"))
    page.click("main button")
    expect(page.get_by_text("No usage yet for this contract.")).to_be_visible()
    return page


@contextmanager
def held(world: World, table: str) -> Iterator[None]:
    """Hold a table as a migration would: whoever reads it waits."""
    with psycopg.connect(world.stack.endpoints.database_url, autocommit=False) as held:
        held.execute(f"LOCK TABLE tieout.{table} IN ACCESS EXCLUSIVE MODE")
        yield
        held.rollback()


def test_every_page_of_the_console_empty(cora: Page, world: World) -> None:
    for address in ("/close", "/invoices", "/journal", "/reports", "/rates", "/contracts", "/audit"):
        cora.goto(f"{world.faces.console.url}{address}")
        expect(cora.locator(".panel.empty").first).to_be_visible()
        look(cora, SHOTS, f"console-empty{address.replace('/', '-')}")


def test_a_close_whose_sources_are_being_sealed_is_loading(cora: Page, world: World) -> None:
    world.closes.open_close(MONTH, 1, "pia", True, AT)
    cora.goto(f"{world.faces.console.url}/close/{MONTH}")
    expect(cora.locator(".panel.loading[aria-busy=true]")).to_be_visible()
    look(cora, SHOTS, "console-loading-close")


def test_while_the_workflows_are_down_the_last_projection_stands_with_its_time(cora: Page, world: World) -> None:
    console = world.faces.console.url
    world.closes.project(MONTH, 1, "acme", Stage.APPROVE, State.WAITING, AT, "1 to approve", total="12.00",
                         currency="USD", statement="a" * 64)  # fmt: skip
    cora.goto(f"{console}/close/{MONTH}")
    expect(cora.locator("[data-connection]")).to_have_text("live")
    assert cora.locator(".panel.degraded").count() == 0
    world.stack.temporal.kill()
    try:
        expect(cora.locator(".panel.degraded")).to_contain_text(SAID, timeout=15_000)  # brought by the stream
        expect(cora.locator("tbody tr")).to_contain_text("12.00")
        for page in ("", "/exceptions", "/approval", "/period", "/customers/acme"):
            cora.goto(f"{console}/close/{MONTH}{page}")
            expect(cora.locator(".panel.degraded").first).to_contain_text("nothing can be decided at the moment")
            expect(cora.locator(".panel.degraded").first).to_contain_text(SAID)
            look(cora, SHOTS, f"console-degraded{page.replace('/', '-')}")
        cora.goto(f"{console}/close")
        cora.get_by_label("Period").fill("2026-09")
        cora.get_by_role("button", name="Start").click()
        expect(cora.locator("main")).to_contain_text("The workflows can't be reached")
        expect(cora.locator("main")).to_contain_text("nothing was decided")
        look(cora, SHOTS, "console-refused")
        assert world.closes.decisions(MONTH, 1, "acme") == ()
    finally:
        world.stack.temporal.start()
    cora.goto(f"{console}/close/{MONTH}")
    expect(cora.locator(".panel.degraded")).to_have_count(0, timeout=30_000)


def test_slow_books_are_said_to_be_slow_within_a_bound(cora: Page, acme: Page, world: World) -> None:
    for page, table, address in (
        (cora, "customer_closes", f"{world.faces.console.url}/close/{MONTH}"),
        (acme, "statements", f"{world.faces.portal.url}/"),
    ):
        with held(world, table):
            began = time.monotonic()
            answer = page.goto(address)
            assert time.monotonic() - began < BOUND_SECONDS
            assert answer is not None
            assert answer.status == 503
            expect(page.locator("main")).to_contain_text("The books take too long to answer")
            assert "Traceback" not in page.content()
            look(page, SHOTS, f"slow-{table}")
        page.goto(address)
        expect(page.locator(".panel.problem")).to_have_count(0)


def test_without_books_the_live_part_says_so_and_comes_back_by_itself(cora: Page, acme: Page, world: World) -> None:
    console = f"{world.faces.console.url}/close/{MONTH}"
    cora.goto(console)
    expect(cora.locator("[data-connection]")).to_have_text("live")
    world.stack.postgres.kill()
    try:
        expect(cora.locator("[data-connection]")).to_contain_text("not live", timeout=20_000)
        expect(cora.locator("tbody tr")).to_contain_text("12.00")  # what stood there still does
        look(cora, SHOTS, "console-not-live")
        for address in (f"{world.faces.console.url}/rates", f"{world.faces.portal.url}/usage"):
            page = cora.context.new_page() if address.startswith(world.faces.console.url) else acme
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 503
            assert answer.headers["retry-after"] == "10"
            expect(page.locator("main")).to_contain_text("The books can't be reached")
            look(page, SHOTS, f"down{address[-5:].replace('/', '-')}")
    finally:
        world.stack.postgres.start()
    expect(cora.locator("[data-connection]")).to_have_text("live", timeout=30_000)
    acme.goto(f"{world.faces.portal.url}/")
    expect(acme.get_by_text("No usage yet for this contract.")).to_be_visible()
