"""Usage: events as sources report them, and the lines a contract is applied to."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from models.value import Exact, Instant, Value

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/*-]{0,127}")


def _identifier(text: str) -> str:
    if _IDENTIFIER.fullmatch(text) is None:
        raise ValueError(f"expected an identifier of letters, digits and ._:@/-, got {text!r}")
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
"""A business key: at most 128 characters, no spaces."""

Dimensions = dict[str, str]
"""What a quantity is told apart by, e.g. provider, model, assistant; keys sorted in canonical text."""


class UsageEvent(Value):
    """One metered event: a quantity of one meter at one instant, for one customer."""

    id: str = Field(min_length=1)
    customer: Identifier
    meter: Identifier
    quantity: Exact
    timestamp: Instant
    received_at: Instant | None = None
    dimensions: Dimensions = {}


class UsageLine(Value):
    """Reconciled usage of one customer: meter, dimensions, bucket, quantity and how many events it holds."""

    meter: Identifier
    dimensions: Dimensions
    starts_at: Instant
    ends_at: Instant
    quantity: Exact
    events: int = Field(ge=0)
    source: str
