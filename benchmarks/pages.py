"""Pages: how long each page of the portal takes over real HTTP, with a thousand customers' year in the books.

python -m benchmarks.pages measures it alone. The bar: under 200 ms at the 95th percentile, with fifty watching live.
"""

import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from adapters.postgres.desk import seed_people
from adapters.postgres.drafts import PostgresDrafts
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from billing import invoicing
from billing.rating import statement as rating
from billing.spread import days_of
from devstack.postgres import Postgres
from devstack.servers import Server
from devstack.state import State
from migrations.roles import role_url
from migrations.upgrade import upgrade
from models.close import Role
from models.contract import Contract
from models.draft import Draft
from models.invoice import IssuedInvoice
from models.period import month_period, months_between
from models.statement import Statement
from models.usage import UsageLine
from models.visitor import PortalRole, PortalUser
from runtime.sign_in import new_id, new_token

CUSTOMERS = 1_000
FIRST, LAST, RUNNING = "2026-01", "2026-10", "2026-11"
MODELS = 8
WATCHING = 50
PAGES = ("/", "/usage", "/usage?by=model", "/commitments", "/credits", "/invoices", "INVOICE", "/exports", "/alerts",
         "/settings")  # fmt: skip
AT = datetime(2026, 11, 24, tzinfo=UTC)


def contract(customer: str) -> Contract:
    """Return a year with a prepaid pool and a price for each meter."""
    return Contract.model_validate(
        {
            "schema": "tieout/contract/v1",
            "contract": f"{customer}-2026",
            "customer": customer,
            "currency": "USD",
            "timezone": "UTC",
            "term": {"start": "2026-01-01", "end": "2027-01-01"},
            "prices": [{"meter": "*", "price": {"kind": "unit", "amount": "0.01"}}],
            "fees": [{"id": "platform", "amount": "500.00", "every": "month", "timing": "advance"}],
            "commitments": [{"id": "year", "amount": "2000.00", "every": "year", "billing": "advance"}],
        }
    )


def used(month: str) -> Iterator[UsageLine]:
    """Yield a month's usage: eight models and five meters a day."""
    period = month_period(month, "UTC")
    at = period.starts_at
    while at < period.ends_at:
        for model in range(MODELS):
            for meter in ("call.minutes", "stt.minutes", "tts.characters", "llm.input_tokens", "llm.output_tokens"):
                yield UsageLine(
                    meter=meter,
                    dimensions={"model": f"m-{model}"},
                    starts_at=at,
                    ends_at=at + timedelta(hours=1),
                    quantity=Decimal(10 + model + at.day),
                    events=3,
                    source="benchmark",
                )
        at += timedelta(days=1)


def fill(owner: str) -> float:
    """Put a thousand customers' year into the books and return the seconds; each one's months are rated once."""
    began = time.perf_counter()
    seed_people(owner, [("pia", "Pia", (Role.PREPARER,), "a"), ("cora", "Cora", (Role.CONTROLLER,), "b")])
    names = [f"c{number:04}" for number in range(CUSTOMERS)]
    users = [
        PortalUser(id=f"{name}-admin", customer=name, email=f"{name}@x.example", name=name, role=PortalRole.ADMIN)
        for name in names
    ]
    seed_visitors(owner, [], users)
    worker = Database(role_url(owner, "worker"), connections=1)
    year, drafted = _year(contract("c0000"))
    terms, evidence, invoices = PostgresTerms(worker), PostgresEvidence(worker), PostgresInvoices(worker)
    drafts = PostgresDrafts(worker)
    for name in names:
        terms.add_contract(contract(name), "pia", "cora", AT)
        mine = {"customer": name, "contract": f"{name}-2026", "contract_version": f"{name}-2026@2026-01-01"}
        for statement in year:
            _issue(evidence, invoices, statement.model_copy(update=mine))
        drafts.keep(drafted.model_copy(update={"statement": drafted.statement.model_copy(update=mine)}))
    worker.dispose()
    return time.perf_counter() - began


