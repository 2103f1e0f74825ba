"""The finding desk: findings answered one by one or a kind at once, given to owners, and their resolutions reversed."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from billing.approval import ROLES_FOR
from models.approval import Decision, Verdict
from models.close import EVERYONE, DecisionKind
from models.reconciliation import Answer, Cause, Severity
from models.refusal import Refusal
from models.reports import OpenFinding
from runtime.desk import DecisionNotTaken, DeskDoor, refuse_role

AT_ONCE = 16
"""Decisions delivered side by side."""

GONE = "no reconciliation in use has it any more"
"""What becomes of a finding that was named in a decision, and vanished before its part of it was delivered."""


class UnknownFinding(Refusal):
    """No reconciliation in use of this close has a finding of this id."""

    remedy = "See the ids: tieout close exceptions MONTH --all."


class MixedKinds(Refusal):
    """A bulk resolution names findings of other causes than the one it is for."""

    remedy = "Answer each kind on its own: one reason fits one cause."


class NotInBulk(Refusal):
    """An answer that fits one finding only is given for many."""

    remedy = "Answer the findings one by one: each has its own quantity and evidence."


class NobodyHeld(Refusal):
    """None of the findings named holds anybody now."""

    remedy = "See what is open: tieout close exceptions MONTH."


class NoSuchOwner(Refusal):
    """A finding is given to somebody who is not known here, or may not answer it."""

    remedy = "Name a person who may resolve findings."


class InvoiceIssued(Refusal):
    """A resolution cannot be reversed: the customer's invoice is issued."""

    remedy = "What was issued stays; propose a correction: tieout correction propose MONTH CUSTOMER."


@dataclass(frozen=True)
class Fanned:
    """What became of a bulk resolution: the findings it answered, what waits for a worker, and what dropped out why."""

    decision: str
    taken: tuple[str, ...]
    waiting: tuple[str, ...]
    dropped: Mapping[str, str]


