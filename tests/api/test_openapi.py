"""The OpenAPI page is what the rate API does: requests drawn from it find no fault, and answers of its shapes."""

from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.app import app_of
from api.limiting import Limits
from tests.api.test_rate_api import Noon, Ring, Shelf, a_rate
from tests.laws.drawn import drawn_of


def shelf() -> Shelf:
    """Return a catalog with three rates, of which one was followed by another."""
    kept = Shelf()
    kept.add(a_rate("a", "2026-01-01", "2.5"), until="2026-10-20")
    kept.add(a_rate("a", "2026-10-20", "3"))
    kept.add(a_rate("b", "2026-01-01", "10"), recorded_at=datetime.fromisoformat("2026-02-01T00:00:00Z"))
    return kept


schema = schemathesis.openapi.from_asgi("/openapi.json", app_of(shelf(), Ring(), Noon(), Limits(100_000, 100_000)))


@schema.parametrize()
@settings(max_examples=drawn_of(50), deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_of_its_own_page_is_a_fault_of_ours(case: schemathesis.Case[Any]) -> None:
    # What the page allows may still be refused by a rule: a quote of a meter that has no rate, a cursor nobody gave.
    # A drawn fault of the headers is gone once the key is put in.
    header = case.meta.components.get(ParameterLocation.HEADER) if case.meta else None
    mended = [negative_data_rejection] if header is not None and header.mode.is_negative else []
    excluded: list[Any] = [positive_data_acceptance, *mended]
    case.call_and_validate(headers={"Authorization": "Bearer both"}, excluded_checks=excluded)
