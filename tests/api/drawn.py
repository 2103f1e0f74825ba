"""Requests drawn from an app's own OpenAPI page, valid ones and others, each answer checked against the page."""

from collections.abc import Mapping
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance


def hold(app: FastAPI, headers: Mapping[str, str], examples: int = 12) -> int:
    """Hold an app to its page and return how many of its questions were drawn.

    What the page allows may still be refused by a rule: a month that was never rated, a pool there is none of.
    """
    page = schemathesis.openapi.from_asgi("/openapi.json", app)
    drawn = 0
    for found in page.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        drawn += 1
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(headers=dict(headers), excluded_checks=[positive_data_acceptance])

            check()
    return drawn
