"""The desk: the one door by which people decide, for the CLI and the pages alike.

A decision is first a row (who, what, about which subject, why), written after the person's token was checked;
then a message that only names the row. The workflow verifies the row and answers.
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.messages import Decide, customer_close_id
from activities.ports import Clock, CloseBook, Desk
from billing.approval import NEEDS_A_REASON, ROLES_FOR
from models.approval import ApprovalCode, Decision, Person, Verdict
from models.close import CORRECTIONS_FROM, DecisionKind
from models.event import Event
from models.opening import Opening
from models.period import month_of
from models.refusal import Refusal
from runtime.settings import STATE_FOLDER, Settings
from workflows.customer_close import CustomerClose

ANSWER_WITHIN = timedelta(seconds=30)

UPDATES = {
    DecisionKind.APPROVE: CustomerClose.decide,
    DecisionKind.REJECT: CustomerClose.decide,
    DecisionKind.RESOLVE: CustomerClose.resolve_finding,
    DecisionKind.ASSIGN: CustomerClose.assign_finding,
    DecisionKind.REVERSE: CustomerClose.reverse_resolution,
    DecisionKind.CORRECT: CustomerClose.correct_input,
    DecisionKind.RETRY: CustomerClose.retry_step,
    DecisionKind.SKIP: CustomerClose.skip_customer,
}


class DecisionNotTaken(Refusal):
    """The workflow did not take the decision; the code says why."""

    remedy = "Nothing changed. Read the reason; the right person may decide again."


class NobodySigned(Refusal):
    """No person is named, or one is named outside the embedded stack."""

    remedy = "Set TIEOUT_TOKEN to your own token; `--as PERSON` works with the demo people of the embedded stack only."


def token_of(config: Settings, person: str | None) -> str:
    """Return the token to sign with: the environment's, or a demo person's in the embedded stack.

    Raises:
        NobodySigned: neither is to be had.
    """
    if person is None:
        if config.token is None:
            raise NobodySigned("no token is set")
        return config.token.get_secret_value()
    if not config.embedded:
        raise NobodySigned("--as is for the embedded stack", person=person)
    path = Path(os.environ.get("TIEOUT_STATE", STATE_FOLDER)) / "people.json"
    tokens: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    if person not in tokens:
        raise NobodySigned(f"there is no demo person of this name; there are {', '.join(sorted(tokens)) or 'none'}")
    return tokens[person]


def refuse_role(person: Person, kind: DecisionKind) -> None:
    """Refuse a person whose roles do not allow this kind of decision; raises DecisionNotTaken."""
    if not ROLES_FOR[kind] & set(person.roles):
        allowed = ", ".join(sorted(role.value for role in ROLES_FOR[kind]))
        raise DecisionNotTaken(f"{person.id} may not {kind.value}: that is for {allowed}")


def kept(closes: CloseBook, key: UUID | None, kind: DecisionKind, subject: str) -> Decision | None:
    """Return the decision that was written under a key before, or None.

    Whoever asks again after a crash is answered by what was decided, though the world has moved on by it since.
    """
    found = closes.decision(str(key)) if key is not None else None
    return found if found is not None and (found.kind, found.subject) == (kind, subject) else None


async def answered(
    handle: WorkflowHandle[Any, Any], update: Any, signal: Any, decision: Decision, gone: str
) -> Verdict | None:
    """Return a workflow's verdict on a decision; None where no worker answered in time: then it was left as a signal.

    Raises:
        DecisionNotTaken: the workflow refused it, or there is none: then in the words of `gone`.
    """
    message = Decide(decision=decision.id)
    try:
        verdict: Verdict = await handle.execute_update(update, message, id=decision.id, rpc_timeout=ANSWER_WITHIN)
        return verdict
    except WorkflowUpdateFailedError as failed:
        cause = failed.cause
        code = cause.type if isinstance(cause, ApplicationError) else "refused"
        words = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise DecisionNotTaken(words, code=code) from failed
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        await handle.signal(signal, message)
        return None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise DecisionNotTaken(gone, code=ApprovalCode.WRONG_CLOSE.value) from error
        raise


class DeskDoor:
    """Writes decisions and delivers them."""

    def __init__(self, desk: Desk, closes: CloseBook, client: Client, clock: Clock) -> None:
        self._desk = desk
        self._closes = closes
        self._client = client
        self._clock = clock

    def person(self, token: str) -> Person:
        """Return whose token this is; raises NotAuthenticated."""
        return self._desk.person(token)

    def write(
        self,
        kind: DecisionKind,
        token: str,
        month: str,
        revision: int,
        customer: str,
        subject: str,
        reason: str,
        payload: Mapping[str, str],
        key: UUID | None = None,
    ) -> Decision:
        """Authenticate the person and write the decision row; once for a key, however often it is sent."""
        return self._desk.write(
            Decision(
                id=str(key or uuid4()),
                kind=kind,
                period=month,
                revision=revision,
                customer=customer,
                subject=subject,
                person=self._desk.person(token),
                reason=reason,
                payload=dict(payload),
                recorded_at=self._clock.now(),
            )
        )

    def kept(self, key: UUID | None, kind: DecisionKind, subject: str) -> Decision | None:
        """Return the decision that was written under a key before, or None."""
        return kept(self._closes, key, kind, subject)

    def part_of(
        self, whole: Decision, kind: DecisionKind, customer: str, subject: str, payload: Mapping[str, str]
    ) -> Decision:
        """Write one part of a decision over many subjects, in its person's name and for its reason; once for each."""
        return self._desk.write(
            Decision(
                id=str(uuid5(UUID(whole.id), subject)),
                kind=kind,
                period=whole.period,
                revision=whole.revision,
                customer=customer,
                subject=subject,
                person=whole.person,
                reason=whole.reason,
                payload={**payload, "part_of": whole.id},
                recorded_at=whole.recorded_at,
            )
        )

    def open_contract(self, opening: Opening, token: str, reason: str) -> tuple[Decision, Decision | None]:
        """Return the proposal of an opening position and, once another person opens the same one, its approval.

        Raises:
            DecisionNotTaken: the person's roles do not allow it.
        """
        where = (month_of(opening.as_of), 1, opening.customer, opening.fingerprint())
        kinds = (DecisionKind.PROPOSE_OPENING, DecisionKind.APPROVE_OPENING)
        return self._by_two(kinds, where, token, reason, {"opening": opening.canonical()})

    def book_event(self, event: Event, customer: str, token: str, reason: str) -> tuple[Decision, Decision | None]:
        """Return the proposal of an event and, once another person books the same one, its approval.

        Raises:
            DecisionNotTaken: the person's roles do not allow it, or it is proposed without a reason.
        """
        where = (month_of(event.on), CORRECTIONS_FROM, customer, event.fingerprint())
        kinds = (DecisionKind.PROPOSE_EVENT, DecisionKind.APPROVE_EVENT)
        return self._by_two(kinds, where, token, reason or getattr(event, "reason", ""), {"event": event.canonical()})

    def _by_two(
        self,
        kinds: tuple[DecisionKind, DecisionKind],
        where: tuple[str, int, str, str],
        token: str,
        reason: str,
        payload: Mapping[str, str],
    ) -> tuple[Decision, Decision | None]:
        """Return one person's proposal of a content and, where this is another person, their approval of it."""
        proposes, approves = kinds
        month, revision, customer, subject = where
        person = self._desk.person(token)
        proposals = [
            one
            for one in self._closes.decisions(month, revision, customer)
            if one.kind is proposes and one.subject == subject
        ]
        if not proposals:
            refuse_role(person, proposes)
            if proposes in NEEDS_A_REASON and not reason.strip():
                raise DecisionNotTaken(f"{proposes.value} needs a reason", code=ApprovalCode.NO_REASON.value)
            return self.write(proposes, token, month, revision, customer, subject, reason, payload), None
        if proposals[0].person.id == person.id:
            return proposals[0], None
        refuse_role(person, approves)
        return proposals[0], self.write(approves, token, month, revision, customer, subject, reason, {})

    async def deliver(self, decision: Decision) -> Verdict | None:
        """Send a decision to its close and return the verdict; None where no worker answered in time.

        Then the decision was left as a signal, which is durable: it is judged when a worker is back. One that was
        judged is not sent again: its close may have ended by it.

        Raises:
            DecisionNotTaken: the workflow refused it, or there is no such close.
        """
        for verdict in self._closes.verdicts(decision.period, decision.revision, decision.customer):
            if verdict.decision == decision.id:
                if not verdict.taken:
                    raise DecisionNotTaken(verdict.message, code=verdict.code.value)
                return verdict
        handle = self._client.get_workflow_handle_for(
            CustomerClose.run, customer_close_id(decision.period, decision.revision, decision.customer)
        )
        update, signal = UPDATES[decision.kind], CustomerClose.approve_by_signal
        return await answered(handle, update, signal, decision, "there is no open close of this customer and month")

    async def signal(self, decision: Decision) -> None:
        """Leave a decision as a bare signal: the way of the outbox, and of an engineer in the Temporal UI."""
        handle = self._client.get_workflow_handle_for(
            CustomerClose.run, customer_close_id(decision.period, decision.revision, decision.customer)
        )
        await handle.signal(CustomerClose.approve_by_signal, Decide(decision=decision.id))

    async def redeliver(self, month: str, revision: int, customer: str) -> int:
        """Signal every decision on a customer's close that has no verdict yet; return how many."""
        judged = {verdict.decision for verdict in self._closes.verdicts(month, revision, customer)}
        open_ = [
            one
            for one in self._closes.decisions(month, revision, customer)
            if one.id not in judged and one.kind in UPDATES
        ]
        for decision in open_:
            await self.signal(decision)
        return len(open_)
