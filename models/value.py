"""Frozen, strict values: what every noun of the house is made of."""

import hashlib
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class Frozen(BaseModel):
    """Frozen, strict, complete: what exists is valid, and unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", validate_by_name=True, validate_by_alias=True, ser_json_inf_nan="null"
    )


class Value(Frozen):
    """A noun: frozen, and equal content has one canonical text and one fingerprint."""

    def canonical(self) -> str:
        """Return the one text of this value: JSON with sorted keys, decimals and instants as plain text."""
        content = self.model_dump(mode="json")
        if _may_hold_floats(type(self)):
            _refuse_floats(content)
        return _json(content)

    def fingerprint(self) -> str:
        """Return the SHA-256 (64 hex digits) of the canonical text; equal content gives equal fingerprints."""
        return fingerprint_of(self.canonical())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the value whose canonical (or any JSON) text this is; raises pydantic's ValidationError."""
        return cls.model_validate_json(text)


def canonical_json(content: Any) -> str:
    """Return JSON text with sorted keys and no spaces; floats are refused because they have no one text."""
    _refuse_floats(content)
    return _json(content)


@cache
def _may_hold_floats(kind: type[BaseModel]) -> bool:
    """Return whether a kind has a field that may be, or hold, a float: then each of its values is looked at."""
    return re.search(r"'type': '(?:float|any)'", repr(kind.__pydantic_core_schema__)) is not None


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def decimal_text(number: Decimal) -> str:
    """Return the one plain text of a decimal: no exponent, no trailing zeros, no negative zero.

    >>> decimal_text(Decimal("1E+3")), decimal_text(Decimal("0.500")), decimal_text(Decimal("-0.0"))
    ('1000', '0.5', '0')
    """
    if number == 0:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse_floats(content: Any) -> None:
    if isinstance(content, float):
        raise TypeError(f"a float ({content!r}) has no canonical text; money and quantities are decimals")
    if isinstance(content, dict):
        for key, item in content.items():
            if not isinstance(key, str):
                raise TypeError(f"canonical keys are text, not {key!r}")
            _refuse_floats(item)
    elif isinstance(content, list | tuple):
        for item in content:
            _refuse_floats(item)


def _exact(raw: Any) -> Any:
    if type(raw) is Decimal and raw.is_finite():
        return raw
    if isinstance(raw, bool | float):
        raise ValueError(f"expected a decimal in quotes, got {raw!r}: a float has already lost digits")
    if isinstance(raw, str | int):
        try:
            raw = Decimal(raw)
        except InvalidOperation:
            raise ValueError(f"expected a decimal number, got {raw!r}") from None
    if isinstance(raw, Decimal) and not raw.is_finite():
        raise ValueError(f"expected a finite number, got {raw}")
    return raw


def _not_negative(number: Decimal) -> Decimal:
    if number < 0:
        raise ValueError(f"expected zero or more, got {number}")
    return number


def _positive(number: Decimal) -> Decimal:
    if number <= 0:
        raise ValueError(f"expected more than zero, got {number}")
    return number


def _instant(raw: Any) -> Any:
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            raise ValueError(f"expected an instant such as 2026-10-01T00:00:00Z, got {raw!r}") from None
    if isinstance(raw, datetime):
        if raw.tzinfo is None:
            raise ValueError(f"expected an instant with its zone, got {raw.isoformat()}")
        try:
            return raw.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"expected an instant of the years 1 to 9999, got {raw.isoformat()}") from None
    return raw


def _day(raw: Any) -> Any:
    if isinstance(raw, str):
        try:
            return date.fromisoformat(raw)
        except ValueError:
            raise ValueError(f"expected a date such as 2026-10-01, got {raw!r}") from None
    return raw


def instant_text(at: datetime) -> str:
    """Return an instant as text in UTC, ending in Z, microseconds only where there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Exact = Annotated[
    Decimal, BeforeValidator(_exact, json_schema_input_type=int | str), PlainSerializer(decimal_text, when_used="json")
]
"""A finite decimal from text or a whole number, never from a float."""

NotNegative = Annotated[Exact, AfterValidator(_not_negative)]
Positive = Annotated[Exact, AfterValidator(_positive)]

Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(instant_text, when_used="json")]
"""A moment in UTC; a naive one is refused."""

Day = Annotated[date, BeforeValidator(_day)]
"""A calendar day, in whatever zone the holder names."""
