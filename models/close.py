"""The close: its stages in order, its states, and what each stage leaves behind."""

from enum import StrEnum

from models.period import Month
from models.value import Instant, Value


class Stage(StrEnum):
    """The eight stages of one customer's month, in order; the same word in every room."""

    COLLECT = "collect"
    RECONCILE = "reconcile"
    RATE = "rate"
    APPROVE = "approve"
    INVOICE = "invoice"
    RECOGNIZE = "recognize"
    POST = "post"
    PUBLISH = "publish"


class State(StrEnum):
    """How a customer's close stands, apart from its stage."""

    RUNNING = "running"
    WAITING = "waiting"  # for time, a source or a person
    NEEDS_ATTENTION = "needs_attention"  # a rule refused; retry, skip or correct
    DONE = "done"
    REJECTED = "rejected"  # a person sent the statement back; rework is under way
    SKIPPED = "skipped"


DRY_RUNS_FROM = 1001
"""Revisions from here on are dry runs: what they seal, reconcile and rate is kept apart, and is nobody's close."""

EVERYONE = "everyone"
"""In place of a customer where a decision is about the whole month."""


class DecisionKind(StrEnum):
    """What a person may decide about a close; each is a row written by one service."""

    APPROVE = "approve"
    REJECT = "reject"
    RESOLVE = "resolve"
    CORRECT = "correct"
    RETRY = "retry"
    SKIP = "skip"
    PROPOSE_OPENING = "propose_opening"  # of a contract taken over; its subject is the opening's fingerprint
    APPROVE_OPENING = "approve_opening"
    LOCK = "lock"  # of an accounting period; its customer is the word `everyone`


class Role(StrEnum):
    """What a person may do."""

    PREPARER = "preparer"
    APPROVER = "approver"
    CONTROLLER = "controller"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


class Standing(Value):
    """Where a customer's close stands, as people read it; a projection, written by the deeds."""

    month: Month
    revision: int
    customer: str
    stage: Stage
    state: State
    detail: str = ""
    references: dict[str, str] = {}  # statement, invoice, evidence: what the stages left behind
    at: Instant
