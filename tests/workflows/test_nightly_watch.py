"""NightlyWatch: a night named is watched as named; without one, it is the day the workflow stands for."""

import asyncio
from datetime import date

from activities.messages import NightWatched, WatchSchedule
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds
from workflows import options
from workflows.nightly_watch import NightlyWatch


def watched(deeds: Deeds, task: WatchSchedule, cache: int = 1000) -> tuple[NightWatched, ...]:
    """Run one night."""

    async def run() -> tuple[NightWatched, ...]:
        async with skipping() as env, workers(env.client, deeds, cache):
            return await env.client.execute_workflow(
                NightlyWatch.run, task, id="watch/night", task_queue=options.CLOSE_QUEUE
            )

    return asyncio.run(asyncio.wait_for(run(), 100))


def test_each_month_the_night_looks_at_is_watched_once_oldest_first(cache: int) -> None:
    deeds = Deeds()
    deeds.months = ("2026-09", "2026-10")
    seen = watched(deeds, WatchSchedule(zone="UTC", night=date(2026, 10, 2)), cache)
    assert [(one.month, one.alerts) for one in seen] == [("2026-09", 1), ("2026-10", 1)]
    assert deeds.calls == ["months 2026-10-02", "watch 2026-09 2026-10-02", "watch 2026-10 2026-10-02"]


def test_a_source_that_could_not_be_read_is_read_again() -> None:
    deeds = Deeds()
    deeds.failing = {"watch 2026-10 2026-10-02": [OSError("the network went away")]}
    seen = watched(deeds, WatchSchedule(zone="UTC", night=date(2026, 10, 2)))
    assert len(seen) == 1
    assert deeds.calls.count("watch 2026-10 2026-10-02") == 2
