"""One stack for all tests that need one, in a folder of its own; the environment's own settings do not reach it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stripe

from devstack.up import Stack
from tests.devstack.builders import a_platform


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with an_open_folder() as folder, Stack(folder, {}) as stack:
        yield stack


@pytest.fixture
def stack_folder() -> Iterator[Path]:
    """A state folder for a test that starts a stack of its own."""
    with an_open_folder() as folder:
        yield folder


@contextmanager
def an_open_folder() -> Iterator[Path]:
    # Not pytest's own folder: that is closed to other accounts, and PostgreSQL would have to move out (tested by
    # itself).
    folder = Path(tempfile.mkdtemp(prefix="tieout-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def platform(stack: Stack) -> stripe.StripeClient:
    """The genuine client on the double, without its own retries, so that each answer is seen."""
    return a_platform(stack)
