"""Rating: usage lines and rated lines a second of one core, each line with its explanation, with pools and without.

Usage comes as a reconciled month is kept: a table of hourly lines (billing/usage_table.py). `usage lines` are those;
`rated lines` are what the contract makes of them, one explanation each.
"""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from benchmarks.books import MODEL, MONTH, START, contracts
from billing.rating import statement as rule
from billing.usage_table import LINES
from devstack.book import seed
from models.contract import Commitment, Contract
from models.value import canonical_json
from runtime.memory import collect_rarely

HOURS = 31 * 24
METERS: tuple[tuple[str, str, dict[str, str]], ...] = (("call.minutes", "1.25", {}), ("llm.output_tokens", "40", MODEL))
POOL = Commitment.model_validate(
    {"id": "pool", "amount": "2500.00", "every": "month", "billing": "advance", "overage": {"multiplier": "1.25"}}
)
"""What it covers runs dry in the middle of the month."""


def measure(lines: int = 1_000_000) -> dict[str, Any]:
    """Return the rates of a month of many hours (with no pool, and with one that runs dry), and of many lines."""
    collect_rarely()  # as a worker does
    (contract,) = contracts(1)
    plain = contract.model_copy(update={"commitments": (), "credits": (), "entitlements": ()})
    pooled = plain.model_copy(update={"commitments": (POOL,)})
    by_assistant = plain.model_copy(
        update={"invoice": plain.invoice.model_copy(update={"group_by": ("meter", "assistant")})}
    )
    deep = _usage(lines // HOURS // len(METERS), HOURS)
    half = _usage(lines // HOURS // len(METERS) // 2, HOURS)
    wide = _usage(5_000, 1)
    whole, without = _timed(plain, deep)
    _, with_pool = _timed(pooled, deep)
    _, half_with_pool = _timed(pooled, half)
    rated, rating = _timed(by_assistant, wide)
    return {
        "usage_lines": deep.num_rows,
        "rated_lines_of_them": whole,
        "usage_lines_per_second": deep.num_rows / without,
        "usage_lines_per_second_with_pool": deep.num_rows / with_pool,
        "twice_the_lines_with_pool_cost": with_pool / half_with_pool,
        "rated_lines": rated,
        "rated_lines_per_second": rated / rating,
    }


def _timed(contract: Contract, usage: pa.Table) -> tuple[int, float]:
    """Return how many lines the statement has, and the best CPU time of three."""
    seconds, rates = [], seed.rates()
    for _ in range(3):
        began = time.process_time()
        statement = rule.statement_for([contract], usage, rates, MONTH, (), engine="benchmark")
        seconds.append(time.process_time() - began)
    return len(statement.lines), min(seconds)


def _usage(assistants: int, hours: int) -> pa.Table:
    """Return a month's lines of so many assistants over so many hours: each assistant is a dimension of its own."""
    count = assistants * hours
    starts = [START + timedelta(hours=hour) for hour in range(hours)]
    ends = [START + timedelta(hours=hour + 1) for hour in range(hours)]
    tables = []
    for meter, step, dimensions in METERS:
        dims = [canonical_json({**dimensions, "assistant": f"a-{number}"}) for number in range(assistants)]
        quantities = [Decimal(step) * (1 + number % 7) for number in range(assistants)]
        arrays = {
            "meter": [meter] * count,
            "dims": [one for one in dims for _ in range(hours)],
            "starts_at": starts * assistants,
            "ends_at": ends * assistants,
            "quantity": [one for one in quantities for _ in range(hours)],
            "events": [3] * count,
            "source": ["clickhouse"] * count,
        }
        tables.append(pa.table({field.name: pa.array(arrays[field.name], field.type) for field in LINES}))
    return pa.concat_tables(tables)
