"""The rate desk: the one door by which people propose rates, have them simulated, and decide on them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.change_rate import NoProposal
from activities.messages import ChangeRate, Decide, RateChanged, rate_change_id
from activities.ports import Clock, Desk
from adapters.postgres.rate_changes import PostgresRateChanges
from models.approval import ApprovalCode, Decision, Person, Verdict
from models.close import EVERYONE, DecisionKind, Role
from models.period import month_of
from models.rate_change import ChangeView, RateProposal
from models.refusal import Refusal
from runtime.desk import DecisionNotTaken
from workflows import options
from workflows.rate_change import RateChange

ANSWER_WITHIN = timedelta(seconds=30)
MAY_PROPOSE = frozenset({Role.PREPARER, Role.CONTROLLER})


class NotYourRate(Refusal):
    """The person's roles do not allow this."""

    remedy = "Ask a preparer or the controller to propose it."


class NotSimulated(Refusal):
    """A decision is about what was simulated, and nothing was."""

    remedy = "See whom it moves first: tieout rates simulate ID."


class RateDesk:
    """Writes proposals and decisions on them, starts their changes and delivers decisions."""

    def __init__(self, desk: Desk, changes: PostgresRateChanges, client: Client, clock: Clock) -> None:
        self._desk = desk
        self._changes = changes
        self._client = client
        self._clock = clock

    def propose(self, token: str, proposals: Sequence[RateProposal]) -> tuple[str, ...]:
        """Write proposals as a person and return the ids of those that nobody had written before.

        Raises:
            NotAuthenticated, NotYourRate: nobody who may propose.
        """
        return self._changes.propose(proposals, proposer(self._desk, token).id, self._clock.now())

    async def start(self, proposal: str) -> WorkflowHandle[RateChange, RateChanged]:
        """Start the change of a proposal, or find the one that was started: one proposal is one change."""
        self.view(proposal)
        workflow_id = rate_change_id(proposal)
        with suppress(WorkflowAlreadyStartedError):  # it has ended: the handle shows how
            await self._client.start_workflow(
                RateChange.run,
                ChangeRate(proposal=proposal),
                id=workflow_id,
                task_queue=options.CLOSE_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"rate change {proposal}",
            )
        return self._client.get_workflow_handle_for(RateChange.run, workflow_id)

    async def simulate(self, proposal: str) -> ChangeView:
        """Start the change and return the proposal once it is simulated; as it stands where no worker answers."""
        handle = await self.start(proposal)
        try:
            await handle.execute_update(RateChange.simulation, rpc_timeout=ANSWER_WITHIN)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            return self.view(proposal)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended: what was simulated is kept
                raise
        return self.view(proposal)

    async def decide(
        self, kind: DecisionKind, token: str, proposal: str, reason: str, key: UUID | None = None
    ) -> tuple[Person, Verdict | None]:
        """Write a decision, deliver it, and return who decided and the verdict; None where no worker answered in time.

        Raises:
            DecisionNotTaken: the change refused it. NotSimulated: it was never started.
        """
        view = self.view(proposal)
        if view.simulation is None:
            raise NotSimulated("this proposal was not simulated yet", proposal=proposal)
        decision = self._desk.write(
            Decision(
                id=str(key or uuid4()),
                kind=kind,
                period=month_of(view.proposal.version.starts_at.date()),
                revision=1,
                customer=EVERYONE,
                subject=proposal,
                person=self._desk.person(token),
                reason=reason,
                recorded_at=self._clock.now(),
            )
        )
        handle = self._client.get_workflow_handle_for(RateChange.run, rate_change_id(proposal))
        message = Decide(decision=decision.id)
        try:
            verdict = await handle.execute_update(RateChange.decide, message, id=decision.id, rpc_timeout=ANSWER_WITHIN)
        except WorkflowUpdateFailedError as failed:
            cause = failed.cause
            code = cause.type if isinstance(cause, ApplicationError) else "refused"
            words = cause.message if isinstance(cause, ApplicationError) else str(cause)
            raise DecisionNotTaken(words, code=code) from failed
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await handle.signal(RateChange.decide_by_signal, message)
            return decision.person, None
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise DecisionNotTaken(
                f"the change has ended: {view.step.value}", code=ApprovalCode.NOT_WAITING.value
            ) from error
        return decision.person, verdict

    async def ended(self, proposal: str) -> RateChanged:
        """Wait until a change has ended, and return how; one for a later instant ends there."""
        handle = self._client.get_workflow_handle_for(RateChange.run, rate_change_id(proposal))
        return await handle.result()

    def view(self, proposal: str) -> ChangeView:
        """Return a proposal as it stands; raises NoProposal."""
        found = self._changes.proposal(proposal)
        if found is None:
            raise NoProposal("no proposal has this id", proposal=proposal)
        return found


def proposer(desk: Desk, token: str) -> Person:
    """Return whose token this is, if they may propose rates; raises NotAuthenticated, NotYourRate."""
    person = desk.person(token)
    if not MAY_PROPOSE & set(person.roles):
        raise NotYourRate(f"{person.id} may not propose rates", needs="preparer or controller")
    return person
