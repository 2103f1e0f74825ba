"""A month closed by people's clicks alone, in real browsers: started, answered, approved, issued, locked, paid."""

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.stack_of_faces import Faces, Watched, a_page, chromium, refuse_barriers, shot, up

pytestmark = [pytest.mark.stack, pytest.mark.slow]

MONTH = "2026-10"
SETTLES_WITHIN_SECONDS = 150
CUSTOMERS = 13  # twelve with a contract, and an account nobody knows
PAGES = ("", "/exceptions", "/approval", "/period")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def faces(browser: Browser) -> Iterator[Faces]:
    folder = Path(tempfile.mkdtemp(prefix="tieout-test-"))
    folder.chmod(0o755)  # PostgreSQL runs as another account where we are root
    with up(folder / "state") as found:
        yield found


def signed_in(browser: Browser, faces: Faces, who: str, width: int = 1280, dark: bool = False) -> Watched:
    """Return a page on which somebody of finance is signed in."""
    watched = a_page(browser, width, dark)
    watched.page.goto(faces.sign_ins[who])
    expect(watched.page.get_by_role("heading", name="Closes", exact=True)).to_be_visible()
    return watched


def customers(page: Page) -> Locator:
    """Return the rows of the customers on a close's page."""
    return page.get_by_role("region", name="Customers").locator("tbody tr")


def states(page: Page) -> list[str]:
    """Return the states of the customers on a close's page."""
    return customers(page).locator("td:nth-child(3)").all_inner_texts()


def until(page: Page, url: str, settled: set[str], count: int) -> None:
    """Wait until every customer of a close is in one of these states; the page brings it by itself."""
    page.goto(url)
    over = time.monotonic() + SETTLES_WITHIN_SECONDS
    while time.monotonic() < over:
        shown = states(page)
        if len(shown) == count and all(any(word in state for word in settled) for state in shown):
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"not settled: {states(page)}")


