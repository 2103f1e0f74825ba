"""Workers: a process that serves one queue, or all of them, until it is told to stop.

python -m workers.main --role workflows|usage|stripe|ledger|webhooks|all
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Annotated

import structlog
import typer
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from runtime import logs, settings, temporal
from runtime.memory import collect_rarely
from runtime.rooms import refuse_strangers
from runtime.wiring import outside_of
from workers.registry import ROLES, Queue, queues

log = structlog.get_logger("workers")

Made = Callable[[settings.Settings, Client], Mapping[str, Queue]]
"""Makes the queues by role, with what they need of the outside."""

CACHED_WORKFLOWS = 2_000
"""Better the customers in progress at once: beyond that each wake-up replays its whole history. One takes 1.3 MB."""

WORKFLOW_TASKS = 8
"""Taken at a time: one loop runs them, and what waits here times out after ten seconds, what waits there does not."""


def worker_for(role: str, queue: Queue, client: Client, config: settings.Settings, pool: ThreadPoolExecutor) -> Worker:
    """Return the worker of a role, with the limits of its queue."""
    slots = {"workflows": 16, "usage": config.usage_slots, "stripe": 8, "ledger": 8, "webhooks": 16}[role]
    return Worker(
        client,
        task_queue=queue.name,
        workflows=queue.workflows,
        activities=queue.activities,
        workflow_runner=temporal.sandbox(),
        interceptors=[temporal.RefusalsAreFinal(), temporal.OneInstant(queue.at_one_instant)],
        activity_executor=pool,
        max_concurrent_activities=slots,
        max_cached_workflows=CACHED_WORKFLOWS if queue.workflows else 0,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        max_task_queue_activities_per_second=config.stripe_per_second if role == "stripe" else None,
        disable_eager_activity_execution=role == "stripe",
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        graceful_shutdown_timeout=timedelta(seconds=config.graceful_seconds),
        on_fatal_error=_say_why,
    )


async def _say_why(error: BaseException) -> None:
    log.error("worker.fatal", error=repr(error), cause=repr(error.__cause__))


def product(config: settings.Settings, client: Client) -> Mapping[str, Queue]:
    """Return the product's own queues, fitted to the real outside."""
    return queues(outside_of(config, temporal.Histories(client)))


async def serve(roles: tuple[str, ...], config: settings.Settings, stop: asyncio.Event, made: Made = product) -> None:
    """Serve the queues of these roles until `stop` is set; running deeds are given time to end."""
    client = await temporal.connect(config, identity=identity(roles, os.getpid()))
    served = made(config, client)
    with ThreadPoolExecutor(max_workers=16 + config.usage_slots + 16 + 16, thread_name_prefix="deed") as pool:
        async with AsyncExitStack() as stack:
            for role in roles:
                await stack.enter_async_context(worker_for(role, served[role], client, config, pool))
            log.info("worker.serving", roles=",".join(roles), temporal=config.temporal_address)
            await stop.wait()
            log.info("worker.stopping")


def identity(roles: tuple[str, ...], pid: int) -> str:
    """Return what a worker's process is called at the server."""
    return f"worker-{'+'.join(roles)}-{pid}"


async def run(roles: tuple[str, ...], config: settings.Settings, made: Made) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    await serve(roles, config, stop, made)


def work(roles: tuple[str, ...], made: Made = product) -> None:
    """Be a worker's process until it is told to end."""
    refuse_strangers()
    collect_rarely()
    logs.configure(as_json=not sys.stderr.isatty())
    asyncio.run(run(roles, settings.load(), made))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


def main(role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)} or all.")] = "all") -> None:
    """Serve one queue, or all of them."""
    if role not in (*ROLES, "all"):
        raise typer.BadParameter(f"expected one of {', '.join(ROLES)} or all", param_hint="--role")
    work(ROLES if role == "all" else (role,))


if __name__ == "__main__":
    typer.run(main)
