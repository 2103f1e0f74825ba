"""Expected: what each customer of the demo owes for October, worked out a second time by other means.

From the generator's true usage, before any fault, by SQL in DuckDB and terms written by hand here. Nothing of
the product's rules is imported: where this and the product agree to the cent, two people read the contract alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from adapters.genai import rate_versions
from devstack.book.calls import HABITS, Usage, true_usage
from devstack.book.traces import Client

CARD_SINCE = date(2026, 1, 1)
SQL = Path(__file__).with_name("expected.sql")

LIST: Sequence[tuple[str, str, str, str]] = (  # meter, provider, model, price of one unit
    ("call.minutes", "", "", "0.05"),
    ("transport.minutes", "twilio", "", "0.014"),
    ("stt.minutes", "deepgram", "nova-3", "0.0043"),
    ("tts.characters", "elevenlabs", "eleven_multilingual_v2", "0.00018"),
    ("tts.characters", "openai", "tts-1", "0.000015"),
)
OWN: Sequence[tuple[str, str, str, str, str]] = (  # customer, meter, provider, model, price of one unit
    ("acme", "llm.input_tokens", "openai", "gpt-4o", "0.0000021"),
    ("delta", "call.minutes", "", "", "0.06"),
    ("fjord", "llm.input_tokens", "openai", "gpt-4o", "0.00000225"),
    ("fjord", "llm.output_tokens", "openai", "gpt-4o", "0.000009"),
    ("fjord", "llm.input_tokens", "google", "gemini-2.5-flash", "0.00000028"),
    ("fjord", "llm.output_tokens", "google", "gemini-2.5-flash", "0.0000024"),
)
WITH_HISTORY = tuple(name for name, habit in HABITS.items() if habit.history)
MARKUP: Mapping[str, str] = {"acme": "1.08", "cirrus": "1.08"}
"""Factor on the list price of language models, for whoever has no price of their own."""

USAGE = pa.schema(
    [
        ("customer", pa.string()),
        ("meter", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("own_key", pa.bool_()),
        ("used_at", pa.timestamp("us", tz="UTC")),
        ("zone", pa.string()),
        ("quantity", pa.decimal128(16, 2)),
    ]
)


@dataclass(frozen=True)
class Expected:
    """Each customer's total, and what it truly used by meter."""

    totals: Mapping[str, Decimal]
    quantities: Mapping[str, Mapping[str, Decimal]]


def invoices(october: Sequence[Usage], month: str, traffic: Sequence[Client] = ()) -> Expected:
    """Return the expected invoices of October 2026; the months before are drawn again for whom they matter."""
    usage = list(october)
    for number in range(1, 10):
        usage += true_usage(f"2026-{number:02}", only=WITH_HISTORY, traffic=traffic)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("usage_in", _usage(usage))
        db.register("list_in", _list())
        db.register("own_in", _own())
        for statement in SQL.read_text().split(";\n"):
            if statement.strip():
                db.execute(statement)
        totals = dict(db.execute("SELECT customer, total FROM totals ORDER BY customer").fetchall())
        rows = db.execute(
            "SELECT customer, meter, sum(quantity) FROM priced WHERE month = $1 GROUP BY ALL ORDER BY ALL", [month]
        ).fetchall()
    quantities: dict[str, dict[str, Decimal]] = {}
    for customer, meter, quantity in rows:
        quantities.setdefault(customer, {})[meter] = quantity
    return Expected({name: Decimal(total) for name, total in totals.items()}, quantities)


def _usage(usage: Sequence[Usage]) -> pa.Table:
    return pa.table(
        {
            "customer": [one.customer for one in usage],
            "meter": [one.meter for one in usage],
            "provider": [one.dimensions.get("provider", "") for one in usage],
            "model": [one.dimensions.get("model", "") for one in usage],
            "own_key": ["own_key" in one.dimensions for one in usage],
            "used_at": [one.at for one in usage],
            "zone": [HABITS[one.customer].zone for one in usage],
            "quantity": [one.quantity for one in usage],
        },
        schema=USAGE,
    )


def _list() -> pa.Table:
    models = sorted({model for habit in HABITS.values() for model in habit.models})
    rows = [(meter, provider, model, datetime(2026, 1, 1), Decimal(price)) for meter, provider, model, price in LIST]  # noqa: DTZ001
    for one in rate_versions("list", models, CARD_SINCE, CARD_SINCE):
        rows.append(
            (
                one.meter,
                one.where["provider"],
                one.where["model"],
                one.starts_at.replace(tzinfo=None),
                one.amount / one.per,
            )
        )
    return pa.table(
        {
            "meter": [row[0] for row in rows],
            "provider": [row[1] for row in rows],
            "model": [row[2] for row in rows],
            "since": pa.array([row[3] for row in rows], pa.timestamp("us")),
            "price": pa.array([row[4] for row in rows], pa.decimal128(18, 12)),
        }
    )


def _own() -> pa.Table:
    return pa.table(
        {
            "customer": [*(row[0] for row in OWN), *MARKUP],
            "meter": [*(row[1] for row in OWN), *("llm.*" for _ in MARKUP)],
            "provider": [*(row[2] for row in OWN), *("" for _ in MARKUP)],
            "model": [*(row[3] for row in OWN), *("" for _ in MARKUP)],
            "price": pa.array([*(Decimal(row[4]) for row in OWN), *(None for _ in MARKUP)], pa.decimal128(18, 12)),
            "factor": pa.array([*(None for _ in OWN), *(Decimal(one) for one in MARKUP.values())], pa.decimal128(4, 2)),
        }
    )
