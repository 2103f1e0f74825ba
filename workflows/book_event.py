"""BookEvent: a fact that no statement has is posted, once two people decided it."""

from temporalio import workflow

from activities.book import Book
from activities.messages import BookEvent as Task
from activities.messages import EventBooked
from workflows import options


@workflow.defn(name="BookEvent")
class BookEvent:
    """Post an event that one person proposed and another approved."""

    @workflow.run
    async def run(self, task: Task) -> EventBooked:
        """Return its entry; raises the refusal where decisions, contract or journal do not allow it."""
        return await workflow.execute_activity_method(
            Book.book_event, task, **options.with_summary(options.LEDGER_POST, f"book {task.event} of {task.contract}")
        )
