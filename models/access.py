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


class CustomerScope(StrEnum):
    """What a customer's key may be used for."""

    READ = "read"
    WRITE = "write"


class CustomerKey(Value):
    """A key a customer's own program holds, made by an administrator of theirs. Its secret is no part of it."""

    id: Identifier
    customer: Identifier
    name: str = Field(min_length=1, max_length=100)
    scopes: tuple[CustomerScope, ...] = Field(min_length=1)
    made_by: Identifier
    made_at: Instant
    revoked_at: Instant | None = None


class KeyHolder(Value):
    """Whose key one is that is in use, and what it may do now."""

    id: Identifier
    customer: Identifier
    name: str
    scopes: tuple[CustomerScope, ...]

    @property
    def who(self) -> str:
        """Who it is, for the log."""
        return f"key:{self.id}"


class KeptWrite(Value):
    """A write that was asked for under an idempotency key: for what, and its first answer once there is one."""

    request: str  # SHA-256 of what was asked
    status: int | None
    media_type: str | None
    body: str | None
