"""Pausing: how a paused close tells those beneath it, shards and customers alike."""

import asyncio
from collections.abc import Iterable
from contextlib import nullcontext

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.messages import Hold

SIGNAL = "hold"


async def tell(workflow_ids: Iterable[str], hold: Hold, wave: asyncio.Semaphore | None = None) -> None:
    """Signal each of these workflows, as many at once as a wave lets through; one that ended begins no stage anyway."""
    await asyncio.gather(*(_tell(one, hold, wave) for one in workflow_ids))


async def _tell(workflow_id: str, hold: Hold, wave: asyncio.Semaphore | None) -> None:
    async with wave or nullcontext():
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(SIGNAL, hold)
        except FailureError as gone:
            workflow.logger.info("pausing.ended_before", extra={"workflow": workflow_id, "reason": str(gone)})
