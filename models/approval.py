"""Approval: a person's decision, bound to the fingerprint of what was seen."""

from enum import StrEnum

from pydantic import Field

from models.close import DecisionKind, Role
from models.period import Month
from models.usage import Identifier
from models.value import Instant, Value


class Person(Value):
    """Somebody who may decide, with the roles they hold."""

    id: Identifier
    name: str
    roles: tuple[Role, ...]


class Decision(Value):
    """A row somebody wrote through the desk: who decides what about which subject, and why.

    `subject` is a statement's fingerprint for approve and reject, a list's for approve_list, a finding's id for
    resolve, assign and reverse, a cause for resolve_kind, a stage for retry, skip and correct.
    """

    id: str
    kind: DecisionKind
    period: Month
    revision: int = Field(ge=1)
    customer: Identifier
    subject: str
    person: Person
    reason: str = ""
    payload: dict[str, str] = {}
    recorded_at: Instant

    @property
    def month_key(self) -> tuple[str, int]:
        """Which close it is about: month and revision."""
        return self.period, self.revision


class ApprovalCode(StrEnum):
    """Why an approval was or was not taken."""

    TAKEN = "taken"
    UNKNOWN_DECISION = "unknown_decision"
    WRONG_ROLE = "wrong_role"
    PREPARER = "preparer_may_not_approve"
    CHANGED = "statement_changed"
    WRONG_CLOSE = "wrong_close"
    NOT_WAITING = "not_waiting"
    NO_REASON = "reason_missing"
    ALREADY = "already_decided"
    SECOND_PERSON = "second_person_needed"
    ISSUED = "invoice_issued"


ISSUED = "the invoice is issued and its findings stay as answered; correct it: tieout correction propose MONTH CUSTOMER"
"""Why a resolution is no longer reversed, and the way out."""


class Verdict(Value):
    """The workflow's answer to a decision."""

    decision: str
    kind: DecisionKind | None = None
    taken: bool
    code: ApprovalCode
    message: str
    person: Identifier | None = None
    subject: str = ""
