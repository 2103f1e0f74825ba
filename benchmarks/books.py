"""Books to measure with: as many customers and calls as wanted, always the same."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from devstack.book import seed
from devstack.book.calls import Usage
from models.columns import COLUMNS
from models.contract import Contract
from models.period import Period
from models.value import canonical_json

MONTH = "2026-10"
START = datetime(2026, 10, 1, tzinfo=UTC)
MODEL = {"provider": "mistral", "model": "mistral-large-4"}
METERS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("call.minutes", "0.05", {}),
    ("llm.input_tokens", "900", MODEL),
    ("llm.output_tokens", "40", MODEL),
    ("transport.minutes", "0.05", {"provider": "twilio"}),
)
"""Meter, quantity of a step, dimensions: what a call is metered as."""


def contracts(count: int) -> tuple[Contract, ...]:
    """Return so many contracts, each as the demo's Cirrus has it."""
    (model,) = [one for one in seed.contracts() if one.customer == "cirrus"]
    return tuple(
        model.model_copy(
            update={
                "contract": f"bench-{number:05}-2026",
                "customer": f"bench-{number:05}",
                "name": f"Bench {number}",
                "email": f"bench-{number:05}@example.com",
            }
        )
        for number in range(count)
    )


def call_facts(customer: str, calls: int) -> Iterator[Usage]:
    """Yield what so many calls of October are metered as."""
    chance = random.Random(customer)
    for number in range(calls):
        at = START + timedelta(seconds=chance.randrange(31 * 86_400))
        steps = chance.randint(5, 160)
        for meter, step, dimensions in METERS:
            yield Usage(f"{customer}-{number}", customer, meter, Decimal(step) * steps, at, dimensions)


def batch_of(facts: Sequence[Usage], place: str) -> pa.RecordBatch:
    """Return facts as a source reports them."""
    at = [one.at for one in facts]
    texts: dict[int, str] = {}
    dims = [texts.setdefault(id(one.dimensions), canonical_json(dict(one.dimensions))) for one in facts]
    arrays = {
        "id": [one.id for one in facts],
        "account": [one.customer for one in facts],
        "meter": [one.meter for one in facts],
        "quantity": [one.quantity for one in facts],
        "starts_at": at,
        "ends_at": [None] * len(facts),
        "received_at": at,
        "dims": dims,
        "place": [place] * len(facts),
    }
    return pa.RecordBatch.from_arrays(
        [pa.array(arrays[column.name], column.type) for column in COLUMNS], schema=COLUMNS
    )


class ListedUsage:
    """The `UsageSource` port on a list of facts."""

    grain = "event"
    timezone = "UTC"

    def __init__(self, name: str, facts: Sequence[Usage]) -> None:
        self.name = name
        self._batch = batch_of(facts, name)

    def watermark(self) -> datetime:
        """Return an instant after every customer's month."""
        return START + timedelta(days=32)

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield all facts in one batch: all lie in the window."""
        assert START in window
        yield self._batch
