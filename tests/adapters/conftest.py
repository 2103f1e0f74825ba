"""The stack, for adapters that speak to it."""

from tests.devstack.conftest import stack

__all__ = ["stack"]
