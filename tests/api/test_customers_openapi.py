"""The customers' API is what its OpenAPI page says: no request drawn from it is a fault, each answer has its shape."""

import pytest

from tests.api.drawn import hold
from tests.api.world import customers_app, program
from tests.web.conftest import World

pytestmark = pytest.mark.stack


def test_no_request_of_its_own_page_is_a_fault_of_ours(filled: World) -> None:
    app = customers_app(filled)
    assert hold(app, program(filled, app=app).headers) > 20
