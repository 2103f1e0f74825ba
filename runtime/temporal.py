"""Temporal: the client, the converter, the sandbox, and how refusals become final."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from models.refusal import Refusal, RetryLater
from runtime.settings import Settings

CONNECT_ATTEMPTS = 10
MESSAGE_LIMIT = 2_000
"""Characters of an error kept in history: a body of megabytes would turn one failure into another."""

OUR_ROOMS = ("models", "billing", "activities", "workflows.options", "workflows.search", "workflows.inbox")
LIBRARIES = (
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "structlog",
    "babel",
    "dateutil",
    "zoneinfo",
    "tzdata",
    "duckdb",
    "pyarrow",
    "numpy",
    "pandas",
)
"""Passed through the sandbox: imported once, shared by all runs, so none of ours holds mutable module state."""


def sandbox() -> SandboxedWorkflowRunner:
    """Return the workflow runner: sandboxed, with our rooms and the libraries they use passed through."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*OUR_ROOMS, *LIBRARIES)
    )


def converter() -> DataConverter:
    """Return the data converter: pydantic values as JSON that a person can read in the Temporal UI."""
    return pydantic_data_converter


async def connect(settings: Settings, identity: str) -> Client:
    """Return a connected client; waits with growing pauses while the server is starting.

    Raises:
        RuntimeError: the server did not answer ten times.
    """
    pause = 0.2
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                data_converter=converter(),
                identity=identity,
            )
        except RuntimeError:
            if attempt == CONNECT_ATTEMPTS:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30)
    raise AssertionError("unreachable")


class RefusalsAreFinal(Interceptor):
    """Tell a rule's no (final, a person decides) from a fault (retried), at the one place all deeds pass."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the interceptor of one activity."""
        return _RefusalsAreFinal(next)


class _RefusalsAreFinal(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except Refusal as refusal:
            raise ApplicationError(
                str(refusal)[:MESSAGE_LIMIT], refusal.facts, type=refusal.code, non_retryable=True
            ) from refusal
        except RetryLater as later:
            raise ApplicationError(
                str(later)[:MESSAGE_LIMIT],
                type="RetryLater",
                next_retry_delay=timedelta(seconds=later.after_seconds),
            ) from later
        except ApplicationError:
            raise
        except Exception as fault:
            activity.logger.warning("deed.fault", extra={"fault": type(fault).__name__})
            raise ApplicationError(f"{fault}"[:MESSAGE_LIMIT], type=type(fault).__name__) from fault


class OneInstant(Interceptor):
    """Have each short deed read the books as of one instant: one snapshot until it writes, which also costs less.

    A deed that beats is a long pass, and one that is awaited runs among others on a thread: neither shares.
    """

    def __init__(self, at_one_instant: Callable[[], AbstractContextManager[None]]) -> None:
        self._at_one_instant = at_one_instant

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return the interceptor of one activity."""
        return _OneInstant(next, self._at_one_instant)


class _OneInstant(ActivityInboundInterceptor):
    def __init__(
        self, next: ActivityInboundInterceptor, at_one_instant: Callable[[], AbstractContextManager[None]]
    ) -> None:
        super().__init__(next)
        self._at_one_instant = at_one_instant

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        deed = input.fn
        if not activity.info().heartbeat_timeout and not inspect.iscoroutinefunction(deed):

            @functools.wraps(deed)
            def at_one_instant(*args: Any) -> Any:
                with self._at_one_instant():
                    return deed(*args)

            input = replace(input, fn=at_one_instant)
        return await self.next.execute_activity(input)


class Histories:
    """The `Histories` port: histories of workflows as JSON text."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def history(self, workflow_id: str, run_id: str) -> str:
        """Return a run's history as JSON; the latest run for an empty run id."""
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id or None)
        return (await handle.fetch_history()).to_json()


class NoHistories:
    """The `Histories` port where no history is asked for: outside a worker."""

    async def history(self, workflow_id: str, run_id: str) -> str:
        """Refuse: only a worker archives histories."""
        raise LookupError(f"no histories here: {workflow_id} {run_id}")
