"""Approval: who must sign, and why a decision is not taken; the first reason is the one that is told."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.approval import ApprovalPolicy, judge, need, unknown
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
