"""Webhooks: where a customer's own systems are told of events, and what came of each delivery."""

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from models.notice import NoticeKind
from models.usage import Identifier
from models.value import Instant, Value

ENDPOINTS = 5
"""How many a customer may have in force: each may hold a delivery's ten seconds."""

OVERLAP = timedelta(hours=24)
"""How long the secret before still signs beside a new one."""


class EventType(StrEnum):
    """What an endpoint may ask for."""

    INVOICE_READY = "invoice.ready"
    CORRECTION_ISSUED = "correction.issued"
    THRESHOLD_REACHED = "threshold.reached"
    POOL_DEPLETES = "pool.depletes"
    CREDIT_EXPIRES = "credit.expires"
    EXPORT_READY = "export.ready"


TYPES: dict[NoticeKind, EventType] = {
    NoticeKind.INVOICE_READY: EventType.INVOICE_READY,
    NoticeKind.CORRECTION_ISSUED: EventType.CORRECTION_ISSUED,
    NoticeKind.ALERT: EventType.THRESHOLD_REACHED,
    NoticeKind.POOL_USED: EventType.THRESHOLD_REACHED,
    NoticeKind.ENTITLEMENT_USED: EventType.THRESHOLD_REACHED,
    NoticeKind.POOL_DEPLETES: EventType.POOL_DEPLETES,
    NoticeKind.CREDIT_EXPIRES: EventType.CREDIT_EXPIRES,
    NoticeKind.EXPORT_READY: EventType.EXPORT_READY,
}
"""The event each notice is; one that is not here goes to no endpoint."""


class Endpoint(Value):
    """An address of a customer's, and which events it is told of."""

    id: Identifier
    customer: Identifier
    url: str
    types: tuple[EventType, ...] = Field(min_length=1)
    made_by: str
    made_at: Instant
    ended_at: Instant | None = None
    ended_by: str | None = None  # a user, or `410` where the endpoint itself said that it is gone


class Sealed(Value):
    """A secret of an endpoint's as it is kept: to be opened by the worker alone."""

    sealed: str
    made_at: Instant


class Delivery(Value):
    """A notice on its way to an endpoint: the first is ours, every later number a replay that somebody asked for."""

    endpoint: Identifier
    notice: Identifier
    number: int = Field(ge=1, lt=2**31)


class Outcome(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    FAILED = "failed"  # every attempt was used up
    ENDED = "ended"  # the endpoint was ended, by its owner or by its answer 410


class Answer(Value):
    """What an endpoint answered; no status where nothing did."""

    status: int | None
    milliseconds: int = Field(ge=0)
    detail: str

    @property
    def accepted(self) -> bool:
        """Whether it was taken: 2xx; a redirect is not."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the endpoint says that it is no more."""
        return self.status == 410


class Attempt(Value):
    """One try of a delivery."""

    delivery: Delivery
    answer: Answer
    tried_at: Instant


class DeliveryView(Value):
    """A delivery as it stands: who asked for it, its attempts, and how it ended if it has."""

    delivery: Delivery
    type: EventType
    subject: str
    asked_by: str | None
    asked_at: Instant
    attempts: tuple[Attempt, ...]
    outcome: Outcome | None
    newest: bool  # of its notice and endpoint: the one that can be replayed once it has ended


class EndpointView(Value):
    """An endpoint as its owner sees it: never a secret, but since when it has which."""

    endpoint: Endpoint
    secret_since: Instant
    last: Attempt | None
