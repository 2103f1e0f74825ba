"""Console pages: how long each page of finance takes over real HTTP while a thousand statements wait for approval.

python -m benchmarks.console_pages measures it alone, over the books of `benchmarks.pages`. The bar: under 200 ms at
the 95th percentile. A report is made once for what is in the books; what is timed is every time after. Beside it: what
each report takes in a console that has just started, one after the other (the bar is 5 s), and after an entry was
posted (500 ms).
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import seed_people
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from benchmarks import pages
from billing import recognition
from billing.reports.registry import REPORTS
from devstack.postgres import Postgres
from devstack.servers import Server
from devstack.state import State
from devstack.temporal import NAMESPACE, Temporal
from migrations.roles import role_url
from migrations.upgrade import upgrade
from models.close import Role, Stage
from models.close import State as Standing
from models.entity import DEFAULT
from models.facts import inputs_of
from models.journal import Account, JournalEntry, Posting, Rule
from models.rate_card import RateVersion
from models.reconciliation import Cause, Finding, Reconciliation, Severity
from models.snapshot import Artifact
from runtime.sign_in import new_id, new_token

ISSUER = "http://127.0.0.1:9"
MONTH = pages.LAST
HELD = 50
RATES = 300
ONE = "c0500"
PAGES = (
    "/close", f"/close/{MONTH}", f"/close/{MONTH}/exceptions", f"/close/{MONTH}/approval", f"/close/{MONTH}/period",
    f"/close/{MONTH}/customers/{ONE}", "/invoices", f"/invoices?period={MONTH}", f"/invoices/{MONTH}@1/{ONE}/USD",
    f"/journal?period={MONTH}", "/reports", f"/reports/revenue?period={MONTH}", f"/reports/close-status?period={MONTH}",
    "/rates", "/contracts", f"/contracts/{ONE}", "/audit",
)  # fmt: skip


def fill(owner: str) -> None:
    """Put a close of a thousand customers beside their year: all wait for approval, fifty have a finding."""
    seed_people(owner, [("cora", "Cora", (Role.CONTROLLER,), "t")])
    seed_visitors(owner, [(ISSUER, "cora", "cora")], [])
    worker = Database(role_url(owner, "worker"), connections=1)
    closes, evidence, journal = PostgresCloses(worker), PostgresEvidence(worker), PostgresJournal(worker)
    closes.open_close(MONTH, 1, "scheduler", False, pages.AT)
    with worker.reading() as session:
        found = session.connection().execute(
            text("SELECT customer, fingerprint, total FROM statements WHERE period = :month ORDER BY customer"),
            {"month": MONTH},
        )
        statements = [(row.customer, row.fingerprint, row.total) for row in found]
    for number, (customer, fingerprint, total) in enumerate(statements):
        closes.project(MONTH, 1, customer, Stage.APPROVE, Standing.WAITING, pages.AT, "1 of 1 to approve",
                       statement=fingerprint, total=str(total), currency="USD")  # fmt: skip
        if number < HELD:
            evidence.keep_reconciliation(_reconciliation(customer), 1, pages.AT)
    _recognize(worker, [customer for customer, _, _ in statements])
    journal.post([_entry(customer) for customer, _, _ in statements], preparer="system", at=pages.AT)
    PostgresTerms(worker).add_rates([_rate(number) for number in range(RATES)], "pia", "cora", pages.AT)
    worker.dispose()


def _recognize(worker: Database, customers: Sequence[str]) -> None:
    """Leave of each customer's last month what the sixth stage leaves: all have one year, so it is made once."""
    evidence, names = PostgresEvidence(worker), dict[str, list[str]]()
    with worker.reading() as session:
        rows = session.connection().execute(text("SELECT customer, fingerprint FROM statements ORDER BY period"))
        for customer, fingerprint in rows:
            names.setdefault(customer, []).append(fingerprint)
    *prior, last = (evidence.statement(name) for name in names[customers[0]])
    made = recognition.schedule_for(last, prior, [pages.contract(customers[0])])
    for customer in customers:
        terms, mine = pages.contract(customer), names[customer]
        told = {"customer": customer, "contract": terms.contract, "statement": mine[-1]}
        inputs = inputs_of(mine, [terms], None, DEFAULT, ())
        evidence.keep_schedule(inputs, made.model_copy(update=told), pages.AT)


