"""Approval: who must sign a statement, what a signature covers, and why a decision is not taken."""

from collections.abc import Collection, Iterable
from decimal import Decimal

from models.approval import ISSUED, ApprovalCode, Decision, Verdict
from models.close import DecisionKind, Role
from models.reconciliation import Answer
from models.statement import Statement
from models.value import Value

STARTERS = frozenset({Role.PREPARER, Role.CONTROLLER})
"""Who may start a close, pause it and resume it."""

ROLES_FOR: dict[DecisionKind, frozenset[Role]] = {
    DecisionKind.APPROVE: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.APPROVE_LIST: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.REJECT: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.RESOLVE: frozenset({Role.PREPARER, Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.RESOLVE_KIND: frozenset({Role.PREPARER, Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.ASSIGN: frozenset({Role.PREPARER, Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.REVERSE: frozenset({Role.PREPARER, Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.CORRECT: frozenset({Role.PREPARER, Role.CONTROLLER}),
    DecisionKind.RETRY: frozenset({Role.PREPARER, Role.APPROVER, Role.CONTROLLER, Role.ENGINEER}),
    DecisionKind.SKIP: frozenset({Role.CONTROLLER}),
    DecisionKind.PROPOSE_OPENING: frozenset({Role.PREPARER, Role.CONTROLLER}),
    DecisionKind.APPROVE_OPENING: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.LOCK: frozenset({Role.CONTROLLER}),
    DecisionKind.APPROVE_RATE: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.REJECT_RATE: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.SIGN_TIE_OUT: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.ASK_REOPEN: frozenset({Role.PREPARER, Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.REOPEN: frozenset({Role.CONTROLLER}),
    DecisionKind.PROPOSE_CORRECTION: frozenset({Role.PREPARER, Role.CONTROLLER}),
    DecisionKind.APPROVE_CORRECTION: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.REJECT_CORRECTION: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.PROPOSE_EVENT: frozenset({Role.PREPARER, Role.CONTROLLER}),
    DecisionKind.APPROVE_EVENT: frozenset({Role.APPROVER, Role.CONTROLLER}),
    DecisionKind.PAUSE: STARTERS,
    DecisionKind.RESUME: STARTERS,
}
"""Which roles may decide what."""

NEEDS_A_REASON = frozenset(
    {
        DecisionKind.REJECT,
        DecisionKind.RESOLVE,
        DecisionKind.RESOLVE_KIND,
        DecisionKind.ASSIGN,
        DecisionKind.REVERSE,
        DecisionKind.CORRECT,
        DecisionKind.SKIP,
        DecisionKind.PROPOSE_EVENT,
        DecisionKind.PAUSE,
        DecisionKind.RESUME,
    }
)

PAUSING = (DecisionKind.PAUSE, DecisionKind.RESUME)
"""What a close takes at any time; the last one taken says how it is."""

PREPARES = frozenset({DecisionKind.RESOLVE, DecisionKind.REVERSE, DecisionKind.CORRECT})
"""Decisions whose person prepares the statement that follows, and so may not approve it."""

BOUND = frozenset(
    {
        DecisionKind.APPROVE,
        DecisionKind.REJECT,
        DecisionKind.PROPOSE_OPENING,
        DecisionKind.APPROVE_OPENING,
        DecisionKind.PROPOSE_EVENT,
        DecisionKind.APPROVE_EVENT,
    }
)
"""Decisions that are about one content and no other: their subject is its fingerprint."""


_APPROVES = {
    DecisionKind.APPROVE: "statement",
    DecisionKind.APPROVE_OPENING: "opening",
    DecisionKind.APPROVE_EVENT: "event",
}


class ApprovalPolicy(Value):
    """When a statement is approved by whom. Automatic approval exists and is off by default."""

    automatic: bool = False
    automatic_up_to: Decimal = Decimal(0)  # in the statement's currency; only without findings and at low risk
    two_people_from: Decimal = Decimal("100000")  # in the statement's currency


class Need(Value):
    """How many people must approve, asked in which queue, and why."""

    people: int
    queue: str
    why: str


def need(statement: Statement, policy: ApprovalPolicy, risk: str, findings: int, first_month: bool) -> Need:
    """Return who must approve a statement: two for high risk or a large total, else one; nobody only by policy."""
    if risk == "high" or abs(statement.total) >= policy.two_people_from:
        why = "high risk" if risk == "high" else f"total from {policy.two_people_from} {statement.currency}"
        return Need(people=2, queue="approver", why=why)
    clean = not findings and not first_month
    if policy.automatic and clean and abs(statement.total) <= policy.automatic_up_to:
        return Need(people=0, queue="system", why="clean, small, not a first month")
    return Need(people=1, queue="approver", why="first month" if first_month else "one person by default")


def judge(
    decision: Decision,
    accepts: Collection[DecisionKind],
    *,
    same_close: bool,
    statement: str | None,
    holding: Collection[str],
    preparers: Collection[str],
    approved_by: Collection[str],
    answered: Collection[str] = (),
    issued: bool = False,
) -> Verdict:
    """Return the verdict on a decision; the first reason against it is the one that is told.

    A preparer is whoever started the close by hand, resolved a finding or reversed its resolution, corrected an
    input, or proposed a rate, authority or contract version used in the statement: none of them may approve it.
    `answered`: findings with a resolution that stands; `issued`: the invoice is out, so that nothing is reversed.
    """

    def no(code: ApprovalCode, message: str) -> Verdict:
        return _verdict(decision, code, message)

    person = decision.person
    if not same_close:
        return no(ApprovalCode.WRONG_CLOSE, "the decision is about another customer, month or revision")
    if decision.kind is DecisionKind.REVERSE and issued:
        return no(ApprovalCode.ISSUED, ISSUED)
    if decision.kind not in accepts:
        return no(ApprovalCode.NOT_WAITING, f"nobody waits for a decision of kind {decision.kind.value} now")
    if not ROLES_FOR[decision.kind] & set(person.roles):
        allowed = ", ".join(sorted(role.value for role in ROLES_FOR[decision.kind]))
        return no(ApprovalCode.WRONG_ROLE, f"{person.id} may not {decision.kind.value}: that is for {allowed}")
    if decision.kind in NEEDS_A_REASON and not decision.reason.strip():
        return no(ApprovalCode.NO_REASON, f"{decision.kind.value} needs a reason")
    if decision.kind is DecisionKind.RESOLVE:
        return _judge_resolution(decision, holding)
    if decision.kind is DecisionKind.ASSIGN and decision.subject not in holding:
        return no(ApprovalCode.ALREADY, f"finding {decision.subject} does not hold this customer now")
    if decision.kind is DecisionKind.REVERSE and decision.subject not in answered:
        return no(ApprovalCode.ALREADY, f"finding {decision.subject} has no resolution to reverse")
    if decision.kind in BOUND and decision.subject != statement:
        seen, now = decision.subject[:12], (statement or "none")[:12]
        return no(ApprovalCode.CHANGED, f"what is signed changed since it was seen: signed {seen}, now {now}")
    if decision.kind in _APPROVES:
        if person.id in preparers:
            what = _APPROVES[decision.kind]
            return no(ApprovalCode.PREPARER, f"{person.id} prepared this {what} and may not approve it")
        if person.id in approved_by:
            return no(ApprovalCode.SECOND_PERSON, f"{person.id} approved already; a second person is needed")
    return _verdict(decision, ApprovalCode.TAKEN, decision.reason)


def judge_both(
    proposal: Decision,
    approved: Decision,
    kinds: tuple[DecisionKind, DecisionKind],
    subject: str,
    where: tuple[str, str],
) -> tuple[Verdict, Verdict]:
    """Return the verdicts on one person's proposal and another's approval of the same content.

    `subject` is its fingerprint, `where` the customer and month both must be about.
    """

    def verdict(decision: Decision, kind: DecisionKind, *preparers: str) -> Verdict:
        return judge(
            decision,
            (kind,),
            same_close=(decision.customer, decision.period) == where,
            statement=subject,
            holding=(),
            preparers=preparers,
            approved_by=(),
        )

    return verdict(proposal, kinds[0]), verdict(approved, kinds[1], proposal.person.id)


def judge_pause(decision: Decision, *, same_close: bool, paused: bool) -> Verdict:
    """Return the verdict on pausing or resuming a close; what changes nothing is not taken."""
    verdict = judge(decision, PAUSING, same_close=same_close, statement=None, holding=(), preparers=(), approved_by=())
    if verdict.taken and (decision.kind is DecisionKind.PAUSE) is paused:
        return _verdict(
            decision, ApprovalCode.ALREADY, "the close is paused already" if paused else "the close is not paused"
        )
    return verdict


def is_paused(verdicts: Iterable[Verdict]) -> bool:
    """Return whether the last verdict taken on pausing a close, of its verdicts in order, paused it."""
    taken = [one.kind for one in verdicts if one.taken and one.kind in PAUSING]
    return bool(taken) and taken[-1] is DecisionKind.PAUSE


def _judge_resolution(decision: Decision, holding: Collection[str]) -> Verdict:
    if decision.subject not in holding:
        return _verdict(decision, ApprovalCode.ALREADY, f"finding {decision.subject} does not hold this customer now")
    answers = {answer.value for answer in Answer}
    if decision.payload.get("answer") not in answers:
        return _verdict(decision, ApprovalCode.NO_REASON, f"the answer must be one of {', '.join(sorted(answers))}")
    if decision.payload["answer"] == Answer.CORRECT.value and not {"quantity", "evidence"} <= decision.payload.keys():
        return _verdict(decision, ApprovalCode.NO_REASON, "a correction needs its quantity and its evidence")
    return _verdict(decision, ApprovalCode.TAKEN, decision.reason)


def _verdict(decision: Decision, code: ApprovalCode, message: str) -> Verdict:
    return Verdict(
        decision=decision.id,
        kind=decision.kind,
        taken=code is ApprovalCode.TAKEN,
        code=code,
        message=message,
        person=decision.person.id,
        subject=decision.subject,
    )


def unknown(decision: str) -> Verdict:
    """Return the verdict on an id that names no decision row: nothing changes."""
    return Verdict(
        decision=decision,
        taken=False,
        code=ApprovalCode.UNKNOWN_DECISION,
        message="no decision row has this id; decisions are written at the desk, not in messages",
    )
