"""The inbox of a customer's close: decisions by signal and by update, one order, one answer each."""

from collections import deque

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from models.approval import Verdict


class Inbox:
    """Decision ids in the order they came, and the verdicts given on them.

    Handlers only put ids in and wait for verdicts; the main coroutine takes them out and has a deed judge
    each. So a decision means the same whether it came by signal (durable with no worker running) or by
    update (the caller is told the answer).
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._verdicts: dict[str, Verdict] = {}
        self._closed = False

    def put(self, decision: str) -> None:
        """Add a decision id once."""
        if decision not in self._verdicts and decision not in self._waiting:
            self._waiting.append(decision)

    def has_mail(self) -> bool:
        """Return whether a decision waits to be judged."""
        return bool(self._waiting)

    def take(self) -> str:
        """Return the oldest decision id not yet judged; it stays first until `answer` removes it."""
        return self._waiting[0]

    def answer(self, decision: str, verdict: Verdict) -> None:
        """Give the verdict on a decision; whoever waits for it is told."""
        if decision in self._waiting:
            self._waiting.remove(decision)
        self._verdicts[decision] = verdict

    def close(self) -> None:
        """Tell whoever still waits that no more decisions are taken."""
        self._closed = True

    async def verdict(self, decision: str) -> Verdict:
        """Put a decision in, wait for its verdict and return it; raises ApplicationError where it was refused."""
        self.put(decision)
        await workflow.wait_condition(lambda: decision in self._verdicts or self._closed)
        verdict = self._verdicts.get(decision)
        if verdict is None:
            raise ApplicationError("this close has ended and takes no more decisions", type="not_waiting")
        if not verdict.taken:
            raise ApplicationError(verdict.message, type=verdict.code.value)
        return verdict