def _reconciliation(customer: str) -> Reconciliation:
    finding = Finding(
        id=f"unit-{customer}", customer=customer, period=MONTH, cause=Cause.UNIT, severity=Severity.HOLDS,
        source="posthog", against="clickhouse", meter="call.minutes", starts_at=pages.AT, ends_at=pages.AT,
        quantity=Decimal(60), against_quantity=Decimal(1), evidence="seconds", suggestion="accept clickhouse",
    )  # fmt: skip
    nothing = Artifact(uri="none", content_fingerprint="e" * 64, sha256="e" * 64, rows=0, bytes=0)
    return Reconciliation(
        customer=customer, period=MONTH, snapshots=(), totals=(), findings=(finding,), authority={}, usage=nothing
    )


def _entry(customer: str) -> JournalEntry:
    earned = [Posting(account=Account.USAGE, amount=Decimal(-10), meter=f"m-{number}") for number in range(9)]
    return JournalEntry(
        key=f"earned/{customer}", rule=Rule.B2, customer=customer, contract=f"{customer}-2026", period=MONTH,
        posted_on=date(2026, 10, 31), currency="USD", description="usage", statement="f" * 64,
        postings=(Posting(account=Account.UNBILLED, amount=Decimal(90)), *earned),
    )  # fmt: skip


def _rate(number: int) -> RateVersion:
    return RateVersion.model_validate(
        {
            "rate": "list", "meter": f"meter.{number}", "from": "2026-01-01T00:00:00Z", "amount": "1", "per": "1",
            "currency": "USD", "source": "a list", "checked_on": "2026-01-01",
        }
    )  # fmt: skip


def measure(folder: Path, rounds: int = 60) -> dict[str, Any]:
    """Return percentiles in milliseconds by page, of so many rounds each, and the first time of each.

    Of each report: its first time, after a write, and what the console holds at the end.
    """
    state = State(folder)
    postgres, temporal = Postgres(state), Temporal(state)
    postgres.start()
    temporal.start()
    try:
        upgrade(postgres.url)
        pages.fill(postgres.url)
        fill(postgres.url)
        given = {
            "TIEOUT_DATABASE_URL": postgres.url,
            "TIEOUT_TEMPORAL_ADDRESS": temporal.address,
            "TIEOUT_TEMPORAL_NAMESPACE": NAMESPACE,
            "TIEOUT_IDENTITY_ISSUER": ISSUER,
            "TIEOUT_IDENTITY_SECRET": "none",
            "TIEOUT_PAGES_SECRET": "none",
        }
        console = Server("console", "web.console", state, given)
        console.start()
        try:
            reports = _reports(postgres.url, console.url)
            found = _taken(postgres.url, console.url, rounds)
            return {**found, **reports, "the console": {"MiB": console.resident_bytes / 2**20}}
        finally:
            console.stop()
    finally:
        temporal.stop()
        postgres.stop()


def _taken(owner: str, url: str, rounds: int) -> dict[str, Any]:
    found: dict[str, list[float]] = {page: [] for page in PAGES}
    with _signed_in(owner, url) as browser:
        for _ in range(rounds + 1):
            for page in PAGES:
                began = time.perf_counter()
                browser.get(page).raise_for_status()
                found[page].append((time.perf_counter() - began) * 1000)
    return {page: {"first": round(times[0], 1), **pages.percentiles(times[1:])} for page, times in found.items()}


def _reports(owner: str, url: str) -> dict[str, Any]:
    """Return what each report takes in a console that made none yet, and after one entry more."""
    worker = Database(role_url(owner, "worker"), connections=1)
    found: dict[str, dict[str, float]] = {}
    with _signed_in(owner, url) as browser:
        for round_ in ("first", "after a write"):
            for name in REPORTS:
                if found.get(name):
                    entry = _entry(ONE).model_copy(update={"key": f"more/{name}"})
                    PostgresJournal(worker).post([entry], preparer="system", at=pages.AT)
                began = time.perf_counter()
                browser.get(f"/reports/{name}?period={MONTH}").raise_for_status()
                taken = round((time.perf_counter() - began) * 1000, 1)
                found.setdefault(name, {})[round_] = taken
    worker.dispose()
    return found


@contextmanager
def _signed_in(owner: str, url: str) -> Iterator[httpx.Client]:
    role = Database(role_url(owner, "console"), connections=1)
    token, now = new_token(), datetime.now(UTC)
    PostgresWebSessions(role).open_person(ISSUER, "cora", new_id(), token, now, now + timedelta(hours=1))
    role.dispose()
    with httpx.Client(base_url=url, trust_env=False, timeout=600, cookies={"tieout-console": token}) as browser:
        yield browser


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="tieout-console-pages-") as folder:
        Path(folder).chmod(0o755)
        for page, taken in measure(Path(folder)).items():
            print(f"{page:44} {'   '.join(f'{name} {value:8.1f}' for name, value in taken.items())}", flush=True)


if __name__ == "__main__":
    main()
