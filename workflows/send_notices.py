"""SendNotices: write what customers are to be told and send each; what can't be sent now is the next run's."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.messages import NoticesDue, NoticeSent, NoticesTold, SendNotice
from activities.notify import Notify
from workflows import options


@workflow.defn(name="SendNotices")
class SendNotices:
    """One round of mail, started by its Schedule every few minutes."""

    @workflow.run
    async def run(self) -> NoticesTold:
        """Return how many notices were sent, and how many could not be."""
        due: NoticesDue = await workflow.execute_activity_method(
            Notify.write, **options.with_summary(options.BOOKS, "write notices")
        )
        outcomes = await asyncio.gather(*(self.send(one) for one in due.notices))
        told = NoticesTold(
            sent=sum(one is not None and one.sent for one in outcomes), failed=sum(one is None for one in outcomes)
        )
        workflow.set_current_details(f"{told.sent} sent, {told.failed} not: they are tried again by the next round")
        return told

    async def send(self, notice: str) -> NoticeSent | None:
        """Send one notice; None where it could not be sent within the round."""
        try:
            sent: NoticeSent = await workflow.execute_activity_method(
                Notify.send, SendNotice(notice=notice), **options.with_summary(options.MAIL, f"mail {notice}")
            )
        except ActivityError as error:
            workflow.logger.warning("notice.not_sent", extra={"notice": notice, "cause": str(error.cause)})
            return None
        return sent
