"""Fixtures that several rooms' tests share; in CI a test that skips fails, so that nothing passes by not running."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.postgres_fixture import _copies, database, fresh_database, postgres_server

IN_CI = os.environ.get("CI") == "true"

# A law has no time limit: speed is measured in benchmarks/. In CI the cases are the same every time.
settings.register_profile("tieout", deadline=None, derandomize=IN_CI)
settings.load_profile("tieout")

__all__ = ["_copies", "database", "fresh_database", "postgres_server"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where CI=true: system programs and shared data are there."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped in CI: {report.longrepr}"
    return report
