"""Requests drawn from an app's own OpenAPI page, valid ones and others, each answer checked against the page."""

from collections.abc import Mapping
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance


def hold(app: FastAPI, headers: Mapping[str, str], examples: int = 12, *, alone: bool = False) -> int:
    """Hold an app to its page and return how many of its questions were drawn.

    What the page allows may still be refused by a rule: a month that was never rated, a pool there is none of. What it
    forbids in an address may be gone once it is written as one (an empty list), so of that only bodies are held. With
    `alone` the app has no way to the workflows, and may say so (503) to a write; any other 5xx is a fault.
    """
    checks: Any = [positive_data_acceptance, *([not_a_server_error] if alone else [])]
    return _hold(schemathesis.openapi.from_asgi("/openapi.json", app), headers, examples, checks)


def hold_served(page: str, headers: Mapping[str, str], examples: int) -> int:
    """Hold an app that is served to its page, of which this is the address; return how many questions were drawn."""
    return _hold(schemathesis.openapi.from_url(page), headers, examples, [positive_data_acceptance])


def _hold(page: Any, headers: Mapping[str, str], examples: int, checks: Any) -> int:
    drawn = 0
    for found in page.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        drawn += 1
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case[Any]) -> None:
                excluded = [*checks, *([negative_data_rejection] if case.method == "GET" else [])]
                answer = case.call_and_validate(headers=dict(headers), excluded_checks=excluded)
                assert answer.status_code < 500 or (case.method == "POST" and answer.status_code == 503)

            check()
    return drawn
