"""The close: its stages in order, its states, and what each stage leaves behind."""

from decimal import Decimal
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
    PAUSED = "paused"  # its close is paused: the stage begins when somebody resumes it


DRY_RUNS_FROM = 1001
"""Revisions from here on are dry runs: what they seal, reconcile and rate is kept apart, and is nobody's close."""

CORRECTIONS_FROM = 501
"""Revisions from here on are corrections': decisions on them, statements rated again, invoices that replace others."""

EVERYONE = "everyone"
"""In place of a customer where a decision is about the whole month."""


class Ending(StrEnum):
    """How a member of a close's population ended, as far as the close itself goes."""

    ISSUED = "issued"
    ZERO = "zero"  # a zero statement was issued, or there was nothing to bill and the reason is recorded
    SKIPPED = "skipped"  # by a person, with a reason
    PARKED = "parked"  # it needs a person; the others go on


class DecisionKind(StrEnum):
    """What a person may decide about a close; each is a row written by one service."""

    APPROVE = "approve"
    APPROVE_LIST = "approve_list"  # many statements in one row: customer `everyone`, subject the list's fingerprint
    REJECT = "reject"
    RESOLVE = "resolve"
    RESOLVE_KIND = "resolve_kind"  # many findings of one cause in one row: customer `everyone`, subject the cause
    ASSIGN = "assign"  # a finding to an owner; its subject is the finding
    REVERSE = "reverse"  # a finding's resolution, until the invoice is issued; its subject is the finding
    CORRECT = "correct"
    RETRY = "retry"
    SKIP = "skip"
    PROPOSE_OPENING = "propose_opening"  # of a contract taken over; its subject is the opening's fingerprint
    APPROVE_OPENING = "approve_opening"
    LOCK = "lock"  # of an accounting period; its customer is the word `everyone`
    APPROVE_RATE = "approve_rate"  # of a proposed rate version; customer `everyone`, subject the proposal
    REJECT_RATE = "reject_rate"
    SIGN_TIE_OUT = "sign_tie_out"  # its subject is the fingerprint of its numbers
    ASK_REOPEN = "ask_reopen"  # of a locked period, until an instant
    REOPEN = "reopen"  # its subject is the decision that asks for it
    PROPOSE_CORRECTION = "propose_correction"  # of an issued invoice; its subject is the request's fingerprint
    APPROVE_CORRECTION = "approve_correction"  # its subject is the correction's fingerprint
    REJECT_CORRECTION = "reject_correction"
    PROPOSE_EVENT = "propose_event"  # a fact no statement has; its subject is the event's fingerprint
    APPROVE_EVENT = "approve_event"
    PAUSE = "pause"  # of a close; customer `everyone`, subject the month
    RESUME = "resume"


def paused_words(person: str, why: str) -> str:
    """Return how a paused close says so wherever it is read."""
    return f"paused by {person}: {why}"


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

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it is under way, waits for a signature, or for a dry run, which issues nothing."""
        if self.revision >= DRY_RUNS_FROM:
            return None
        held = self.state is State.WAITING and self.stage is Stage.RECONCILE
        if held or self.state in (State.NEEDS_ATTENTION, State.REJECTED):
            return Ending.PARKED
        if self.state is State.SKIPPED:
            return Ending.SKIPPED
        if self.state is not State.DONE:
            return None
        return Ending.ISSUED if Decimal(self.references.get("total", "0")) else Ending.ZERO