def test_a_month_from_start_to_paid_by_clicks(browser: Browser, faces: Faces) -> None:
    pia = signed_in(browser, faces, "pia")
    page, close = pia.page, f"{faces.console}/close/{MONTH}"
    expect(page.get_by_text("No close yet.")).to_be_visible()
    refuse_barriers(page, "closes, empty")
    shot(page, "closes-empty")

    page.get_by_label("Period").fill(MONTH)
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(close)
    until(page, close, {"waiting", "needs attention"}, CUSTOMERS)
    shot(page, "close-waiting")

    # Pia started it: she may not approve.
    page.goto(f"{close}/customers/lyra")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("may not approve")).to_be_visible()

    # She answers each kind of finding at once, and takes the account nobody knows out.
    page.goto(f"{close}/exceptions")
    shot(page, "exceptions")
    for cause in page.locator("select[name=cause] option").evaluate_all("all => all.map(one => one.value)")[1:]:
        page.goto(f"{close}/exceptions?cause={cause}")
        page.locator("#bulk summary").click()
        page.locator("#bulk").get_by_label("Reason").fill(f"the logs show {cause}")
        page.locator("#bulk").get_by_role("button").click()
        expect(page.get_by_role("heading", name="findings answered")).to_be_visible()
    cora = signed_in(browser, faces, "cora")
    cora.page.goto(f"{close}/customers/KITE-EU")
    cora.page.get_by_label("Do").select_option("retry")
    cora.page.get_by_label("Reason").fill("somebody may have opened a contract")
    cora.page.get_by_role("button", name="Do it").click()
    expect(cora.page.locator("tbody tr", has_text="retry")).to_contain_text("done")
    until(cora.page, close, {"waiting", "needs attention"}, CUSTOMERS)  # it is parked again: nobody did
    cora.page.goto(f"{close}/customers/KITE-EU")
    cora.page.get_by_label("Do").select_option("skip")
    cora.page.get_by_label("Reason").fill("it is kite's, answered there")
    cora.page.get_by_role("button", name="Do it").click()
    expect(cora.page.locator("tbody tr", has_text="skip")).to_contain_text("done")
    until(page, close, {"waiting", "skipped"}, CUSTOMERS)
    page.goto(f"{close}/exceptions")
    expect(page.get_by_text("Nothing needs you.")).to_be_visible()

    # Pia pauses the close; what Aron signs meanwhile is invoiced only once Cora resumed it.
    page.goto(close)
    page.get_by_label("Reason").fill("the bank is closed")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("This close is paused by pia: the bank is closed")).to_be_visible()

    # Aron signs the list; what needs two people waits for Abby.
    aron, abby = signed_in(browser, faces, "aron"), signed_in(browser, faces, "abby")
    aron.page.goto(f"{close}/approval")
    shot(aron.page, "approval")
    aron.page.get_by_role("button", name="Approve 12 statements").click()
    aron.page.wait_for_url(close)
    until(page, close, {"paused", "waiting", "skipped"}, CUSTOMERS)
    assert len([one for one in states(page) if "paused" in one]) > 8
    expect(page.locator("tbody tr", has_text="lyra")).to_contain_text("paused by pia: the bank is closed")
    refuse_barriers(page, "close, paused")
    shot(page, "close-paused")
    cora.page.goto(close)
    cora.page.get_by_label("Reason").fill("it is open again")
    cora.page.get_by_role("button", name="Resume").click()
    expect(cora.page.get_by_text("This close is paused")).to_have_count(0)
    abby.page.goto(f"{close}/customers/acme")
    abby.page.get_by_role("button", name="Approve").dblclick()
    expect(abby.page.get_by_text("done").first).to_be_visible()
    until(page, close, {"done", "skipped"}, CUSTOMERS)
    shot(page, "close-done")
    approvals = abby.page.locator("tbody tr", has_text="Abby").count()
    assert approvals == 1  # a double click sends one message

    # Every customer has the invoice that was approved, to the cent.
    totals = dict(
        zip(
            customers(page).locator("th").all_inner_texts(),
            customers(page).locator("td:nth-child(4)").all_inner_texts(),
            strict=True,
        )
    )
    page.goto(f"{faces.console}/invoices?period={MONTH}")
    shot(page, "invoices")
    invoiced = dict(
        zip(
            page.locator("tbody tr td:nth-child(2)").all_inner_texts(),
            page.locator("tbody tr td:nth-child(4)").all_inner_texts(),
            strict=True,
        )
    )
    assert invoiced == {customer: total for customer, total in totals.items() if customer != "KITE-EU"}
    assert len(invoiced) == CUSTOMERS - 1

    # Abby signs what ties out, Cora locks the period.
    for name in ("Tie out anew", "Sign stripe", "Sign usage", "Sign grants", "Sign export"):
        abby.page.goto(f"{close}/period")
        abby.page.get_by_role("button", name=name).click()
        abby.page.wait_for_url(f"{close}/period")
    shot(abby.page, "period-signed")
    cora.page.goto(f"{close}/period")
    cora.page.get_by_label("Reason").fill("reviewed")
    cora.page.get_by_role("button", name="Lock October 2026").click()
    expect(cora.page.get_by_text("locked").first).to_be_visible()
    shot(cora.page, "period-locked")

    # Acme's bank pays; both pages say so, the other invoice is open still.
    cora.page.goto(f"{faces.console}/invoices/{MONTH}@1/acme/USD")
    at_stripe = re.search(r"\bin_\w+", cora.page.inner_text("main"))
    assert at_stripe is not None
    expect(cora.page.locator("main")).to_contain_text("open")
    faces.pay(at_stripe[0])
    over = time.monotonic() + SETTLES_WITHIN_SECONDS
    while "paid" not in cora.page.inner_text("dl.tiles") and time.monotonic() < over:
        cora.page.wait_for_timeout(500)
        cora.page.reload()
    expect(cora.page.locator("dl.tiles")).to_contain_text("paid")
    expect(cora.page.locator("dl.tiles")).to_contain_text("0.00 USD")
    shot(cora.page, "invoice-paid")
    cora.page.goto(f"{faces.console}/invoices?period={MONTH}")
    assert cora.page.locator("tbody tr", has_text="paid").count() == 1
    zoe = a_page(browser)
    zoe.page.goto(faces.sign_ins["acme"])
    zoe.page.click("main button")
    zoe.page.get_by_role("link", name="Invoices").click()
    expect(zoe.page.locator("tbody tr", has_text="October 2026")).to_contain_text("paid")
    shot(zoe.page, "portal-invoices-paid")
    zoe.page.get_by_role("link", name="October 2026").click()
    expect(zoe.page.locator(".as-of").first).to_contain_text("paid")

    for watched in (pia, cora, aron, abby, zoe):
        assert watched.strangers == []
        assert watched.errors == []


