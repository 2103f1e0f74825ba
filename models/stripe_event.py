"""Events of the invoicing platform, as received, and what became of each."""

import json
from enum import StrEnum
from typing import Any

from models.money import Currency
from models.usage import Identifier
from models.value import Exact, Frozen, Instant, Value, fingerprint_of


class PlatformEvent(Frozen):
    """An event as the platform signed it: its object may hold anything, so it is kept as text, not as a value."""

    id: Identifier
    type: Identifier
    created: Instant
    object_id: Identifier  # of the invoice, credit note or dispute it is about
    body: str  # the signed payload

    @property
    def about(self) -> dict[str, Any]:
        """The event's object, as the platform wrote it."""
        thing: dict[str, Any] = json.loads(self.body)["data"]["object"]
        return thing

    @property
    def sha256(self) -> str:
        """The checksum of the signed payload."""
        return fingerprint_of(self.body)


class Fate(StrEnum):
    """What became of an event; the last one counts."""

    APPLIED = "applied"  # posted, or there already
    KNOWN = "known"  # our own doing, or nothing to post
    PARKED = "parked"  # a person looks, or another event has to come first


class EventTaken(Value):
    """What became of an event: when, why, and what was posted for it."""

    event: Identifier
    fate: Fate
    at: Instant
    detail: str = ""
    references: dict[str, str] = {}
    """invoice (ours), payment (the platform's payment intent), fee (what it kept), sha256 of the payload it is from."""


class Payment(Value):
    """What the platform says of an invoice's payment: what it kept as its fee, and by which payment intent."""

    intent: Identifier | None
    fee: Exact
    currency: Currency


class EventView(Frozen):
    """An event with what became of it; nothing yet for one that was only received."""

    event: PlatformEvent
    taken: tuple[EventTaken, ...] = ()

    @property
    def fate(self) -> Fate | None:
        """What became of it at last."""
        return self.taken[-1].fate if self.taken else None
