"""The stack, for doors that speak to it."""

from tests.devstack.conftest import stack

__all__ = ["stack"]