def _year(terms: Contract) -> tuple[list[Statement], Draft]:
    prior: list[Statement] = []
    for month in months_between(FIRST, LAST):
        prior.append(rating.statement_for([terms], tuple(used(month)), (), month, prior, engine="benchmark"))
    usage = tuple(used(RUNNING))
    running = rating.statement_for([terms], usage, (), RUNNING, prior, engine="benchmark")
    return prior, Draft(statement=running, days=days_of(running, usage), complete_up_to=AT, refreshed_at=AT)


def _issue(evidence: PostgresEvidence, invoices: PostgresInvoices, statement: Statement) -> None:
    evidence.keep_statement(statement, 1, AT)
    invoice = invoicing.invoice_for(statement, 1)
    invoices.reserve(invoice, AT)
    invoices.issued(
        IssuedInvoice(
            reference=invoice.reference,
            stripe_id=f"in_{invoice.reference}",
            number=invoice.reference,
            status="paid",
            currency="USD",
            total=invoice.total,
            lines=len(invoice.lines),
            issued_at=AT,
            due_on=AT.date(),
        ),
        AT,
    )


def measure(folder: Path, rounds: int = 100) -> dict[str, Any]:
    """Return percentiles in milliseconds by page, of so many rounds by other customers each, fifty watching live."""
    state = State(folder)
    postgres = Postgres(state)
    postgres.start()
    try:
        upgrade(postgres.url)
        filled = fill(postgres.url)
        portal = Server("portal", "web.portal", state, {"TIEOUT_DATABASE_URL": postgres.url})
        portal.start()
        try:
            with ExitStack() as watching:
                for number in range(WATCHING):
                    watching.enter_context(_watching(postgres.url, portal.url, f"c{number:04}"))
                taken = _taken(postgres.url, portal.url, rounds)
        finally:
            portal.stop()
    finally:
        postgres.stop()
    return {"customers": CUSTOMERS, "filled in s": round(filled, 1), "watching": WATCHING, "pages": taken}


def _taken(owner: str, url: str, rounds: int) -> dict[str, dict[str, float]]:
    found: dict[str, list[float]] = {page: [] for page in PAGES}
    for number in range(rounds):
        customer = f"c{(number * 37 + 500) % CUSTOMERS:04}"
        with _signed_in(owner, url, customer) as browser:
            for page in PAGES:
                path = f"/invoices/{LAST}@1/{customer}/USD" if page == "INVOICE" else page
                began = time.perf_counter()
                browser.get(path).raise_for_status()
                found[page].append((time.perf_counter() - began) * 1000)
    return {page: percentiles(times) for page, times in found.items()}


def percentiles(times: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile."""
    ordered = sorted(times)
    return {f"p{share}": round(ordered[min(len(ordered) * share // 100, len(ordered) - 1)], 1) for share in (50, 95)}


@contextmanager
def _signed_in(owner: str, url: str, customer: str) -> Iterator[httpx.Client]:
    console = Database(role_url(owner, "console"), connections=1)
    token, now = new_token(), datetime.now(UTC)
    PostgresWebSessions(console).make_link(f"{customer}-admin", new_id(), token, now, now + timedelta(minutes=5))
    console.dispose()
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as browser:
        path = f"/sign-in/link/{token}"
        [csrf] = re.findall(r'name="csrf" value="(\w+)"', browser.get(path).text)
        browser.post(path, data={"csrf": csrf, "next": "/"})
        yield browser


@contextmanager
def _watching(owner: str, url: str, customer: str) -> Iterator[None]:
    """Have a customer watch the overview until the end; what is read then breaks off."""
    with _signed_in(owner, url, customer) as browser:

        def watch() -> None:
            with suppress(httpx.HTTPError), browser.stream("GET", "/live/overview") as stream:
                for _ in stream.iter_lines():
                    pass

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        yield


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="tieout-pages-") as folder:
        Path(folder).chmod(0o755)
        told = measure(Path(folder))
    pages = told.pop("pages")
    print(told)
    for page, taken in pages.items():
        print(f"{page:20} p50 {taken['p50']:7.1f} ms   p95 {taken['p95']:7.1f} ms")


if __name__ == "__main__":
    main()
