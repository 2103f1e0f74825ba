"""The correction desk: the one door by which people propose corrections of issued invoices, and decide on them."""

from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.correct import NoCorrection
from activities.messages import CorrectInvoice, Decide, InvoiceCorrected, correction_id
from adapters.postgres.corrections import PostgresCorrections
from models.approval import ApprovalCode, Decision, Verdict
from models.close import CORRECTIONS_FROM, DecisionKind
from models.correction import CorrectionRequest, CorrectionView
from runtime.desk import DecisionNotTaken, DeskDoor, refuse_role
from workflows import options
from workflows.correction import Correction

ANSWER_WITHIN = timedelta(seconds=30)
Handle = WorkflowHandle[Correction, InvoiceCorrected]


class CorrectionDesk:
    """Writes proposals and decisions on them, starts their workflows and delivers decisions."""

    def __init__(self, desk: DeskDoor, corrections: PostgresCorrections, client: Client) -> None:
        self._desk = desk
        self._corrections = corrections
        self._client = client

    async def propose(
        self, token: str, request: CorrectionRequest, customer: str, month: str
    ) -> tuple[Decision, CorrectionView | None]:
        """Write a proposal, have it worked out, and return both; None where no worker answered in time.

        Raises:
            DecisionNotTaken: the person may not propose, or a rule refused the correction.
        """
        refuse_role(self._desk.person(token), DecisionKind.PROPOSE_CORRECTION)
        decision = self._desk.write(
            DecisionKind.PROPOSE_CORRECTION,
            token,
            month,
            CORRECTIONS_FROM,
            customer,
            request.fingerprint(),
            request.reason,
            {"request": request.canonical()},
        )
        handle: Handle = await self._client.start_workflow(
            Correction.run,
            CorrectInvoice(correction=request.id, proposal=decision.id),
            id=correction_id(request.id),
            task_queue=options.CLOSE_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"correction of {request.invoice}",
        )
        try:
            await handle.execute_update(Correction.proposed, rpc_timeout=ANSWER_WITHIN)
        except WorkflowUpdateFailedError as failed:
            raise DecisionNotTaken(_words(failed), code="refused") from failed
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            return decision, self._corrections.correction(request.id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            ended = await handle.result()  # a rule refused it before the question came
            if ended.step is None:
                raise DecisionNotTaken(ended.detail, code="refused") from error
        return decision, self.view(request.id)

    async def decide(self, kind: DecisionKind, token: str, correction: str, reason: str) -> Verdict | None:
        """Write a decision on a correction as it stands, deliver it, and return the verdict; None: no worker answers.

        Raises:
            DecisionNotTaken: the workflow refused it, or it has ended.
        """
        view = self.view(correction)
        about = view.correction
        decision = self._desk.write(
            kind,
            token,
            about.period,
            CORRECTIONS_FROM,
            about.customer,
            about.fingerprint(),
            reason,
            {"correction": correction},
        )
        handle = self._client.get_workflow_handle_for(Correction.run, correction_id(correction))
        message = Decide(decision=decision.id)
        try:
            return await handle.execute_update(Correction.decide, message, id=decision.id, rpc_timeout=ANSWER_WITHIN)
        except WorkflowUpdateFailedError as failed:
            cause = failed.cause
            code = cause.type if isinstance(cause, ApplicationError) else "refused"
            raise DecisionNotTaken(_words(failed), code=code) from failed
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await handle.signal(Correction.decide_by_signal, message)
            return None
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise DecisionNotTaken(
                f"the correction has ended: {view.step.value}", code=ApprovalCode.NOT_WAITING.value
            ) from error

    async def ended(self, correction: str) -> InvoiceCorrected:
        """Wait until a correction has ended, and return how."""
        return await self._client.get_workflow_handle_for(Correction.run, correction_id(correction)).result()

    def view(self, correction: str) -> CorrectionView:
        """Return a correction as it stands; raises NoCorrection."""
        return view_of(self._corrections, correction)


def view_of(corrections: PostgresCorrections, correction: str) -> CorrectionView:
    """Return a correction as it stands; raises NoCorrection."""
    found = corrections.correction(correction)
    if found is None:
        raise NoCorrection("no correction has this id", correction=correction)
    return found


def _words(failed: WorkflowUpdateFailedError) -> str:
    cause = failed.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause)
