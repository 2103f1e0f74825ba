"""What the pages say is what the books have: one number everywhere, each with its explanation."""

import csv
import hashlib
import io
import re
from datetime import date
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from sqlalchemy import URL

from adapters.postgres.drafts import PostgresDrafts
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.sessions import Database
from adapters.postgres.web_sessions import PostgresWebSessions
from migrations.roles import role_url
from models.draft import DayOfLine, Draft
from runtime.portal import Portal
from tests.statement_builders import a_statement, usage
from tests.web.conftest import ISSUER, NOON, World, a_free_port, csrf_in, desks_of
from tests.web.conftest import URL as ADDRESS
from web.face import Face
from web.portal.app import portal_of

pytestmark = pytest.mark.stack
INVOICE = "/invoices/2026-10@1/acme/USD"


def values(page: str, after: str = "") -> list[str]:
    """Return the amounts of a page, from a word on, as they are for programs."""
    return re.findall(r'<data class="money[^"]*" value="([^"]+)"', page[page.index(after) :])


def test_the_headline_is_the_invoice_is_the_export(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    overview, invoice = browser.get("/").text, browser.get(INVOICE).text
    assert "Billed for October 2026" in overview
    assert values(overview, 'class="figure"')[0] == "140"  # 130.00 + 50.00 - 40.00
    assert values(invoice, 'class="figure"')[0] == "140"
    assert values(invoice, 'id="total"')[0] == "140"
    assert values(browser.get("/invoices").text)[0] == "140"
    rows = exported(filled, "lines", "csv")
    assert sum(Decimal(row["amount"]) for row in rows) == 140
    assert sum(Decimal(row["BilledCost"]) for row in exported(filled, "focus", "csv")) == 140


def test_the_total_is_made_up_of_parts_that_sum_to_it(filled: World) -> None:
    page = filled.signed_in("acme-viewer").get(INVOICE).text
    table = page[page.index("How the total is made up") : page.index("</table>")]
    assert [name for name in ("Usage", "Fees", "Paid by commitments") if name in table] == [
        "Usage",
        "Fees",
        "Paid by commitments",
    ]
    assert values(table) == ["130", "50", "-40", "140"]


def test_usage_is_a_subtotal_by_day_and_never_the_amount_due(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    page = browser.get("/usage").text
    assert "Subtotal before pools, credits and minimums" in page
    assert values(page)[:2] == ["130", "140"]  # the subtotal, then what is due
    assert page.count("<svg") >= 1
    rows = list(csv.DictReader(io.StringIO(browser.get("/usage.csv").text)))
    # 130.00 over 130 minutes: a dollar a minute, on the days it was used.
    assert [(row["day"], row["call.minutes"]) for row in rows] == [
        ("2026-10-01", "10"),
        ("2026-10-02", "20"),
        ("2026-10-31", "100"),
    ]
    september = browser.get("/usage?month=2026-09").text
    assert "no usage by day" in september
    assert browser.get("/usage?month=2020-01").status_code == 404
    assert browser.get("/usage?month=x").status_code == 422


def test_a_day_opens_to_its_hours(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    assert 'href="/usage/day?day=2026-10-31"' in browser.get("/usage").text
    page = browser.get("/usage/day?day=2026-10-31").text
    assert "31 Oct 2026, 09:00 UTC" in page
    assert 'value="100">100</data>' in page
    assert "Nothing by hour for this day." in browser.get("/usage/day?day=2026-10-05").text
    assert browser.get("/usage/day?day=2020-01-01").status_code == 404
    assert browser.get("/usage/day?day=x").status_code == 422


def test_why_october_differs_from_september(filled: World) -> None:
    page = filled.signed_in("acme-admin").get(INVOICE).text
    why = page[page.index('id="why"') :]
    # 90.00 to 140.00: calls +30.00, and the pool pays 20.00 less.
    assert values(why)[:2] == ["90", "140"]
    table = why[why.index("<tbody>") :]
    assert values(table)[:4] == ["90", "30", "20", "140"]
    assert "Paid by commitments" in table


def test_a_line_shows_the_very_explanation_the_terminal_prints(filled: World) -> None:
    page = filled.signed_in("acme-admin").get(INVOICE).text
    line = page[page.index('id="line-1"') : page.index('id="line-2"')]
    for said in ("by hand", "acme@1", "<code>calls</code>", "draw/pool", "40 opening + 0 granted"):
        assert said in line, said
    assert values(line[line.index("By day") :]) == ["10", "20", "100"]


def test_commitments_show_what_is_left_and_are_honest_about_the_pace(filled: World) -> None:
    page = filled.signed_in("acme-admin").get("/commitments").text
    assert values(page)[:3] == ["100", "100", "0"]
    assert "used up" in page


def exported(world: World, kind: str, form: str) -> list[dict[str, str]]:
    """Make an export and return its rows, with count and hash held against the list."""
    browser = world.signed_in("acme-admin")
    token = csrf_in(browser.get("/exports").text)
    browser.post("/exports", data={"csrf": token, "month": "2026-10", "kind": kind, "format": form})
    page = browser.get("/exports").text
    [path] = re.findall(r'href="(/exports/\w+)"', page)[:1]
    answer = browser.get(path)
    sha256 = hashlib.sha256(answer.content).hexdigest()
    assert sha256 in page
    assert answer.headers["x-content-sha256"] == sha256
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    else:
        rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert f'<td class="right">{len(rows)}</td>' in page
    return rows


@pytest.mark.parametrize(("kind", "rows"), [("lines", 3), ("usage", 3), ("focus", 2)])  # a draw is no FOCUS row
def test_csv_and_parquet_have_the_same_rows(filled: World, kind: str, rows: int) -> None:
    as_csv, as_parquet = exported(filled, kind, "csv"), exported(filled, kind, "parquet")
    assert len(as_csv) == rows
    assert [{name: text or "" for name, text in row.items()} for row in as_parquet] == as_csv


def test_every_export_and_its_fetch_is_logged(filled: World) -> None:
    exported(filled, "lines", "csv")
    with filled.books.connect("auditor") as connection:
        rows = connection.execute("SELECT customer, who, what FROM tieout.views").fetchall()
    assert len(rows) == 1
    assert rows[0][:2] == ("acme", "acme-admin")
    assert "lines of 2026-10 as csv, 3 rows" in rows[0][2]


def shared(world: World, days: str = "7") -> str:
    """Return the path of a share link of acme's invoice."""
    browser = world.signed_in("acme-admin")
    token = csrf_in(browser.get(INVOICE).text)
    page = browser.post("/shares", data={"csrf": token, "reference": "2026-10@1/acme/USD", "days": days}).text
    return re.search(rf"{ADDRESS}(/shared/[\w-]+)", page)[1]  # type: ignore[index]


def test_a_share_link_opens_one_page_without_signing_in(filled: World) -> None:
    path = shared(filled)
    stranger = filled.browser()
    page = stranger.get(path)
    assert page.status_code == 200
    assert values(page.text, 'id="total"')[0] == "140"
    assert "Share this invoice" not in page.text
    assert 'href="/usage"' not in page.text
    assert stranger.get(INVOICE).status_code == 303  # the page itself stays closed
    with filled.books.connect("auditor") as connection:
        looks = connection.execute("SELECT who FROM tieout.views WHERE who LIKE 'share:%'").fetchall()
    assert len(looks) == 1


def test_a_share_link_expires_and_can_be_revoked(filled: World) -> None:
    first, second = shared(filled, "1"), shared(filled, "30")
    filled.clock.later(days=1)
    stranger = filled.browser()
    assert stranger.get(first).status_code == 404
    assert stranger.get(second).status_code == 200
    browser = filled.signed_in("acme-admin")
    settings = browser.get("/settings").text
    [revoke] = re.findall(r'action="(/shares/\w+/revoke)"', settings)
    assert browser.post(revoke, data={"csrf": csrf_in(settings)}).status_code == 303
    gone = stranger.get(second)
    assert gone.status_code == 404
    assert gone.content == stranger.get("/shared/nothing").content


def test_a_viewer_and_finance_change_nothing(filled: World) -> None:
    console = PostgresWebSessions(filled.books.as_role("console"))
    console.open_person(ISSUER, "pia", "s1", "session", NOON, NOON.replace(hour=20))
    console.view_as("session", "acme", "l1", "a-link", NOON, NOON.replace(hour=13))
    finance = filled.browser()
    finance.post("/sign-in/link/a-link", data={"csrf": csrf_in(finance.get("/sign-in/link/a-link").text)})
    for browser in (filled.signed_in("acme-viewer"), finance):
        token = csrf_in(browser.get("/").text)
        assert "Make a link" not in browser.get(INVOICE).text
        for path, data in (
            ("/shares", {"reference": "2026-10@1/acme/USD", "days": "7"}),
            ("/shares/x/revoke", {}),
            ("/alerts", {"threshold": "1"}),
            ("/alerts/x/end", {}),
            ("/settings/webhooks", {"url": "https://hooks.example/", "types": "invoice.ready"}),
            ("/settings/webhooks/x/secret", {}),
            ("/settings/webhooks/x/replay", {"notice": "n"}),
            ("/settings/webhooks/x/end", {}),
        ):
            assert browser.post(path, data={"csrf": token, **data}).status_code == 403, path


def test_the_paper_is_the_one_that_was_stored(filled: World) -> None:
    answer = filled.signed_in("acme-viewer").get("/papers/2026-10@1/acme/USD")
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"


def a_draft(world: World, amount: str, minute: int) -> None:
    """Keep a draft of November, refreshed at so many minutes past noon."""
    november = a_statement(usage("calls", amount, month="2026-11"), month="2026-11")
    at = NOON.replace(minute=minute)
    day = DayOfLine(
        line="calls",
        since=november.lines[0].service.starts_at,
        day=date(2026, 11, 1),
        meter="call.minutes",
        dimensions={},
        quantity=Decimal(20),
        events=2,
        amount=Decimal(amount),
    )
    drafts = PostgresDrafts(world.books.as_role("worker"))
    drafts.keep(Draft(statement=november, days=(day,), complete_up_to=NOON.replace(hour=11), refreshed_at=at))


def test_a_running_month_is_on_track_as_of_its_refresh_and_no_file_is_made_of_it(filled: World) -> None:
    a_draft(filled, "12.34", minute=30)
    a_draft(filled, "99.99", minute=10)  # a late answer of an earlier refresh changes nothing
    browser = filled.signed_in("acme-admin")
    page = browser.get("/").text
    assert "On track to be billed for November 2026" in page
    assert values(page, 'class="figure"')[0] == "12.34"
    assert "12:30 UTC" in page
    assert "with usage up to" in page
    assert "11:00 UTC" in page
    assert [row["day"] for row in csv.DictReader(io.StringIO(browser.get("/usage.csv").text))] == ["2026-11-01"]
    assert "2026-11" not in browser.get("/exports").text
    assert values(browser.get(INVOICE).text, 'id="total"')[0] == "140"  # October stands
    assert "Billed for October 2026" in filled.signed_in("bolt-admin").get("/").text


def test_a_refresh_that_stopped_coming_is_said(filled: World) -> None:
    a_draft(filled, "12.34", minute=30)
    browser = filled.signed_in("acme-admin")
    assert "has not come through" not in browser.get("/").text
    filled.clock.later(hours=3, minutes=31)
    assert "has not come through" in browser.get("/").text


def test_books_that_take_too_long_are_given_up(filled: World) -> None:
    browser = filled.signed_in("acme-admin")
    slow = Database(role_url(filled.books.owner_url, "portal"), connections=1, patience_seconds=1)
    face = Face("portal", "Billing", ADDRESS, PostgresWebSessions(slow), filled.clock)
    app = portal_of(face, Portal(slow, filled.shelf), lambda *_: None, "Lumen", desks_of(slow, filled.clock))
    with filled.books.connect() as blocking:
        blocking.execute("LOCK TABLE tieout.statement_uses IN ACCESS EXCLUSIVE MODE")
        filled.app = app
        impatient = filled.browser()
        impatient.cookies.update(dict(browser.cookies))
        answer = impatient.get("/")
        blocking.rollback()
    assert answer.status_code == 503
    assert "take too long" in answer.text
    slow.dispose()


def test_once_the_close_has_rated_the_month_the_draft_is_past(filled: World) -> None:
    a_draft(filled, "12.34", minute=30)
    november = a_statement(usage("calls", "15.00", month="2026-11"), month="2026-11")
    PostgresEvidence(filled.books.as_role("worker")).keep_statement(november, 1, NOON)
    page = filled.signed_in("acme-admin").get("/").text
    assert values(page, 'class="figure"')[0] == "15"
    assert "final once the invoice is issued" in page


def test_a_dry_run_is_shown_to_nobody(filled: World) -> None:
    november = a_statement(usage("calls", "15.00", month="2026-11"), month="2026-11")
    PostgresEvidence(filled.books.as_role("worker")).keep_statement(november, 1001, NOON)
    assert "Billed for October 2026" in filled.signed_in("acme-admin").get("/").text


def test_a_first_visit_without_anything_says_what_will_come(world: World) -> None:
    browser = world.signed_in("acme-admin")
    assert "No usage yet for this contract." in browser.get("/").text
    for path in ("/usage", "/commitments", "/credits", "/invoices", "/exports", "/alerts", "/settings"):
        assert browser.get(path).status_code == 200, path
    assert browser.get("/usage.csv").status_code == 404


def test_without_the_store_a_page_says_so(filled: World) -> None:
    filled.shelf.gone = True
    browser = filled.signed_in("acme-viewer")
    answer = browser.get("/usage")
    assert answer.status_code == 503
    assert "so no number is shown" in answer.text
    assert "127.0.0.1:9" not in answer.text
    assert values(browser.get("/invoices").text)[0] == "140"


def test_without_the_books_a_page_says_so_and_shows_no_number(world: World) -> None:
    gone = Database(URL.create("postgresql", "u", "p", "127.0.0.1", a_free_port(), "tieout"))
    face = Face("portal", "Billing", ADDRESS, PostgresWebSessions(gone), world.clock)
    app = portal_of(face, Portal(gone), lambda *_: None, "Lumen", desks_of(gone, world.clock))
    world.app = app
    browser = world.browser()
    browser.cookies.set("tieout-portal", "anything")
    answer = browser.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert "The books can&#39;t be reached" in answer.text
    assert "money" not in answer.text
    gone.dispose()
