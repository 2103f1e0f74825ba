"""Every form of both faces, found by crawling: no field breaks a page, and no refusal leaves a row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import urlsplit

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.terms import PostgresTerms
from models.close import Stage, State
from models.rate_change import RateProposal
from models.reconciliation import Cause, Finding, Severity
from tests.adapters.postgres.rows import a_rate
from tests.web.conftest import NOON, World
from tests.web.filled import reconciliation
from tests.web.test_console import MONTH, browser, console  # noqa: F401  the console is a fixture here too

pytestmark = [pytest.mark.stack, pytest.mark.slow]

NASTY = (
    "", " ", "\x00", "a\x00b", "'; DROP TABLE tieout.decisions; --", "<script>alert(1)</script>", "{{ 7 * 7 }}",
    "../../etc/passwd", "\r\nSet-Cookie: a=b", "9" * 400, "-1", "0", "NaN", "Infinity", "1e999999", "1,000.00", "٣",
    "\u202eevil", "💥" * 40, "a" * 3_000, "2026-13", "2026-10-01", "9999-12-31T23:59:59Z", "true", "null", "%00",
    "\ud7ff",
)  # fmt: skip
WRITTEN = (
    "decisions",
    "rate_proposals",
    "exports",
    "standing_exports",
    "billing_contacts",
    "alerts",
    "share_links",
    "notice_choices",
    "web_sessions",
)
ANSWERS = {200, 303, 400, 403, 404, 409, 413, 422, 503}


@dataclass
class FoundForm:
    """A form of a page: where it goes, how, and what a browser would send of it."""

    page: str
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What makes two forms the same to us: method, path and names."""
        return self.method, urlsplit(self.action).path, tuple(sorted({name for name, _ in self.fields}))


