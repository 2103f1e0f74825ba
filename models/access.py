"""Access: keys by which other services read, and what each may do."""

from enum import StrEnum

from pydantic import Field

from models.usage import Identifier
from models.value import Instant, Value


class Scope(StrEnum):
    """What a key may be used for."""

    RATES_READ = "rates:read"
    QUOTE = "rates:quote"


class ApiKey(Value):
    """A key another service holds: for what, made by whom. Its secret is no part of it."""

    id: Identifier
    name: str = Field(min_length=1)
    scopes: tuple[Scope, ...] = Field(min_length=1)
    made_by: Identifier
    made_at: Instant
    revoked_at: Instant | None = None
