"""28,185 real requests rated: totals worked out a second time in SQL, straight from the published files.

Azure LLM inference trace 2023 (CC BY 4.0, https://github.com/Azure/AzurePublicDataset). The trace names no model:
one is assigned here. It is read in place, never copied.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from billing.rating.statement import statement_for
from models.contract import Contract
from models.rate_card import RateVersion
from models.usage import UsageLine

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "azure-llm-inference-2023"
FILES = ("AzureLLMInferenceTrace_code.csv", "AzureLLMInferenceTrace_conv.csv")

pytestmark = pytest.mark.data

CONTRACT = Contract.model_validate(
    {
        "schema": "tieout/contract/v1",
        "contract": "azure-2023",
        "customer": "azure",
        "currency": "USD",
        "timezone": "UTC",
        "term": {"start": "2023-11-01", "end": "2024-11-01"},
        "rate_card": "list-2023",
        "prices": [
            {"meter": "llm.*", "price": {"kind": "pass_through", "markup": "0.08"}},
            {
                "meter": "llm.input_tokens",
                "where": {"service": "conv"},
                "price": {
                    "kind": "graduated",
                    "tiers": [
                        {"up_to": "10000000", "amount": "2.50", "per": 1000000},
                        {"up_to": None, "amount": "2.00", "per": 1000000},
                    ],
                },
            },
        ],
    }
)


def rate(meter: str, amount: str, since: datetime) -> RateVersion:
    return RateVersion(
        rate="list-2023",
        meter=meter,
        starts_at=since,
        amount=Decimal(amount),
        per=Decimal(1_000_000),
        currency="USD",
        source="assigned by this test",
        checked_on=date(2026, 11, 24),
    )


RATES = (
    rate("llm.input_tokens", "2.50", datetime(2023, 1, 1, tzinfo=UTC)),
    rate("llm.output_tokens", "10", datetime(2023, 1, 1, tzinfo=UTC)),
    rate("llm.output_tokens", "12", datetime(2023, 11, 16, 18, 45, tzinfo=UTC)),  # changes inside the trace
)


def the_trace() -> list[UsageLine]:
    lines = []
    for file in FILES:
        service = "code" if "code" in file else "conv"
        with duckdb.connect() as db:
            rows = db.execute(
                "SELECT TIMESTAMP, ContextTokens, GeneratedTokens FROM read_csv($1, header = true)",
                [str(FOLDER / file)],
            ).fetchall()
        for at, prompt, answer in rows:
            at = at.replace(tzinfo=UTC)
            for meter, tokens in (("llm.input_tokens", prompt), ("llm.output_tokens", answer)):
                if tokens:
                    lines.append(
                        UsageLine(
                            meter=meter,
                            dimensions={"service": service},
                            starts_at=at,
                            ends_at=at,
                            quantity=Decimal(tokens),
                            events=1,
                            source="azure",
                        )
                    )
    return lines


SQL = """
WITH events AS (
    SELECT 'code' AS service, TIMESTAMP AS used_at, ContextTokens AS prompt, GeneratedTokens AS answer
    FROM read_csv($1, header = true)
    UNION ALL
    SELECT 'conv', TIMESTAMP, ContextTokens, GeneratedTokens FROM read_csv($2, header = true)
)
SELECT
    count(*),
    (SELECT round(sum(prompt) FILTER (service = 'code') * 0.0000025 * 1.08, 2) FROM events)
    + (SELECT round(least(sum(prompt) FILTER (service = 'conv'), 10000000) * 0.0000025, 2)
            + round(greatest(sum(prompt) FILTER (service = 'conv') - 10000000, 0) * 0.000002, 2) FROM events)
    + (SELECT sum(amount) FROM (
        SELECT round(sum(answer) * any_value(price) * 1.08, 2) AS amount
        FROM (SELECT *, CASE WHEN used_at < '2023-11-16 18:45:00' THEN 0.00001 ELSE 0.000012 END::DECIMAL(9, 6) AS price
              FROM events)
        GROUP BY price))
FROM events
"""


def test_the_azure_trace_is_rated_to_the_cent_of_an_independent_total() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"the shared data sets are not at {FOLDER}")
    with duckdb.connect() as db:
        requests, expected = db.execute(SQL, [str(FOLDER / file) for file in FILES]).fetchall()[0]
    statement = statement_for([CONTRACT], the_trace(), RATES, "2023-11", (), engine="test")
    assert requests == 28_185
    assert statement.total == Decimal(expected)
    assert sum(line.quantity for line in statement.lines if line.meter == "llm.input_tokens") == 18_059_974 + 22_361_870
