"""Rate API: how long a quote of ten lines takes over real HTTP, with twenty thousand rate versions in the catalog.

python -m benchmarks.rate_api measures it alone. The bar: under 20 ms at the 95th percentile.
"""

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from adapters.postgres.catalog import PostgresCatalog
from adapters.postgres.desk import seed_people
from adapters.postgres.keys import PostgresKeys
from adapters.postgres.sessions import Database
from adapters.postgres.terms import PostgresTerms
from devstack.postgres import Postgres
from devstack.servers import rate_api
from devstack.state import State
from migrations.roles import role_url
from migrations.upgrade import upgrade
from models.access import ApiKey, Scope
from models.close import Role
from models.rate_card import RateVersion

MODELS = 5_000
VERSIONS_EACH = 4
LINES = 10
WARM_UP = 50
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "benchmark"


def versions() -> Iterator[RateVersion]:
    """Yield four quarters of prices for five thousand models."""
    for model in range(MODELS):
        for quarter in range(VERSIONS_EACH):
            yield RateVersion(
                rate="list",
                meter="llm.input_tokens",
                where={"provider": f"p{model % 40}", "model": f"m-{model}"},
                starts_at=SINCE + timedelta(days=90 * quarter),
                amount=Decimal(100 + model + quarter) / 100,
                per=Decimal(1_000_000),
                currency="USD",
                source="benchmark",
                checked_on=date(2026, 1, 1),
            )


def asked(number: int) -> dict[str, Any]:
    """Return the number-th question: ten lines of models and instants far from the one before."""
    lines = []
    for line in range(LINES):
        model = (number * 7_919 + line * 104_729) % MODELS
        at = SINCE + timedelta(hours=(number * 31 + line * 797) % 8_760)
        lines.append(
            {
                "meter": "llm.input_tokens",
                "dimensions": {"provider": f"p{model % 40}", "model": f"m-{model}"},
                "quantity": str(1_000 + number),
                "at": at.isoformat(),
            }
        )
    return {"card": "list", "lines": lines}


def measure(folder: Path, quotes: int = 500) -> dict[str, Any]:
    """Return percentiles in milliseconds of so many quotes, one after the other by one connection, and the set-up."""
    state = State(folder)
    postgres = Postgres(state)
    postgres.start()
    try:
        upgrade(postgres.url)
        books = Database(role_url(postgres.url, "worker"), connections=1)
        console = Database(role_url(postgres.url, "console"), connections=1)
        seed_people(postgres.url, [("erik", "Erik", (Role.ENGINEER,), "t")])
        kept = PostgresTerms(books).add_rates(list(versions()), "ann", "bob", SINCE)
        key = ApiKey(id="k", name="benchmark", scopes=(Scope.RATES_READ, Scope.QUOTE), made_by="erik", made_at=SINCE)
        PostgresKeys(console).make(key, SECRET)
        head = PostgresCatalog(books).head()
        books.dispose()
        console.dispose()
        api = rate_api(state, {"TIEOUT_DATABASE_RATES_URL": _text(postgres.url)})
        began = time.perf_counter()
        api.start()
        ready = time.perf_counter() - began
        try:
            milliseconds = sorted(_quotes(api.url, quotes))
        finally:
            api.stop()
    finally:
        postgres.stop()
    return {
        "versions": kept,
        "head": head,
        "lines": LINES,
        "quotes": quotes,
        "ready_seconds": ready,
        **{f"p{at}_ms": milliseconds[int(quotes * at / 100)] for at in (50, 95, 99)},
    }


def _quotes(url: str, quotes: int) -> Iterator[float]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        for number in range(WARM_UP + quotes):
            body = asked(number)
            began = time.perf_counter()
            answer = client.post("/v1/quote", json=body)
            taken = time.perf_counter() - began
            if answer.status_code != 200 or len(answer.json()["lines"]) != LINES:
                raise RuntimeError(f"not a quote: {answer.status_code} {answer.text}")
            if number >= WARM_UP:
                yield taken * 1000


def _text(owner_url: str) -> str:
    return role_url(owner_url, "rates").render_as_string(hide_password=False)


def said(result: dict[str, Any]) -> str:
    """Return the result in a sentence."""
    return (
        f"{result['quotes']} quotes of {result['lines']} lines over HTTP, {result['versions']:,} rate versions: "
        f"p50 {result['p50_ms']:.1f} ms, p95 {result['p95_ms']:.1f} ms, p99 {result['p99_ms']:.1f} ms"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tieout-bench-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)  # PostgreSQL runs as another account where we are root
        print(said(measure(Path(place))))