class FindingDesk:
    """Writes decisions on findings and delivers them."""

    def __init__(self, desk: DeskDoor, books: Books, closes: PostgresCloses) -> None:
        self._desk = desk
        self._books = books
        self._closes = closes

    async def resolve(
        self,
        token: str,
        month: str,
        revision: int,
        finding: str,
        payload: Mapping[str, str],
        reason: str,
        key: UUID | None = None,
    ) -> Verdict | None:
        """Answer one finding; return the verdict, None where no worker answers. Raises DecisionNotTaken."""
        if kept := self._desk.kept(key, DecisionKind.RESOLVE, finding):
            return await self._desk.deliver(kept)
        one = self._known(month, revision, [finding])[finding]
        return await self._decide(DecisionKind.RESOLVE, token, one, month, reason, payload, key)

    async def assign(
        self,
        token: str,
        month: str,
        revision: int,
        finding: str,
        owner: str,
        reason: str,
        key: UUID | None = None,
    ) -> Verdict | None:
        """Give a finding to an owner, who may answer it; return the verdict. Raises NoSuchOwner, DecisionNotTaken."""
        if kept := self._desk.kept(key, DecisionKind.ASSIGN, finding):
            return await self._desk.deliver(kept)
        one = self._known(month, revision, [finding])[finding]
        able = {who.id for who in self._books.people() if ROLES_FOR[DecisionKind.RESOLVE] & set(who.roles)}
        if owner not in able:
            raise NoSuchOwner(f"{owner} may not answer findings", known=", ".join(sorted(able)))
        return await self._decide(DecisionKind.ASSIGN, token, one, month, reason, {"owner": owner}, key)

    async def reverse(
        self, token: str, month: str, revision: int, finding: str, reason: str, key: UUID | None = None
    ) -> Verdict | None:
        """Take a finding's resolution back: its customer is reconciled again. Raises InvoiceIssued."""
        if kept := self._desk.kept(key, DecisionKind.REVERSE, finding):
            return await self._desk.deliver(kept)
        one = self._known(month, revision, [finding])[finding]
        customer = one.finding.customer
        for view in self._books.invoices(month, customer):
            if view.issued is not None and view.revision == revision:
                raise InvoiceIssued("the invoice is issued", finding=finding, invoice=view.invoice.reference)
        undone = {"resolution": one.resolution.decision} if one.resolution else {}
        return await self._decide(DecisionKind.REVERSE, token, one, month, reason, undone, key)

    async def resolve_kind(
        self,
        token: str,
        month: str,
        revision: int,
        kind: Cause,
        findings: Sequence[str],
        payload: Mapping[str, str],
        reason: str,
        key: UUID | None = None,
    ) -> Fanned:
        """Answer many findings of one cause by one decision, which names them; each customer's close judges its own.

        Raises:
            UnknownFinding, MixedKinds, NotInBulk, NobodyHeld, DecisionNotTaken: nothing was written.
        """
        if kept := self._desk.kept(key, DecisionKind.RESOLVE_KIND, kind.value):
            there = self._there(month, revision)
            fanned = await self._fan_out(kept, there)
            left = [name for name in dict.fromkeys(findings) if name not in _listed(kept)]
            dropped = {name: _closed(there[name]) if name in there else GONE for name in left}
            return Fanned(kept.id, fanned.taken, fanned.waiting, dropped | dict(fanned.dropped))
        refuse_role(self._desk.person(token), DecisionKind.RESOLVE_KIND)
        if payload["answer"] == Answer.CORRECT.value:
            raise NotInBulk("a quantity fits one finding", kind=kind.value)
        named = self._known(month, revision, findings)
        others = sorted(one.finding.id for one in named.values() if one.finding.cause is not kind)
        if others:
            raise MixedKinds(f"{len(others)} findings are not {kind.value}", findings=", ".join(others))
        closed = {name: why for name, one in named.items() if (why := _closed(one))}
        held = [name for name in named if name not in closed]
        if not held:
            raise NobodyHeld(f"no {kind.value} finding of those named holds anybody", findings=", ".join(named))
        whole = self._desk.write(
            DecisionKind.RESOLVE_KIND,
            token,
            month,
            revision,
            EVERYONE,
            kind.value,
            reason,
            {**payload, "findings": "\n".join(held)},
            key,
        )
        fanned = await self._fan_out(whole, named)
        return Fanned(whole.id, fanned.taken, fanned.waiting, closed | dict(fanned.dropped))

    async def finish(self, month: str, revision: int) -> int:
        """Fan out again what a bulk resolution left undone, as an outbox does; return how many parts were sent."""
        sent = 0
        for whole in self._closes.decisions(month, revision, EVERYONE):
            if whole.kind is DecisionKind.RESOLVE_KIND:
                there = self._there(month, revision)
                fanned = await self._fan_out(whole, there, self._judged(whole, there))
                sent += len(fanned.taken) + len(fanned.waiting)
        return sent

    async def _fan_out(
        self, whole: Decision, there: Mapping[str, OpenFinding], left: Collection[str] = frozenset()
    ) -> Fanned:
        """Write and deliver the parts of a decision but those `left`; one that was judged is told as it was judged."""
        shared = {key: text for key, text in whole.payload.items() if key != "findings"}
        names = _listed(whole)
        gate = asyncio.Semaphore(AT_ONCE)

        async def part(name: str) -> Verdict | str | None:
            if name not in there:
                return GONE
            async with gate:
                customer = there[name].finding.customer
                decision = self._desk.part_of(whole, DecisionKind.RESOLVE, customer, name, shared)
                if decision.id in left:
                    return "judged before"
                try:
                    return await self._desk.deliver(decision)
                except DecisionNotTaken as refusal:
                    return refusal.what

        said = dict(zip(names, await asyncio.gather(*(part(name) for name in names)), strict=True))
        return Fanned(
            whole.id,
            tuple(name for name, answer in said.items() if isinstance(answer, Verdict)),
            tuple(name for name, answer in said.items() if answer is None),
            {name: answer for name, answer in said.items() if isinstance(answer, str)},
        )

    def _judged(self, whole: Decision, there: Mapping[str, OpenFinding]) -> Collection[str]:
        """Return the decisions on the customers of a decision's parts that were judged."""
        customers = {there[name].finding.customer for name in _listed(whole) if name in there}
        return {
            verdict.decision
            for customer in sorted(customers)
            for verdict in self._closes.verdicts(whole.period, whole.revision, customer)
        }

    async def _decide(
        self,
        kind: DecisionKind,
        token: str,
        one: OpenFinding,
        month: str,
        reason: str,
        payload: Mapping[str, str],
        key: UUID | None,
    ) -> Verdict | None:
        finding = one.finding
        written = self._desk.write(kind, token, month, one.revision, finding.customer, finding.id, reason, payload, key)
        return await self._desk.deliver(written)

    def _known(self, month: str, revision: int, findings: Sequence[str]) -> dict[str, OpenFinding]:
        known = self._there(month, revision)
        unknown = [name for name in findings if name not in known]
        if unknown:
            raise UnknownFinding("no such finding in this close", findings=", ".join(unknown), month=month)
        return {name: known[name] for name in dict.fromkeys(findings)}

    def _there(self, month: str, revision: int) -> dict[str, OpenFinding]:
        return {one.finding.id: one for one in self._books.exceptions(month, revision, answered_too=True)}


def _listed(whole: Decision) -> list[str]:
    return whole.payload["findings"].split("\n")


def _closed(one: OpenFinding) -> str:
    """Return why a finding needs no answer, or nothing."""
    if one.resolution is not None:
        return f"answered by {one.resolution.person}: {one.resolution.answer.value}"
    return "" if one.finding.severity is Severity.HOLDS else "only recorded: it holds nobody"
