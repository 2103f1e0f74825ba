"""MakeExports: a file that can't be made now holds up no other, and is counted and left to the next round."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.messages import ExportsDue, ExportsMade, MakeExport
from tests.workflows.conftest import skipping
from workflows import options
from workflows.make_exports import MakeExports


def a_round(known: dict[str, int], made: list[str]) -> ExportsMade:
    """Run a round over customers' files, each of which fails so many times first; return what it told."""

    @activity.defn(name="exports.due")
    def due() -> ExportsDue:
        return ExportsDue(
            exports=tuple(MakeExport(customer=one, kind="lines", format="csv", statement="f" * 64) for one in known)
        )

    @activity.defn(name="exports.make")
    def make(task: MakeExport) -> str:
        if activity.info().attempt <= known[task.customer]:
            raise ApplicationError("the store does not answer")
        made.append(task.customer)
        return task.customer

    async def run() -> ExportsMade:
        async with skipping() as env:
            with ThreadPoolExecutor(4) as pool:
                async with (
                    Worker(
                        env.client,
                        task_queue=options.CLOSE_QUEUE,
                        workflows=[MakeExports],
                        activities=[due],
                        activity_executor=pool,
                    ),
                    Worker(env.client, task_queue=options.USAGE_QUEUE, activities=[make], activity_executor=pool),
                ):
                    told: ExportsMade = await env.client.execute_workflow(
                        MakeExports.run, id="make-exports", task_queue=options.CLOSE_QUEUE
                    )
                    return told

    return asyncio.run(asyncio.wait_for(run(), 100))


def test_a_store_that_recovers_gets_every_file_made() -> None:
    made: list[str] = []
    assert a_round({"acme": 0, "bolt": 2}, made) == ExportsMade(made=2, failed=0)
    assert sorted(made) == ["acme", "bolt"]


def test_one_that_can_not_be_made_holds_nobody_else() -> None:
    made: list[str] = []
    assert a_round({"acme": 1000, "bolt": 0}, made) == ExportsMade(made=1, failed=1)
    assert made == ["bolt"]
