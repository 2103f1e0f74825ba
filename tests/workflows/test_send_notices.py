"""SendNotices: what cannot be sent now is counted and left to the next round; the rest is sent."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.messages import NoticesDue, NoticeSent, NoticesTold, SendNotice
from tests.workflows.conftest import skipping
from workflows import options
from workflows.send_notices import SendNotices


def a_round(known: dict[str, int], sent: list[str]) -> NoticesTold:
    """Run a round over notices, each of which fails so many times first; return what it told."""

    @activity.defn(name="notify.write")
    def write() -> NoticesDue:
        return NoticesDue(notices=tuple(known))

    @activity.defn(name="notify.send")
    def send(task: SendNotice) -> NoticeSent:
        if activity.info().attempt <= known[task.notice]:
            raise ApplicationError("451 try again")
        sent.append(task.notice)
        return NoticeSent(notice=task.notice, sent=True)

    async def run() -> NoticesTold:
        async with skipping() as env:
            with ThreadPoolExecutor(4) as pool:
                async with (
                    Worker(
                        env.client,
                        task_queue=options.CLOSE_QUEUE,
                        workflows=[SendNotices],
                        activities=[write],
                        activity_executor=pool,
                    ),
                    Worker(env.client, task_queue=options.LEDGER_QUEUE, activities=[send], activity_executor=pool),
                ):
                    return await env.client.execute_workflow(
                        SendNotices.run, id="send-notices", task_queue=options.CLOSE_QUEUE
                    )

    return asyncio.run(asyncio.wait_for(run(), 200))


def test_a_server_that_recovers_gets_everything() -> None:
    sent: list[str] = []
    assert a_round({"invoice_ready/1": 0, "invoice_ready/2": 2}, sent) == NoticesTold(sent=2, failed=0)
    assert sorted(sent) == ["invoice_ready/1", "invoice_ready/2"]


def test_one_that_stays_down_holds_nobody_else() -> None:
    sent: list[str] = []
    assert a_round({"invoice_ready/1": 1000, "invoice_ready/2": 0}, sent) == NoticesTold(sent=1, failed=1)
    assert sent == ["invoice_ready/2"]
