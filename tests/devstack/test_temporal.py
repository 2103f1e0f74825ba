"""Temporal through temporalio: search attributes, retention, and a workflow that outlives the server."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from devstack.temporal import SEARCH_ATTRIBUTES
from devstack.up import Stack

pytestmark = [pytest.mark.stack, pytest.mark.anyio]
CUSTOMER = SearchAttributeKey.for_keyword("CustomerId")
ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
CENTS = SearchAttributeKey.for_int("InvoiceCents")


@workflow.defn
class WaitsForAWord:
    def __init__(self) -> None:
        self.word: str | None = None

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.word is not None)
        assert self.word is not None
        return self.word

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word


async def test_a_close_is_found_by_its_search_attributes(stack: Stack) -> None:
    client = await Client.connect(stack.endpoints.temporal_address)
    attributes = TypedSearchAttributes(
        [SearchAttributePair(CUSTOMER, "acme"), SearchAttributePair(ATTENTION, True), SearchAttributePair(CENTS, 5)]
    )
    started = await client.start_workflow(
        WaitsForAWord.run, id="found", task_queue="nobody", search_attributes=attributes
    )
    async with asyncio.timeout(20):  # the server's visibility store follows its history
        while not [
            one async for one in client.list_workflows("CustomerId='acme' AND NeedsAttention=true AND InvoiceCents>4")
        ]:
            await asyncio.sleep(0.05)
    await started.terminate()


async def test_histories_are_kept_for_ten_years_under_every_attribute_of_ours(stack: Stack) -> None:
    client = await Client.connect(stack.endpoints.temporal_address)
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=stack.endpoints.temporal_namespace)
    )
    assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(hours=87_600)
    assert set(described.config.custom_search_attribute_aliases.values()) >= set(SEARCH_ATTRIBUTES)


async def test_a_workflow_open_at_a_kill_goes_on_after_the_restart(stack: Stack) -> None:
    address = stack.endpoints.temporal_address
    client = await Client.connect(address)
    await client.start_workflow(WaitsForAWord.run, id="survivor", task_queue="survivors")
    await asyncio.to_thread(stack.temporal.kill)
    await asyncio.to_thread(stack.temporal.start)
    assert stack.temporal.address == address
    client = await Client.connect(address)
    async with Worker(
        client, task_queue="survivors", workflows=[WaitsForAWord], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = client.get_workflow_handle("survivor", result_type=str)
        await handle.signal(WaitsForAWord.say, "still here")
        assert await asyncio.wait_for(handle.result(), 30) == "still here"


def test_the_ui_answers(stack: Stack) -> None:
    assert httpx.get(stack.endpoints.temporal_ui_url, follow_redirects=True).status_code == 200
