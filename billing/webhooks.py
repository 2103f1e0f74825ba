"""Webhooks: what an event says and how it is signed, after the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from models.notice import Notice
from models.refusal import Refusal
from models.value import canonical_json, instant_text
from models.webhook import OVERLAP, TYPES, Sealed

PREFIX = "whsec_"


class SecretUnusable(Refusal):
    """A webhook's secret is not one."""

    remedy = "Rotate the endpoint's secret in the portal's settings."


def body_of(notice: Notice, portal: str) -> str:
    """Return an event's JSON: its type, the notice's key, when it was written, and what the customer's pages show too.

    The same notice and portal have the same bytes for ever: numbers are text, as they were stored.
    """
    return canonical_json(
        {
            "id": notice.id,
            "type": TYPES[notice.kind].value,
            "timestamp": instant_text(notice.written_at),
            "data": {
                **notice.facts,
                "customer": notice.customer,
                "period": notice.period,
                "subject": notice.subject,
                "sentences": list(notice.sentences),
                "link": f"{portal.rstrip('/')}{notice.path}",
            },
        }
    )


def headers_of(notice: str, secrets: Sequence[str], at: datetime, body: str) -> dict[str, str]:
    """Return the headers of a delivery at an instant: one signature for each secret, the newest first.

    Full stops divide what is signed, so those of a notice's id are written as %2E.
    """
    message, seconds = notice.replace(".", "%2E"), str(int(at.timestamp()))
    return {
        "webhook-id": message,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signature(secret, message, seconds, body) for secret in secrets),
    }


def signature(secret: str, message: str, seconds: str, body: str) -> str:
    """Return `v1,` and the base64 HMAC-SHA256 of id, timestamp and body; raises SecretUnusable."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise SecretUnusable("a secret is whsec_ and base64") from error
    signed = hmac.new(key, f"{message}.{seconds}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def signing(kept: Sequence[Sealed], at: datetime) -> tuple[Sealed, ...]:
    """Return which secrets sign at an instant, the newest first: it, and each that was replaced less than a day ago."""
    newest_first = sorted(kept, key=lambda one: one.made_at, reverse=True)
    return tuple(
        one for place, one in enumerate(newest_first) if place == 0 or newest_first[place - 1].made_at + OVERLAP > at
    )
