"""Attempts: which deed of a workflow is being tried again, since when, and why the last try did not work."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from runtime.reach import ANSWER_WITHIN


@dataclass(frozen=True)
class Attempt:
    """A deed that did not work yet: how often it was tried, what was said, and when it is tried next."""

    deed: str
    count: int
    why: str
    next_at: datetime | None  # None: it runs now


async def attempt_of(client: Client, workflow_id: str) -> Attempt | None:
    """Return the deed that a workflow tries again; None where each runs for the first time, or nobody knows it."""
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=ANSWER_WITHIN)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return _again(found.raw_description.pending_activities)


def _again(pending: Any) -> Attempt | None:
    for one in pending:
        if one.attempt > 1:
            at = one.next_attempt_schedule_time
            return Attempt(
                deed=one.activity_type.name,
                count=one.attempt,
                why=one.last_failure.message.split("\n")[0],
                next_at=at.ToDatetime(UTC) if at.seconds else None,
            )
    return None