def test_a_locked_period_is_opened_by_two_people_and_locked_again(browser: Browser, faces: Faces) -> None:
    address = f"{faces.console}/close/{MONTH}/period"
    pia, cora, aron = (signed_in(browser, faces, who) for who in ("pia", "cora", "aron"))
    pia.page.goto(address)
    pia.page.get_by_label("Reason").fill("a late invoice")
    pia.page.get_by_label("Hours").fill("4")
    pia.page.get_by_role("button", name="Ask to open").click()
    expect(pia.page.get_by_text("You asked: a controller who is not you opens it.")).to_be_visible()
    aron.page.goto(address)
    expect(aron.page.get_by_role("button", name="Open October 2026")).to_be_disabled()
    cora.page.goto(address)
    expect(cora.page.get_by_text("a late invoice")).to_be_visible()
    refuse_barriers(cora.page, "period, asked to open")
    cora.page.get_by_role("button", name="Open October 2026").click()
    expect(cora.page.locator(".sentence").first).to_contain_text("reopened")
    expect(cora.page.get_by_text("Opened again by pia and cora")).to_be_visible()
    shot(cora.page, "period-reopened")
    for name in ("Tie out anew", "Sign stripe", "Sign usage", "Sign grants", "Sign export"):
        aron.page.goto(address)
        aron.page.get_by_role("button", name=name).click()
        aron.page.wait_for_url(address)
    cora.page.goto(address)
    cora.page.get_by_label("Reason").fill("reviewed again")
    cora.page.get_by_role("button", name="Lock October 2026").click()
    expect(cora.page.locator(".sentence").first).to_contain_text("locked")
    for watched in (pia, cora, aron):
        assert watched.strangers == []
        assert watched.errors == []


def test_a_rate_is_drafted_simulated_and_approved_by_another(browser: Browser, faces: Faces) -> None:
    rita, cora = signed_in(browser, faces, "rita"), signed_in(browser, faces, "cora")
    page = rita.page
    page.goto(f"{faces.console}/rates")
    page.locator("tbody tr", has_text="transport.minutes").first.get_by_role("link").click()
    refuse_barriers(page, "a rate's timeline")
    shot(page, "rate-timeline")
    page.get_by_role("link", name="Propose another price").click()
    page.get_by_label("In force from").fill("2026-10-15T00:00:00Z")
    page.get_by_label("Amount").fill("0.5")
    page.get_by_label("Read from").fill("the carrier's notice of 10 October")
    page.get_by_label("Checked on").fill("2026-11-24")
    page.get_by_role("button", name="Compare with the catalog").click()
    expect(page.get_by_text("Nothing is written yet.")).to_be_visible()
    refuse_barriers(page, "a draft")
    shot(page, "rate-draft")
    page.get_by_role("button", name="Propose and simulate").dblclick()
    expect(page.get_by_text("customer months rated again")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("You proposed it: another person approves.").or_(
        page.get_by_text("This is for approver and controller.")
    ).first).to_be_visible()  # fmt: skip
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    shot(page, "rate-simulated")
    cora.page.goto(page.url)
    refuse_barriers(cora.page, "a simulated proposal")
    cora.page.get_by_label("Reason").fill("as noticed")
    cora.page.get_by_role("button", name="Approve").click()
    expect(cora.page.locator("main ul").last).to_contain_text("approved", timeout=30_000)
    shot(cora.page, "rate-approved")
    for watched in (rita, cora):
        assert watched.strangers == []
        assert watched.errors == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_page_of_the_console_is_open_to_everybody(browser: Browser, faces: Faces, width: int, dark: bool) -> None:
    watched = signed_in(browser, faces, "cora", width, dark)
    page = watched.page
    invoice = f"/invoices/{MONTH}@1/acme/USD"
    addresses = ["/close", *(f"/close/{MONTH}{one}" for one in PAGES), f"/close/{MONTH}/customers/acme"]
    addresses += ["/contracts", "/contracts/acme", f"/audit?period={MONTH}"]
    addresses += [
        "/invoices",
        invoice,
        f"/journal?period={MONTH}",
        "/reports",
        "/rates",
        f"/reports/revenue?period={MONTH}",
    ]
    for address in addresses:
        page.goto(f"{faces.console}{address}")
        expect(page.locator("h1")).to_be_visible()
        refuse_barriers(page, address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{address} is {wide} wide"
        shot(page, f"console-{width}{'-dark' if dark else ''}-{address.strip('/').replace('/', '-').partition('?')[0]}")
    assert watched.strangers == []
    assert watched.errors == []
