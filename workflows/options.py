"""Timeouts and retries, named by purpose; no plan writes its own."""

from datetime import timedelta
from typing import Any, TypedDict

from temporalio.common import RetryPolicy

CLOSE_QUEUE = "close"
USAGE_QUEUE = "close-usage"
STRIPE_QUEUE = "close-stripe"
LEDGER_QUEUE = "close-ledger"
WEBHOOK_QUEUE = "close-webhooks"


class Options(TypedDict, total=False):
    """Keyword arguments of `workflow.execute_activity`."""

    task_queue: str
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


def _retry(first_seconds: float, most_seconds: float, attempts: int = 0, times: int = 2) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=first_seconds),
        maximum_interval=timedelta(seconds=most_seconds),
        backoff_coefficient=times,
        maximum_attempts=attempts,
    )


BOOKS = Options(
    task_queue=CLOSE_QUEUE,
    start_to_close_timeout=timedelta(seconds=15),
    retry_policy=_retry(1, 30),
)
"""A short read or write of the books: retried until the database answers."""

READ_A_SOURCE = Options(
    task_queue=USAGE_QUEUE,
    start_to_close_timeout=timedelta(minutes=10),
    schedule_to_close_timeout=timedelta(hours=6),
    heartbeat_timeout=timedelta(seconds=60),
    retry_policy=_retry(15, 120, 10),
)
"""One pass over a source: ten tries, then a person."""

COMPUTE = Options(
    task_queue=USAGE_QUEUE,
    start_to_close_timeout=timedelta(minutes=2),
    retry_policy=_retry(1, 30, 10),
)
"""Deterministic work on sealed inputs; what still fails after ten tries is a bug or an outage: park.

A worker that is killed in the midst is noticed after two minutes; a million hourly lines are compared and rated in
seconds.
"""

STRIPE_CALL = Options(
    task_queue=STRIPE_QUEUE,
    start_to_close_timeout=timedelta(seconds=60),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=_retry(1, 300),
)
"""Calls to the invoicing platform: a day covers its incidents."""

LEDGER_POST = Options(
    task_queue=LEDGER_QUEUE,
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=_retry(1, 30),
)
"""Posting to the journal: unlimited, entries are keyed by their business key."""

ARCHIVE = Options(
    task_queue=LEDGER_QUEUE,
    start_to_close_timeout=timedelta(minutes=2),
    retry_policy=_retry(2, 60),
)
"""Writing evidence to the object store: unlimited, keys are first-wins."""

SEAL_MONTH = Options(
    task_queue=LEDGER_QUEUE,
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=timedelta(seconds=60),
    retry_policy=_retry(2, 60),
)
"""Reading what was sealed of every customer, and writing the month's manifest over it."""

MAIL = Options(
    task_queue=LEDGER_QUEUE,
    start_to_close_timeout=timedelta(seconds=60),
    schedule_to_close_timeout=timedelta(minutes=10),
    retry_policy=_retry(5, 120),
)
"""Handing a message to the mail server: what does not go in ten minutes is the next round's."""

WEBHOOK = Options(
    task_queue=WEBHOOK_QUEUE,
    start_to_close_timeout=timedelta(seconds=60),
    retry_policy=_retry(10, 12 * 3600, 13, times=4),
)
"""A try of a delivery: 13 in about three days, after 10 s, 40 s, 3, 11, 43 minutes, 3 and 11 hours, then each half day.

A try itself takes fifteen seconds at most: five for its name to be resolved, ten for the rest.
"""

ADOPT = Options(
    task_queue=CLOSE_QUEUE,
    start_to_close_timeout=timedelta(seconds=15),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=60), backoff_coefficient=1),
)
"""Polling for somebody else's work: the deed raises until it is done, which adds no history per try."""


def with_summary(options: Options, summary: str) -> dict[str, Any]:
    """Return the options with the one-line summary an engineer reads in the Temporal UI."""
    return {**options, "summary": summary}