class Reader(HTMLParser):
    """Reads the forms and the links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[FoundForm] = []
        self.links: list[str] = []
        self._open: FoundForm | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.append(given["href"].partition("#")[0])
        if tag == "form":
            action = given.get("action") or urlsplit(self.page).path
            self._open = FoundForm(self.page, action, given.get("method", "get"))
            self.forms.append(self._open)
        if self._open is None:
            return
        if tag == "select":
            self._select = given.get("name")
        if tag == "option" and self._select and (self._select not in dict(self._open.fields)):
            self._open.fields.append((self._select, given.get("value", "")))
        if tag == "button" and given.get("formaction"):
            self.forms.append(FoundForm(self.page, given["formaction"], self._open.method, [*self._open.fields]))
        if tag in ("input", "button", "textarea") and given.get("name"):
            self._open.fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag == "select":
            self._select = None


def crawl(client: TestClient, begin: str) -> Iterator[FoundForm]:
    """Yield each kind of form once, of every page that is linked to."""
    ahead, seen, known = [begin], set(), set()
    while ahead:
        address = ahead.pop(0)
        path = urlsplit(address).path
        if (
            address in seen
            or path.endswith(("csv", ".pdf"))
            or path.startswith(("/papers", "/exports/", "/sign-", "/openapi"))
        ):
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code in (200, 303, 409), address  # 409: a report that refuses says why
        reader = Reader(address)
        reader.feed(answer.text)
        ahead += reader.links
        for form in reader.forms:
            if form.key not in known and form.action != "/sign-out":
                known.add(form.key)
                yield form


@pytest.fixture
def busy(console: FastAPI, filled: World) -> FastAPI:  # noqa: F811
    """A console with something in every page: a statement to sign, a parked customer, a finding, a proposal."""
    worker = filled.books.as_role("worker")
    evidence, closes, terms = PostgresEvidence(worker), PostgresCloses(worker), PostgresTerms(worker)
    finding = Finding(
        id="f1",
        customer="acme",
        period=MONTH,
        cause=Cause.UNIT,
        severity=Severity.HOLDS,
        source="posthog",
        against="clickhouse",
        meter="call.minutes",
        starts_at=NOON,
        ends_at=NOON,
        quantity=Decimal(60),
        against_quantity=Decimal(1),
        evidence="seconds",
        suggestion="accept clickhouse",
    )
    held = reconciliation(filled.shelf, "acme").model_copy(update={"findings": (finding,)})
    evidence.keep_reconciliation(held, 1, NOON)
    closes.project(MONTH, 1, "acme", Stage.RATE, State.NEEDS_ATTENTION, NOON, "NoRate")
    [statement] = _statements(filled)
    closes.project(MONTH, 1, "bolt", Stage.APPROVE, State.WAITING, NOON, "", total="140.00", currency="USD",
                   statement=statement)  # fmt: skip
    catalogued = a_rate("2026-01-01", "0.04")
    terms.add_rates((catalogued,), "pia", "cora", NOON)
    proposal = RateProposal(table="file", version=a_rate("2026-12-01", "0.05"), known=catalogued)
    PostgresRateChanges(filled.books.as_role("console")).propose([proposal], "pia", NOON)
    return console


def _statements(world: World) -> list[str]:
    with world.books.connect() as owner:
        return [row[0] for row in owner.execute(
            "SELECT fingerprint FROM tieout.statements WHERE customer = 'bolt' AND period = '2026-10'"
        )]  # fmt: skip


def rows(owner: psycopg.Connection) -> dict[str, int]:
    """Return how many rows of what forms write there are."""
    counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM tieout.{table}" for table in WRITTEN)
    return dict(owner.execute(counts).fetchall())


def attack(world: World, client: TestClient, forms: list[FoundForm]) -> int:
    """Send every nasty value in every field of every form; return how many were sent."""
    with world.books.connect() as owner:
        owner.autocommit = True
        return sum(_attack(owner, client, form) for form in forms)


def _attack(owner: psycopg.Connection, client: TestClient, form: FoundForm) -> int:
    sent = 0
    for name in sorted({name for name, _ in form.fields} - {"csrf"}):
        for value in NASTY:
            given = {**dict(form.fields), name: value}
            before = rows(owner)
            if form.method == "post":
                answer = client.post(form.action, data=given)
            else:
                answer = client.get(urlsplit(form.action).path, params=given)
            sent += 1
            said = (form.page, form.action, name, value[:40], answer.status_code)
            assert answer.status_code in ANSWERS, said
            assert "Traceback" not in answer.text, said
            assert "<script>alert" not in answer.text, said
            assert "set-cookie" not in answer.headers or "a=b" not in answer.headers["set-cookie"], said
            added = {table: count - before[table] for table, count in rows(owner).items() if count != before[table]}
            if answer.status_code >= 400:
                assert added == {}, said
            assert all(count == 1 for count in added.values()), said
    return sent


def test_no_field_of_the_console_breaks_it_or_half_writes(busy: FastAPI, filled: World) -> None:
    cora = browser(busy, filled, "cora")
    forms = list(crawl(cora, "/close"))
    paths = {form.key[:2] for form in forms}
    assert {
        ("post", "/close"), ("post", f"/close/{MONTH}/exceptions/resolve"), ("post", f"/close/{MONTH}/approval"),
        ("post", f"/close/{MONTH}/customers/acme/decide"), ("post", f"/close/{MONTH}/customers/bolt/decide"),
        ("post", f"/close/{MONTH}/period/tie-out"), ("post", f"/close/{MONTH}/period/lock"),
        ("post", "/rates/changes/new"), ("get", "/journal"), ("get", "/audit"),
    } <= paths, paths  # fmt: skip
    assert attack(filled, cora, forms) > 500


def test_no_field_of_the_portal_breaks_it_or_half_writes(filled: World) -> None:
    admin = filled.signed_in("acme-admin")
    forms = list(crawl(admin, "/"))
    paths = {form.key[:2] for form in forms}
    assert {
        ("post", "/exports"),
        ("post", "/alerts"),
        ("post", "/alerts/preview"),
        ("post", "/shares"),
        ("get", "/usage"),
    } <= paths, paths
    assert attack(filled, admin, forms) > 200


def test_the_sign_in_form_breaks_for_nobody(world: World) -> None:
    nobody = world.browser()
    assert attack(world, nobody, _sign_in(nobody)) > 20


def _sign_in(client: TestClient) -> list[FoundForm]:
    reader = Reader("/sign-in")
    reader.feed(client.get("/sign-in").text)
    return reader.forms
