"""The finding desk: one decision for many findings of one kind, refused where kinds mix, named what dropped out."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from models.approval import ApprovalCode, Decision, Person, Verdict
from models.close import EVERYONE, DecisionKind, Role
from models.reconciliation import Answer, Cause, Finding, Resolution, Severity
from models.reports import OpenFinding
from runtime.desk import DecisionNotTaken, DeskDoor
from runtime.finding_desk import (
    Fanned,
    FindingDesk,
    InvoiceIssued,
    MixedKinds,
    NobodyHeld,
    NoSuchOwner,
    NotInBulk,
    UnknownFinding,
)

AT = datetime(2026, 11, 2, tzinfo=UTC)
PIA = Person(id="pia", name="Pia", roles=(Role.PREPARER,))
ERIK = Person(id="erik", name="Erik", roles=(Role.ENGINEER,))
ACCEPT = {"answer": "accept"}
KEY = UUID(int=7)


def a_finding(name: str, cause: Cause = Cause.UNIT, **more: Any) -> OpenFinding:
    """Return a finding that holds the customer its name begins with."""
    finding = Finding(
        id=name,
        customer=name.split("-")[0],
        period="2026-10",
        cause=cause,
        severity=more.pop("severity", Severity.HOLDS),
        source="sheet",
        against="clickhouse",
        meter="call.minutes",
        starts_at=AT,
        ends_at=AT,
        quantity=Decimal(60),
        against_quantity=Decimal(1),
        evidence="x60",
        suggestion="accept clickhouse",
    )
    return OpenFinding(revision=1, reconciliation="r", finding=finding, first_seen=AT, **more)


def answered(name: str) -> OpenFinding:
    """Return a finding that somebody answered."""
    resolution = Resolution(finding=name, answer=Answer.DEFER, reason="later", person="abby", decision="d")
    return a_finding(name, resolution=resolution)


@dataclass
class World:
    """What stands behind the desk: decisions as rows, and closes that take or refuse what is delivered."""

    findings: tuple[OpenFinding, ...]
    rows: dict[str, Decision] = field(default_factory=dict)
    refusing: Mapping[str, str] = field(default_factory=dict)
    asleep: tuple[str, ...] = ()
    verdicts: list[Verdict] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    issued: bool = False

    def desk(self) -> FindingDesk:
        """Return the desk over this world."""
        door = DeskDoor(
            cast(Any, SimpleNamespace(write=self._write, person=lambda token: PIA if token == "pia" else ERIK)),
            cast(Any, SimpleNamespace(decision=self.rows.get)),
            cast(Any, None),
            cast(Any, SimpleNamespace(now=lambda: AT)),
        )
        cast(Any, door).deliver = self._deliver
        books = SimpleNamespace(
            exceptions=lambda month, revision, customer=None, answered_too=False: self.findings,
            people=lambda: (PIA, ERIK),
            invoices=lambda month, customer: (
                (SimpleNamespace(revision=1, issued=object(), invoice=SimpleNamespace(reference="inv")),)
                if self.issued
                else ()
            ),
        )
        closes = SimpleNamespace(
            verdicts=lambda month, revision, customer: tuple(self.verdicts),
            decisions=lambda month, revision, customer: tuple(
                one for one in self.rows.values() if one.customer == customer
            ),
        )
        return FindingDesk(door, cast(Any, books), cast(Any, closes))

    def bulk(
        self, *findings: str, token: str = "pia", answer: Mapping[str, str] = ACCEPT, key: UUID | None = None
    ) -> Fanned:
        """Answer findings of wrong units by one decision."""
        work = self.desk().resolve_kind(token, "2026-10", 1, Cause.UNIT, findings, answer, "known since May", key)
        return asyncio.run(work)

    def _write(self, decision: Decision) -> Decision:
        return self.rows.setdefault(decision.id, decision)

    async def _deliver(self, decision: Decision) -> Verdict | None:
        self.delivered.append(decision.subject)
        if decision.subject in self.asleep:
            return None
        if decision.subject in self.refusing:
            raise DecisionNotTaken(self.refusing[decision.subject])
        verdict = Verdict(
            decision=decision.id, kind=decision.kind, taken=True, code=ApprovalCode.TAKEN, message="", person="pia"
        )
        self.verdicts.append(verdict)
        return verdict


def test_one_decision_names_its_findings_and_each_close_gets_its_own_part_of_it() -> None:
    world = World((a_finding("acme-1"), a_finding("bolt-1"), a_finding("acme-2", Cause.ALIAS)))
    fanned = world.bulk("acme-1", "bolt-1")
    assert (fanned.taken, fanned.waiting, fanned.dropped) == (("acme-1", "bolt-1"), (), {})
    whole, *parts = world.rows.values()
    assert (whole.kind, whole.customer, whole.subject) == (DecisionKind.RESOLVE_KIND, EVERYONE, "unit")
    assert whole.payload == {"answer": "accept", "findings": "acme-1\nbolt-1"}
    assert [(one.kind, one.customer, one.subject, one.person.id, one.reason) for one in parts] == [
        (DecisionKind.RESOLVE, "acme", "acme-1", "pia", "known since May"),
        (DecisionKind.RESOLVE, "bolt", "bolt-1", "pia", "known since May"),
    ]
    assert {one.payload["part_of"] for one in parts} == {whole.id}


def test_mixed_kinds_are_refused_by_name_and_nothing_is_written() -> None:
    world = World((a_finding("acme-1"), a_finding("bolt-1", Cause.ALIAS)))
    with pytest.raises(MixedKinds, match=r"1 findings are not unit.*bolt-1"):
        world.bulk("acme-1", "bolt-1")
    assert world.rows == {}


def test_what_dropped_out_is_named_with_its_reason() -> None:
    recorded = a_finding("gale-1", severity=Severity.RECORDED)
    world = World(
        (a_finding("acme-1"), answered("bolt-1"), a_finding("kite-1"), recorded),
        refusing={"kite-1": "kite 2026-10 is at approve and waits for approve"},
    )
    fanned = world.bulk("acme-1", "bolt-1", "kite-1", "gale-1")
    assert fanned.taken == ("acme-1",)
    assert fanned.dropped == {
        "bolt-1": "answered by abby: defer",
        "gale-1": "only recorded: it holds nobody",
        "kite-1": "kite 2026-10 is at approve and waits for approve",
    }
    assert next(iter(world.rows.values())).payload["findings"] == "acme-1\nkite-1"


@pytest.mark.parametrize(
    ("named", "answer", "token", "refusal"),
    [
        (("ghost-1",), ACCEPT, "pia", UnknownFinding),
        (("bolt-1",), ACCEPT, "pia", NobodyHeld),
        (("acme-1",), {"answer": "correct", "quantity": "1", "evidence": "log"}, "pia", NotInBulk),
        (("acme-1",), ACCEPT, "erik", DecisionNotTaken),
    ],
)
def test_a_bulk_that_fits_nobody_is_refused_before_anything_is_written(
    named: tuple[str, ...], answer: dict[str, str], token: str, refusal: type[Exception]
) -> None:
    world = World((a_finding("acme-1"), answered("bolt-1")))
    with pytest.raises(refusal):
        world.bulk(*named, token=token, answer=answer)
    assert world.rows == {}


def test_a_bulk_that_was_cut_short_is_finished_and_nothing_is_sent_that_was_judged() -> None:
    world = World((a_finding("acme-1"), a_finding("bolt-1")), asleep=("bolt-1",))
    assert world.bulk("acme-1", "bolt-1").waiting == ("bolt-1",)
    world.asleep = ()
    assert asyncio.run(world.desk().finish("2026-10", 1)) == 1
    assert world.delivered == ["acme-1", "bolt-1", "bolt-1"]
    assert len(world.rows) == 3  # the whole and its two parts, written once


def test_a_bulk_that_is_sent_again_under_its_key_is_answered_by_what_was_decided() -> None:
    recorded = a_finding("gale-1", severity=Severity.RECORDED)
    world = World((a_finding("acme-1"), a_finding("bolt-1"), recorded), refusing={"bolt-1": "not now"})
    first = world.bulk("acme-1", "bolt-1", "gale-1", key=KEY)
    assert (first.decision, first.taken) == (str(KEY), ("acme-1",))
    world.findings = (answered("acme-1"), a_finding("bolt-1"), recorded)  # the world moved on by it
    assert world.bulk("acme-1", "bolt-1", "gale-1", key=KEY) == first
    world.findings = (answered("bolt-1"), recorded)
    gone = world.bulk("acme-1", "bolt-1", "gale-1", key=KEY)
    assert gone.dropped == {**first.dropped, "acme-1": "no reconciliation in use has it any more"}
    assert len(world.rows) == 3


@pytest.mark.parametrize("what", ["resolve", "assign", "reverse"])
def test_a_decision_that_is_sent_again_under_its_key_is_the_same_one_though_the_finding_changed(what: str) -> None:
    world = World((answered("acme-1") if what == "reverse" else a_finding("acme-1"),))
    said: tuple[Any, ...] = {"resolve": (ACCEPT,), "assign": ("pia",), "reverse": ()}[what]

    def ask(key: UUID | None) -> Verdict | None:
        work = getattr(world.desk(), what)("pia", "2026-10", 1, "acme-1", *said, "the log shows it", key)
        return cast(Verdict | None, asyncio.run(work))

    first = ask(KEY)
    assert first is not None
    world.findings, world.issued = (), True  # reconciled again without it, and invoiced
    assert ask(KEY) == first
    assert len(world.rows) == 1
    with pytest.raises(UnknownFinding):
        ask(None)


def test_what_was_judged_is_not_delivered_again_to_a_close_that_may_have_ended() -> None:
    world = World((a_finding("acme-1"),))
    taken = asyncio.run(world.desk().resolve("pia", "2026-10", 1, "acme-1", ACCEPT, "the log shows it", KEY))
    [row] = world.rows.values()
    refused = Verdict(decision="other", taken=False, code=ApprovalCode.NOT_WAITING, message="it waits for nobody")
    closes = SimpleNamespace(verdicts=lambda *_: (refused, taken))
    door = DeskDoor(cast(Any, None), cast(Any, closes), cast(Any, None), cast(Any, None))  # and there is no server
    assert asyncio.run(door.deliver(row)) == taken
    with pytest.raises(DecisionNotTaken, match="it waits for nobody"):
        asyncio.run(door.deliver(row.model_copy(update={"id": "other"})))


def test_a_finding_is_given_only_to_who_may_answer_it() -> None:
    world = World((a_finding("acme-1"),))
    with pytest.raises(NoSuchOwner, match="erik may not answer findings"):
        asyncio.run(world.desk().assign("pia", "2026-10", 1, "acme-1", "erik", "his system"))
    assert asyncio.run(world.desk().assign("pia", "2026-10", 1, "acme-1", "pia", "mine"))
    (row,) = world.rows.values()
    assert (row.kind, row.subject, row.payload) == (DecisionKind.ASSIGN, "acme-1", {"owner": "pia"})


def test_a_reversal_names_what_it_undoes_and_is_refused_once_the_invoice_is_issued() -> None:
    world = World((answered("acme-1"),))
    assert asyncio.run(world.desk().reverse("pia", "2026-10", 1, "acme-1", "another day's log"))
    (row,) = world.rows.values()
    assert (row.kind, row.payload) == (DecisionKind.REVERSE, {"resolution": "d"})
    world.issued = True
    with pytest.raises(InvoiceIssued, match="tieout correction propose"):
        asyncio.run(world.desk().reverse("pia", "2026-10", 1, "acme-1", "too late"))
    assert len(world.rows) == 1
