"""Rating: how many lines the contract engine rates in a second of one core, with every explanation."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

from benchmarks.books import MONTH, START, contracts
from billing.rating import statement as rule
from devstack.book import seed
from models.usage import UsageLine

ASSISTANTS = 1_000
HOURS = 8


def measure() -> dict[str, Any]:
    """Return the rates for a customer with many lines of few hours, and for one with few lines of many hours."""
    (contract,) = contracts(1)
    invoice = contract.invoice.model_copy(update={"group_by": ("meter", "assistant")})
    by_assistant = contract.model_copy(update={"invoice": invoice})  # told apart on the invoice: a line for each
    rates = seed.rates()
    wide = _lines(ASSISTANTS, HOURS)
    deep = _lines(20, 31 * 24)
    results = {}
    for name, terms, usage in (("wide", by_assistant, wide), ("deep", contract, deep)):
        rule.statement_for([terms], usage[:100], rates, MONTH, (), engine="benchmark")
        began = time.process_time()
        statement = rule.statement_for([terms], usage, rates, MONTH, (), engine="benchmark")
        results[name] = (time.process_time() - began, len(statement.lines))
    return {
        "rated_lines": results["wide"][1],
        "rated_lines_per_second": results["wide"][1] / results["wide"][0],
        "usage_lines": len(deep),
        "usage_lines_per_second": len(deep) / results["deep"][0],
    }


def _lines(assistants: int, hours: int) -> list[UsageLine]:
    """Return usage lines of so many assistants over so many hours: each assistant is a dimension of its own."""
    return [
        UsageLine(
            meter=meter,
            dimensions={**dimensions, "assistant": f"a-{assistant}"},
            starts_at=START + timedelta(hours=hour),
            ends_at=START + timedelta(hours=hour + 1),
            quantity=Decimal(step) * (1 + assistant % 7),
            events=3,
            source="clickhouse",
        )
        for meter, step, dimensions in (
            ("call.minutes", "1.25", {}),
            ("llm.output_tokens", "40", {"provider": "mistral", "model": "mistral-large-4"}),
        )
        for assistant in range(assistants)
        for hour in range(hours)
    ]
