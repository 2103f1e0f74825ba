"""Strict validators made from stripe-python's own parameter types, so the double always agrees with the pinned SDK.

The SDK's TypedDicts are meant for people: an enum is `Literal['a', 'b'] | str`, and unknown keys pass. Here the `|
str` is taken off, unknown keys are refused, and numbers are read from form strings. No float passes: `Decimal` and
`int` only.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin, get_type_hints

import stripe.params
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from stripe import RequestOptions
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import TypedDict, is_typeddict

from devstack.stripe.errors import StripeError, invalid, undone

INTEGER = re.compile(r"-?\d{1,15}")
DECIMAL = re.compile(r"-?\d+(\.\d{1,12})?")


def _integer(value: object) -> int:
    if isinstance(value, str) and INTEGER.fullmatch(value):
        return int(value)
    raise PydanticCustomError("stripe_integer", "Invalid integer: {given}", {"given": str(value)})


def _decimal(value: object) -> Decimal:
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        return Decimal(value)
    raise PydanticCustomError(
        "stripe_decimal", "Invalid decimal: {given}; at most 12 decimal places", {"given": str(value)}
    )


def _boolean(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"
    raise PydanticCustomError("stripe_boolean", "Invalid boolean: {given}", {"given": str(value)})


def _text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise PydanticCustomError(
        "stripe_empty", "You passed an empty string or no string, and the value cannot be unset.", {}
    )


SCALARS: dict[Any, Any] = {
    int: Annotated[int, BeforeValidator(_integer)],
    bool: Annotated[bool, BeforeValidator(_boolean)],
    Decimal: Annotated[Decimal, BeforeValidator(_decimal)],
    float: Annotated[Decimal, BeforeValidator(_decimal)],  # tax percentages; never made a float here
    str: Annotated[str, BeforeValidator(_text)],
}


def strict(annotation: Any) -> Any:
    """Return the strict form of one of the SDK's parameter annotations.

    Raises:
        TypeError: the annotation is of a kind these parameters had not used so far.
    """
    if annotation in SCALARS:
        return SCALARS[annotation]
    if is_typeddict(annotation):
        return _strict_dict(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return annotation
    if origin in (Union, types.UnionType):
        return _strict_union(arguments)
    if origin is list:
        return list[strict(arguments[0])]  # type: ignore[misc]
    if origin is dict:  # metadata: an empty value unsets a key
        return dict[str, str] if arguments == (str, str) else dict[str, strict(arguments[1])]  # type: ignore[misc]
    raise TypeError(f"no strict form for {annotation!r}")


def _strict_union(arguments: tuple[Any, ...]) -> Any:
    kept = [one for one in arguments if get_origin(one) is not UntypedStripeObject]
    if any(get_origin(one) is Literal and get_args(one) != ("",) for one in kept):
        kept = [one for one in kept if one is not str]  # an enum: the SDK's `| str` stands for values of later versions
    return Union[tuple(strict(one) for one in kept)]  # noqa: UP007 (made at run time)


@cache
def _strict_dict(typed: Any) -> Any:
    fields = {
        name: (Required if name in typed.__required_keys__ else NotRequired)[strict(hint)]
        for name, hint in _hints(typed).items()
    }
    made = cast(Any, TypedDict)(typed.__name__, fields)
    made.__pydantic_config__ = ConfigDict(extra="forbid")
    return made


def _hints(typed: Any) -> dict[str, Any]:
    """Return a parameter type's resolved annotations, without the request options (api_key, …) that stay at home."""
    options = RequestOptions.__annotations__ if RequestOptions in getattr(typed, "__orig_bases__", ()) else ()
    own = {name: hint for name, hint in typed.__annotations__.items() if name not in options}
    holder = type("Holder", (), {"__annotations__": own, "__module__": typed.__module__})
    return get_type_hints(holder, vars(sys.modules[typed.__module__]))


@cache
def _adapter(name: str) -> TypeAdapter[dict[str, Any]]:
    return TypeAdapter(_strict_dict(getattr(stripe.params, name)))


def checker(name: str, done: Collection[str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return the check for the parameters called `name` in `stripe.params`, of which the double does those in `done`.

    The check returns the typed values, and refuses as Stripe does: unknown, missing or malformed parameters (400, not
    saved under an idempotency key). Parameters that Stripe knows and the double does not do are refused too, never
    ignored.
    """
    known = _hints(getattr(stripe.params, name)).keys()
    assert set(done) <= set(known), f"{name} has no {set(done) - set(known)}"

    def check(given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values = _adapter(name).validate_python(dict(given))
        except ValidationError as error:
            raise _refusal(error.errors(include_url=False), given) from None
        for param in given:
            if param not in done:
                raise undone(param)
        return values

    return check


def _refusal(errors: list[ErrorDetails], given: Mapping[str, Any]) -> StripeError:
    """Return Stripe's answer for the plainest of the errors: of a union every branch reports its own."""
    ranks = ("extra_forbidden", "missing", "stripe_integer", "stripe_decimal", "stripe_boolean", "literal_error")
    error = min(errors, key=lambda one: ranks.index(one["type"]) if one["type"] in ranks else len(ranks))
    param = _name_of(error["loc"], given, error["type"] == "missing")
    match error["type"]:
        case "extra_forbidden":
            return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")
        case "missing":
            return invalid(f"Missing required param: {param}.", param, "parameter_missing")
        case "stripe_integer":
            return invalid(error["msg"], param, "parameter_invalid_integer")
        case "stripe_empty":
            return invalid(f"{param}: {error['msg']}", param, "parameter_invalid_empty")
        case "literal_error":
            return invalid(f"Invalid {param}: must be {error['ctx']['expected']}", param)
        case _:
            return invalid(f"Invalid {param}: {error['msg']}", param)


def _name_of(location: tuple[int | str, ...], given: Any, ends_missing: bool) -> str:
    """Return `lines[0][period]` for a location, leaving out the parts that name a union's branch rather than a key."""
    names: list[str] = []
    for position, part in enumerate(location):
        here = (isinstance(given, Mapping) and part in given) or (
            isinstance(given, list) and isinstance(part, int) and part < len(given)
        )
        if here:
            given = given[part]
        elif not (ends_missing and position == len(location) - 1):
            continue
        names.append(str(part))
    return names[0] + "".join(f"[{name}]" for name in names[1:]) if names else "params"
