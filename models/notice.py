"""Notices: what customers, and finance, are told, each once, under a business key."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from models.period import Month
from models.usage import Identifier
from models.value import Instant, Value, fingerprint_of

LONGEST = 128
"""Characters of a notice's id (`models.usage.Identifier`)."""


class NoticeKind(StrEnum):
    """What a notice is about."""

    INVOICE_READY = "invoice_ready"
    CORRECTION_ISSUED = "correction_issued"
    POOL_USED = "pool_used"
    CREDIT_EXPIRES = "credit_expires"
    ENTITLEMENT_USED = "entitlement_used"
    POOL_DEPLETES = "pool_depletes"
    ALERT = "alert"
    EXPORT_READY = "export_ready"
    WATCH_ALERT = "watch_alert"


OWED = frozenset({NoticeKind.INVOICE_READY, NoticeKind.CORRECTION_ISSUED})
"""What the contract owes its customer: nobody opts out of being told what is to be paid."""

FOR_FINANCE = frozenset({NoticeKind.WATCH_ALERT})
"""What goes to finance and concerns no one customer; its link leads to the console."""

CHOICES = tuple(kind for kind in NoticeKind if kind not in OWED | FOR_FINANCE)
"""What a customer may opt out of."""


class Notice(Value):
    """A notice as it is written: sentences that its mail says as text and as HTML alike."""

    id: Identifier  # kind/what it is about, such as invoice_ready/2026-10@1/delta/USD
    kind: NoticeKind
    customer: Identifier
    period: Month
    subject: str = Field(min_length=1)
    sentences: tuple[str, ...] = Field(min_length=1)
    path: str = Field(pattern=r"^/")  # of the page it links to
    facts: dict[str, str] = {}  # what it is about, as stored, for programs
    written_at: Instant


class Addressed(Value):
    """A notice and whom it goes to: an address, or several with commas in between."""

    notice: Notice
    to: str


def notice_id(kind: NoticeKind, *about: str) -> str:
    """Return a notice's id: its kind and what it is about; where that is too long for an id, what it is about hashed.

    `adapters.postgres.notices` says the same in SQL.
    """
    whole = "/".join((kind.value, *about))
    return whole if len(whole) <= LONGEST else f"{kind.value}/{fingerprint_of(whole)}"


def month_words(month: str) -> str:
    """Return a month as a letter says it, such as October 2026."""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"
