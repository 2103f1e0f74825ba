"""Temporal: a short deed reads at one instant; one that beats, and one that is awaited, do not."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from runtime.temporal import OneInstant


class Innermost(ActivityInboundInterceptor):
    """Runs the deed, as the worker does."""

    def __init__(self) -> None:
        pass

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Return what the deed returns."""
        found = input.fn(*input.args)
        return await found if hasattr(found, "__await__") else found


def short(word: str) -> list[str]:
    """Return a word, and what is entered around it."""
    return [word, *around]


async def awaited(word: str) -> list[str]:
    """Return the same of a deed that is awaited."""
    return [word, *around]


around: list[str] = []


@contextmanager
def one_instant() -> Iterator[None]:
    """Note that it is entered."""
    around.append("one instant")
    try:
        yield
    finally:
        around.clear()


@pytest.mark.parametrize(
    ("deed", "beats", "entered"),
    [(short, 0, ["one instant"]), (short, 60, []), (awaited, 0, [])],
    ids=["short", "beats", "awaited"],
)
def test_a_short_deed_reads_at_one_instant(deed: Callable[..., Any], beats: int, entered: list[str]) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.default_info(), heartbeat_timeout=timedelta(seconds=beats))
    chain = OneInstant(one_instant).intercept_activity(Innermost())

    async def execute() -> Any:
        return await chain.execute_activity(ExecuteActivityInput(fn=deed, args=["done"], executor=None, headers={}))

    assert asyncio.run(environment.run(execute)) == ["done", *entered]
    assert around == []
