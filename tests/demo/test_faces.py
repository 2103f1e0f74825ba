"""One number for every customer of the demo: on the page, by the API, in the file, in the books and at Stripe.

After `make demo`, as `make up` serves it.
"""

import csv
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from adapters.postgres.books import Books
from devstack.book import seed
from devstack.faces import Faces
from devstack.up import Stack
from models.money import from_minor
from runtime import settings, wiring
from tests.demo.test_demo import demo

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("demo")]

MONTH = "2026-10"
CUSTOMERS = sorted(contract.customer for contract in seed.contracts())


@pytest.fixture(scope="module")
def up() -> Iterator[tuple[Stack, Faces]]:
    """A closed demo month, served."""
    folder = Path(tempfile.mkdtemp(prefix="tieout-faces-"))
    folder.chmod(0o755)
    before = dict(os.environ)
    try:
        code, said = demo(folder / "state")
        assert code == 0, said
        with Stack(folder / "state", {}) as stack:
            os.environ.update(stack.endpoints.as_environment())
            os.environ["TIEOUT_CACHE_FOLDER"] = str(folder / "cache")
            faces = Faces(stack.state, stack.endpoints.as_environment())
            faces.seed(seed.contracts())
            faces.start()
            try:
                yield stack, faces
            finally:
                faces.stop()
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


@contextmanager
def signed_in(faces: Faces, user: str) -> Iterator[httpx.Client]:
    """Yield a browser a user is signed in with, by the link that `make up` prints."""
    with httpx.Client(base_url=faces.portal.url, follow_redirects=True, trust_env=False, timeout=30) as browser:
        link = faces.portal_sign_in(user)
        token = re.search(r'name="csrf" value="(\w+)"', browser.get(link).text)
        assert token is not None
        assert browser.post(link, data={"csrf": token[1], "next": "/"}).status_code == 200
        yield browser


def value(page: str, after: str) -> Decimal:
    """Return the first amount of a page after a word."""
    found = re.search(r'<data class="money[^"]*" value="([^"]+)"', page[page.index(after) :])
    assert found is not None
    return Decimal(found[1])


@contextmanager
def asking(url: str, key: str) -> Iterator[httpx.Client]:
    """Yield a program with a key."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{url}/v1", headers=headers, trust_env=False, timeout=30) as program:
        yield program


def by_api(program: httpx.Client, reference: str) -> dict[str, Decimal]:
    """Return a customer's total as their own program is told it."""
    head = program.get("/overview").json()["head"]
    assert head["month"] == MONTH
    [listed] = [one for one in program.get("/invoices").json()["items"] if one["reference"] == reference]
    invoice = program.get(f"/invoices/{reference}").json()
    lines = program.get(f"/invoices/{reference}/lines", params={"limit": 1000}).json()
    assert lines["next"] is None
    assert listed["statement"] == invoice["invoice"]["statement"] == head["fingerprint"]
    return {
        "api overview": Decimal(head["total"]),
        "api list": Decimal(listed["total"]),
        "api invoice": Decimal(invoice["invoice"]["total"]),
        "api invoice lines": sum((Decimal(one["amount"]) for one in invoice["lines"]), Decimal(0)),
        "api lines": sum((Decimal(one["line"]["amount"]) for one in lines["items"]), Decimal(0)),
        "api made up": sum((Decimal(one["amount"]) for one in invoice["made_up"]), Decimal(0)),
    }


def exported(browser: httpx.Client, kind: str, column: str) -> Decimal:
    """Make a file of the month and return the sum of a column."""
    token = re.search(r'name="csrf" value="(\w+)"', browser.get("/exports").text)
    assert token is not None
    made = browser.post("/exports", data={"csrf": token[1], "month": MONTH, "kind": kind, "format": "csv"})
    path = re.search(r'href="(/exports/\w+)"', made.text)
    assert path is not None
    rows = csv.DictReader(io.StringIO(browser.get(path[1]).text))
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


def test_page_api_file_books_and_stripe_have_one_number_for_every_customer(up: tuple[Stack, Faces]) -> None:
    stack, faces = up
    database = wiring.database(settings.load(), "auditor")
    books = Books(database)
    told = {}
    tokens = json.loads((stack.state.root / "people.json").read_text())
    with asking(faces.console.url, tokens["audra"]) as auditor:
        asked = auditor.get("/invoices", params={"period": MONTH, "limit": 1000}).json()["items"]
    to_finance = {one["invoice"]["customer"]: Decimal(one["issued"]["total"]) for one in asked}
    for customer in CUSTOMERS:
        [view] = books.invoices(MONTH, customer)
        assert view.issued is not None
        at_stripe = httpx.get(
            f"{stack.endpoints.stripe_url}/v1/invoices/{view.issued.stripe_id}",
            auth=(stack.endpoints.stripe_key, ""),
            trust_env=False,
        ).json()
        with signed_in(faces, f"{customer}-admin") as browser:
            invoice = browser.get(f"/invoices/{view.invoice.reference}").text
            told[customer] = {
                "overview": value(browser.get("/").text, 'class="figure"'),
                "invoice": value(invoice, 'id="total"'),
                "list": value(browser.get("/invoices").text, view.issued.number),
                "lines": exported(browser, "lines", "amount"),
                "focus": exported(browser, "focus", "BilledCost"),
                "books": view.issued.total,
                "stripe": from_minor(at_stripe["total"], "USD"),
                "api of finance": to_finance[customer],
            }
        with asking(faces.portal.url, faces.program_key(customer)) as program:
            told[customer] |= by_api(program, view.invoice.reference)
    database.dispose()
    assert {customer: len(set(totals.values())) for customer, totals in told.items()} == dict.fromkeys(CUSTOMERS, 1), (
        told
    )


def test_every_page_of_every_customer_is_served(up: tuple[Stack, Faces]) -> None:
    _, faces = up
    for customer in CUSTOMERS:
        with signed_in(faces, f"{customer}-viewer") as browser:
            for path in ("/", "/usage", "/usage?by=model", "/usage.csv", "/commitments", "/credits", "/invoices",
                         f"/papers/{MONTH}@1/{customer}/USD", "/exports", "/alerts", "/settings"):  # fmt: skip
                assert browser.get(path).status_code == 200, (customer, path)


def test_a_link_is_mailed_through_the_catcher(up: tuple[Stack, Faces]) -> None:
    stack, faces = up
    with httpx.Client(base_url=faces.portal.url, trust_env=False, follow_redirects=True) as browser:
        token = re.search(r'name="csrf" value="(\w+)"', browser.get("/sign-in").text)
        assert token is not None
        browser.post("/sign-in", data={"csrf": token[1], "email": "viewer@acme.example"})
        mail = stack.mail.messages[-1]  # after the notices of the month
        assert mail["To"] == "viewer@acme.example"
        text = mail.get_body(("plain",))
        assert text is not None
        link = re.search(rf"{faces.portal.url}/sign-in/link/\S+", text.get_content())
        assert link is not None
        assert "Sign in as" in browser.get(link[0]).text


def test_each_role_signs_in_at_the_console(up: tuple[Stack, Faces]) -> None:
    _, faces = up
    for person in ("pia", "aron", "cora", "erik", "audra"):
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            page = browser.get(faces.console_sign_in(person))
            assert page.url.path == "/close"
            assert "October 2026" in page.text
            assert "5,649.43" in page.text  # the sum of the README's invoices
