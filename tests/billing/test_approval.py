"""Approval: who must sign, and why a decision is not taken; the first reason is the one that is told."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.approval import ApprovalPolicy, is_paused, judge, judge_pause, need, unknown
from models.approval import ApprovalCode, Decision, Person, Verdict
from models.close import DecisionKind, Role
from tests.statement_builders import a_statement

STATEMENT = "a" * 64


def decision(kind: DecisionKind = DecisionKind.APPROVE, *roles: Role, **more: Any) -> Decision:
    fields = {
        "id": "d-1",
        "kind": kind,
        "period": "2026-10",
        "revision": 1,
        "customer": "acme",
        "subject": STATEMENT,
        "person": Person(id=more.pop("person", "aron"), name="Aron", roles=roles or (Role.APPROVER,)),
        "reason": "checked",
        "payload": {},
        "recorded_at": datetime(2026, 11, 1, tzinfo=UTC),
    }
    return Decision(**{**fields, **more})


def verdict(one: Decision, **more: Any) -> Verdict:
    facts = {
        "same_close": True,
        "statement": STATEMENT,
        "holding": ("f-1",),
        "preparers": frozenset({"pia"}),
        "approved_by": (),
    }
    accepts = more.pop("accepts", tuple(DecisionKind))
    return judge(one, accepts, **{**facts, **more})


def test_the_right_person_approves_what_was_seen() -> None:
    assert verdict(decision()).taken


@pytest.mark.parametrize(
    ("one", "facts", "code"),
    [
        (decision(), {"same_close": False}, ApprovalCode.WRONG_CLOSE),
        (decision(), {"accepts": (DecisionKind.RETRY,)}, ApprovalCode.NOT_WAITING),
        (decision(DecisionKind.APPROVE, Role.ENGINEER), {}, ApprovalCode.WRONG_ROLE),
        (decision(DecisionKind.APPROVE, Role.AUDITOR), {}, ApprovalCode.WRONG_ROLE),
        (decision(subject="b" * 64), {}, ApprovalCode.CHANGED),
        (decision(), {"statement": None}, ApprovalCode.CHANGED),
        (decision(person="pia"), {}, ApprovalCode.PREPARER),
        (decision(DecisionKind.APPROVE, Role.CONTROLLER, person="pia"), {}, ApprovalCode.PREPARER),
        (decision(), {"approved_by": ("aron",)}, ApprovalCode.SECOND_PERSON),
        (decision(DecisionKind.REJECT, reason=" "), {}, ApprovalCode.NO_REASON),
        (decision(DecisionKind.SKIP), {}, ApprovalCode.WRONG_ROLE),
        (decision(DecisionKind.RESOLVE, subject="f-9"), {}, ApprovalCode.ALREADY),
        (decision(DecisionKind.RESOLVE, subject="f-1"), {}, ApprovalCode.NO_REASON),
        (decision(DecisionKind.RESOLVE, subject="f-1", payload={"answer": "correct"}), {}, ApprovalCode.NO_REASON),
    ],
)
def test_a_decision_is_refused_for_its_first_reason(one: Decision, facts: dict[str, Any], code: ApprovalCode) -> None:
    found = verdict(one, **facts)
    assert (found.taken, found.code) == (False, code)
    assert found.message


def test_a_preparer_may_reject_their_own_statement() -> None:
    assert verdict(decision(DecisionKind.REJECT, Role.APPROVER, person="pia")).taken


def test_a_resolution_with_its_answer_is_taken() -> None:
    assert verdict(
        decision(DecisionKind.RESOLVE, subject="f-1", payload={"answer": "accept", "source": "posthog"})
    ).taken


def test_an_id_without_a_row_changes_nothing() -> None:
    assert (unknown("x").taken, unknown("x").code) == (False, ApprovalCode.UNKNOWN_DECISION)


def test_one_person_signs_by_default_and_nobody_only_by_policy() -> None:
    statement = a_statement()
    assert need(statement, ApprovalPolicy(), "normal", findings=0, first_month=False).people == 1
    automatic = ApprovalPolicy(automatic=True, automatic_up_to=Decimal("100000"))
    assert need(statement, automatic, "normal", findings=0, first_month=False).people == 0
    assert need(statement, automatic, "normal", findings=1, first_month=False).people == 1
    assert need(statement, automatic, "normal", findings=0, first_month=True).people == 1


def test_high_risk_and_large_totals_need_two() -> None:
    statement = a_statement()
    assert need(statement, ApprovalPolicy(), "high", findings=0, first_month=False).people == 2
    low = ApprovalPolicy(two_people_from=abs(statement.total))
    assert need(statement, low, "normal", findings=0, first_month=False).people == 2


@pytest.mark.parametrize(
    ("kind", "paused", "more", "code"),
    [
        (DecisionKind.PAUSE, False, {}, ApprovalCode.TAKEN),
        (DecisionKind.RESUME, True, {}, ApprovalCode.TAKEN),
        (DecisionKind.PAUSE, True, {}, ApprovalCode.ALREADY),
        (DecisionKind.RESUME, False, {}, ApprovalCode.ALREADY),
        (DecisionKind.PAUSE, False, {"reason": "  "}, ApprovalCode.NO_REASON),
        (DecisionKind.PAUSE, False, {"roles": Role.APPROVER}, ApprovalCode.WRONG_ROLE),
        (DecisionKind.LOCK, False, {}, ApprovalCode.NOT_WAITING),
    ],
)
def test_a_close_is_paused_and_resumed_by_who_may_start_it(
    kind: DecisionKind, paused: bool, more: dict[str, Any], code: ApprovalCode
) -> None:
    role = more.pop("roles", Role.PREPARER)
    assert judge_pause(decision(kind, role, **more), same_close=True, paused=paused).code is code


def test_another_closes_decision_pauses_nothing() -> None:
    verdict = judge_pause(decision(DecisionKind.PAUSE, Role.CONTROLLER), same_close=False, paused=False)
    assert verdict.code is ApprovalCode.WRONG_CLOSE


def test_the_last_one_taken_says_whether_a_close_is_paused() -> None:
    def taken(kind: DecisionKind, taken: bool = True) -> Verdict:
        return Verdict(decision="d", kind=kind, taken=taken, code=ApprovalCode.TAKEN, message="")

    pause, resume = taken(DecisionKind.PAUSE), taken(DecisionKind.RESUME)
    assert not is_paused([])
    assert is_paused([pause])
    assert is_paused([pause, resume, pause, taken(DecisionKind.RESUME, False), taken(DecisionKind.LOCK)])
    assert not is_paused([pause, resume])
