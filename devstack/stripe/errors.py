"""Stripe's refusals, in Stripe's own words where they are known."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """An answer other than 200.

    `saved` tells whether an idempotency key remembers it: what failed validation is not.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        saved: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.error = {"type": kind, "message": message, "code": code, "param": param}

    def body(self) -> dict[str, Any]:
        """Return the JSON body Stripe would send."""
        return {"error": {name: value for name, value in self.error.items() if value is not None}}


def missing(kind: str, identifier: str, param: str = "id", status: int = 404) -> StripeError:
    """Return Stripe's answer for an object that is not there: 404 in a path, 400 in a parameter."""
    return StripeError(status, f"No such {kind}: '{identifier}'", code="resource_missing", param=param)


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    """Return the refusal of a parameter, which no idempotency key remembers."""
    return StripeError(400, message, code=code, param=param, saved=False)


def not_editable(message: str) -> StripeError:
    """Return the refusal to change a finalized invoice."""
    return StripeError(400, message, code="invoice_not_editable")


def wrong_transition(message: str) -> StripeError:
    """Return the refusal of a status change."""
    return StripeError(400, message, code="status_transition_invalid")


def undone(param: str) -> StripeError:
    """Return our own refusal: Stripe knows the parameter, the double does not do what it asks, and will not pretend."""
    return StripeError(
        400, f"the Stripe double does not do `{param}`", code="not_done_by_the_double", param=param, saved=False
    )


def internal() -> StripeError:
    """Return Stripe's 500."""
    return StripeError(500, "An unknown error occurred", kind="api_error")
