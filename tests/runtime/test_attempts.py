"""Attempts: a deed that is tried again says how often, why, and when next."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.service import RPCError, RPCStatusCode

from runtime.attempts import Attempt, attempt_of

AT = datetime(2026, 11, 2, 10, 42, tzinfo=UTC)


def pending(attempt: int, next_at: datetime | None = None, name: str = "invoice.draft_invoice") -> PendingActivityInfo:
    """Return an activity as the server tells it."""
    found = PendingActivityInfo(attempt=attempt, last_failure=Failure(message="provider API 503\nfrom: somewhere"))
    found.activity_type.name = name
    if next_at:
        found.next_attempt_schedule_time.FromDatetime(next_at)
    return found


def asked(answer: Any) -> Attempt | None:
    """Return what is told of a workflow whose description, or refusal, this is."""

    async def describe(rpc_timeout: timedelta) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(raw_description=SimpleNamespace(pending_activities=answer))

    client: Any = SimpleNamespace(get_workflow_handle=lambda _: SimpleNamespace(describe=describe))
    return asyncio.run(attempt_of(client, "close/2026-10/acme"))


def test_the_deed_that_is_tried_again_is_told_with_its_reason_in_one_line() -> None:
    found = asked([pending(1, name="rate.rate_usage"), pending(3, AT)])
    assert found == Attempt(deed="invoice.draft_invoice", count=3, why="provider API 503", next_at=AT)
    assert asked([pending(4)]) == Attempt("invoice.draft_invoice", 4, "provider API 503", None)


def test_nothing_is_told_where_all_runs_for_the_first_time_or_nobody_knows_it() -> None:
    assert asked([pending(1)]) is None
    assert asked([]) is None
    assert asked(RPCError("gone", RPCStatusCode.NOT_FOUND, b"")) is None
    with pytest.raises(RPCError):
        asked(RPCError("no", RPCStatusCode.PERMISSION_DENIED, b""))
