"""A thousand customers through shards, with the real deeds: nobody is lost, and no workflow task fails."""

import asyncio
from pathlib import Path

import pytest

from benchmarks import shards
from devstack.up import Stack

CUSTOMERS = 1_000
MOST_EVENTS, MOST_BYTES = 10_240, 10 << 20
"""From here on the server warns of a history (https://docs.temporal.io/workflow-execution/limits)."""


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_customers_close_in_shards_without_a_failed_task(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Stack(tmp_path, {}) as stack:
        found = asyncio.run(shards.measure(stack, CUSTOMERS))
    assert (found["customers"], found["shards"]) == (CUSTOMERS, 2)
    for events, size in found["longest_history"].values():
        assert events < MOST_EVENTS
        assert size < MOST_BYTES
