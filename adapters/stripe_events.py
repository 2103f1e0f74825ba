"""Stripe's webhooks: whose signature they bear, and what they are about."""

import json
from datetime import UTC, datetime

import stripe
from pydantic import ValidationError

from models.refusal import Refusal
from models.stripe_event import PlatformEvent


class NotSigned(Refusal):
    """The payload does not bear Stripe's signature under our secret, or an old one."""

    remedy = "Set TIEOUT_STRIPE_WEBHOOK_SECRET to the endpoint's own secret; a forged or replayed event is not taken."


class NotAnEvent(Refusal):
    """A signed payload is not an event as Stripe writes it."""

    remedy = "Let the endpoint receive snapshot events, not thin ones."


def event_of(payload: bytes, signature: str, secret: str) -> PlatformEvent:
    """Return the event of a payload whose signature holds (HMAC-SHA256, not older than five minutes).

    Raises:
        NotSigned, NotAnEvent: nothing is kept.
    """
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
        event = json.loads(payload)
        return PlatformEvent(
            id=event["id"],
            type=event["type"],
            created=datetime.fromtimestamp(event["created"], UTC),
            object_id=event["data"]["object"]["id"],
            body=payload.decode(),
        )
    except stripe.SignatureVerificationError as error:
        raise NotSigned("the signature does not hold") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise NotAnEvent("the payload is no event of an object") from error
