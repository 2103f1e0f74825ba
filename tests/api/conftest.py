"""The stack, for doors that speak to it; and books with two customers, for the APIs."""

from tests.devstack.conftest import stack
from tests.web.conftest import filled, world

__all__ = ["filled", "stack", "world"]
