"""Script: the demo's people at work. They resolve, reject, rework and approve through the desk, as a person does."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from temporalio.client import Client

from adapters.postgres.books import Books
from models.close import DecisionKind, Stage, Standing, State
from models.reconciliation import Cause, Finding
from runtime.desk import DecisionNotTaken, DeskDoor

PREPARER, CONTROLLER, ENGINEER = "pia", "cora", "erik"
APPROVERS: Mapping[str, tuple[str, ...]] = {"acme": ("aron", "cora")}  # high risk: two people
BY_SIGNAL = "cirrus"
REJECTED_FIRST = "bolt"
SELF_APPROVAL = "delta"
LOOK_AGAIN_SECONDS = 0.3

REASONS: Mapping[Cause, str] = {
    Cause.DROPPED_BATCH: "the ingestion log shows the lost batch; the other source has the events",
    Cause.TRUNCATED: "the file ends early; the other source is complete",
    Cause.UNIT: "the source reports seconds; the mapping is being corrected",
    Cause.ZONE_SHIFT: "the source writes local time; the mapping is being corrected",
    Cause.ALIAS: "the account is this customer's; the alias is being added",
}


class Script:
    """What the people do, looked at again and again until nobody is needed any more."""

    def __init__(
        self,
        month: str,
        books: Books,
        desk: DeskDoor,
        client: Client,
        tokens: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._month = month
        self._books = books
        self._desk = desk
        self._client = client
        self._tokens = tokens
        self._say = say
        self._rejected: set[str] = set()
        self._refused_self = False
        self._signed: set[tuple[str, str, str]] = set()
        self.approvals = 0
        self.refusals: list[str] = []

    async def play(self, until: Callable[[Sequence[Standing]], bool]) -> Sequence[Standing]:
        """Act until the standings satisfy `until`; return the last ones."""
        while True:
            standings = self._books.standings(self._month)
            if until(standings):
                return standings
            for standing in standings:
                await self._act(standing)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)  # the books are asked, nothing is waited out

    async def _act(self, standing: Standing) -> None:
        match standing.stage, standing.state:
            case Stage.RECONCILE, State.WAITING:
                await self._resolve(standing.customer)
            case Stage.APPROVE, State.WAITING if "statement" in standing.references:
                await self._sign(standing.customer, standing.references["statement"])
            case Stage.APPROVE, State.REJECTED:
                await self._decide(
                    DecisionKind.CORRECT, PREPARER, standing.customer, "approve", "purchase order checked"
                )
            case _, State.NEEDS_ATTENTION if "NoContract" in standing.detail:
                await self._decide(
                    DecisionKind.SKIP,
                    CONTROLLER,
                    standing.customer,
                    standing.stage.value,
                    "an alias of a customer billed already",
                )

    async def _resolve(self, customer: str) -> None:
        told: Counter[tuple[Cause, str, str]] = Counter()
        for one in self._books.exceptions(self._month, customer=customer):
            finding: Finding = one.finding
            payload = {"answer": "accept", "source": finding.against}
            reason = REASONS.get(finding.cause, f"{finding.against} agrees with the call records")
            if await self._decide(DecisionKind.RESOLVE, PREPARER, customer, finding.id, reason, payload):
                told[finding.cause, finding.source, finding.against] += 1
        for (cause, source, against), count in told.items():
            findings = f"{count} findings" if count > 1 else "a finding"
            self._say(f"{PREPARER} resolves {findings} of {customer}, {cause.value} at {source}: accept {against}")

    async def _sign(self, customer: str, statement: str) -> None:
        if customer == REJECTED_FIRST and customer not in self._rejected:
            self._rejected.add(customer)
            if await self._decide(DecisionKind.REJECT, "abby", customer, statement, "which purchase order is this on?"):
                self._say(f"abby rejects {customer}: which purchase order is this on?")
            return
        if customer == SELF_APPROVAL and not self._refused_self:
            self._refused_self = True
            await self._decide(DecisionKind.APPROVE, PREPARER, customer, statement)
        for person in APPROVERS.get(customer, ("abby" if customer < "h" else "aron",)):
            if (customer, statement, person) in self._signed:
                continue
            self._signed.add((customer, statement, person))
            if customer == BY_SIGNAL:
                decision = self._desk.write(
                    DecisionKind.APPROVE, self._tokens[person], self._month, 1, customer, statement, "", {}
                )
                await self._desk.signal(decision)
                self.approvals += 1
                self._say(f"{person} approves {customer} by bare signal")
            elif await self._decide(DecisionKind.APPROVE, person, customer, statement):
                self.approvals += 1
                self._say(f"{person} approves {customer}")

    async def _decide(
        self,
        kind: DecisionKind,
        person: str,
        customer: str,
        subject: str,
        reason: str = "",
        payload: Mapping[str, str] | None = None,
    ) -> bool:
        """Decide as one person; return whether it was taken. What is refused is told and kept."""
        decision = self._desk.write(
            kind, self._tokens[person], self._month, 1, customer, subject, reason, payload or {}
        )
        try:
            await self._desk.deliver(decision)
        except DecisionNotTaken as refusal:
            if refusal.facts.get("code") not in ("not_waiting", "already_decided"):
                self.refusals.append(f"{person} {kind.value} {customer}: {refusal.facts.get('code')}")
                self._say(f"{person} may not {kind.value} {customer}: {refusal.what}")
            return False
        return True
