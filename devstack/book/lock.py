"""Lock: the demo's people sign what ties out and lock the month."""

from collections.abc import Mapping
from uuid import uuid4

from temporalio.client import Client

from activities.messages import LockMonth, MonthLocked, TiedOut, TieOutMonth
from models.close import EVERYONE, DecisionKind
from runtime.desk import DeskDoor
from workflows import options
from workflows.lock_period import LockPeriod
from workflows.period_controls import TieOutPeriod

SIGNER, CONTROLLER = "abby", "cora"


async def tie_out(client: Client, month: str) -> TiedOut:
    """Tie a month out anew and return its fingerprints and what does not tie."""
    return await client.execute_workflow(
        TieOutPeriod.run, TieOutMonth(month=month), id=f"tie-out/{month}/{uuid4()}", task_queue=options.CLOSE_QUEUE
    )


async def sign_and_lock(
    client: Client, desk: DeskDoor, tokens: Mapping[str, str], month: str, reason: str
) -> tuple[TiedOut, MonthLocked]:
    """Sign a month's tie-outs as they are now and lock it; return both. What does not tie refuses the lock."""
    tied = await tie_out(client, month)
    for name, fingerprint in sorted(tied.fingerprints.items()):
        said = {"tie_out": name}
        desk.write(DecisionKind.SIGN_TIE_OUT, tokens[SIGNER], month, 1, EVERYONE, fingerprint, "seen", said)
    decision = desk.write(DecisionKind.LOCK, tokens[CONTROLLER], month, 1, EVERYONE, month, reason, {})
    locked = await client.execute_workflow(
        LockPeriod.run,
        LockMonth(month=month, revision=1, decision=decision.id, signed=True),
        id=f"lock/{month}/{decision.id}",
        task_queue=options.CLOSE_QUEUE,
    )
    return tied, locked
