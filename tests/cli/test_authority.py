"""`tieout authority show`: what holds on a day, and what was known at an instant."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.postgres.terms import PostgresTerms
from cli import authority
from models.authority import Authority
from tests.postgres_fixture import Books

FIRST, SECOND = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC)


def a_rule(order: list[str], since: str, **more: Any) -> Authority:
    """Return a rule that the controller declared."""
    return Authority.model_validate(
        {
            "order": tuple(order),
            "tolerance": {"absolute": "0", "ratio": "0.001"},
            "declared_by": "cora",
            "reason": "the table of record",
            "from": since,
            **more,
        }
    )


@pytest.fixture
def terms(fresh_database: Books, monkeypatch: pytest.MonkeyPatch) -> PostgresTerms:
    """Return books in which a second rule was declared in October, for one meter from the 15th on."""
    book = PostgresTerms(fresh_database.as_role("worker"))
    book.declare(a_rule(["clickhouse", "posthog"], "2026-01-01"), FIRST)
    book.declare(a_rule(["sheet"], "2026-10-15", meter="sms.segments"), SECOND)
    monkeypatch.setattr(authority, "declared", book.authorities)
    return book


def shown(*options: str) -> list[list[str]]:
    """Return the orders of sources that the command prints."""
    result = CliRunner().invoke(authority.app, ["show", *options, "--json"])
    assert result.exit_code == 0, result.output
    return [rule["order"] for rule in json.loads(result.stdout)]


@pytest.mark.stack
@pytest.mark.usefixtures("terms")
def test_what_holds_on_a_day_and_what_was_known_then() -> None:
    assert shown() == [["clickhouse", "posthog"], ["sheet"]]
    assert shown("--at", "2026-10-14") == [["clickhouse", "posthog"]]
    assert shown("--at", "2026-10-15", "--meter", "call.minutes") == [["clickhouse", "posthog"]]
    assert shown("--at", "2026-10-15", "--meter", "sms.segments") == [["clickhouse", "posthog"], ["sheet"]]
    assert shown("--known-at", "2026-10-04T23:59:59Z") == [["clickhouse", "posthog"]]


@pytest.mark.stack
@pytest.mark.usefixtures("terms")
def test_people_read_it_as_a_table_and_a_day_that_is_none_is_a_usage_error() -> None:
    told = CliRunner().invoke(authority.app, ["show"], env={"COLUMNS": "200"})
    assert "the table of record" in told.output
    assert CliRunner().invoke(authority.app, ["show", "--at", "October"]).exit_code == 2
