"""`tieout authority show`: what holds on a day, and what was known at an instant."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.postgres.books import Books as BooksView
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.terms import PostgresTerms
from cli import authority, reconciliation
from models.authority import Authority
from models.reconciliation import Reconciliation
from models.snapshot import Artifact
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


@pytest.mark.stack
def test_the_reconciliation_of_a_past_month_shows_the_authority_as_it_stood(
    terms: PostgresTerms, fresh_database: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = Artifact(uri="s3://e/x", content_fingerprint="c" * 64, sha256="d" * 64, rows=0, bytes=0)
    past = Reconciliation(
        customer="acme",
        period="2026-10",
        snapshots=(),
        totals=(),
        findings=(),
        authority={"call.minutes": "clickhouse"},
        usage=nothing,
    )
    PostgresEvidence(fresh_database.as_role("worker")).keep_reconciliation(past, 1, datetime(2026, 11, 1, tzinfo=UTC))
    terms.declare(a_rule(["posthog"], "2026-10-01", reason="a new table of record"), datetime(2026, 11, 20, tzinfo=UTC))
    assert shown("--at", "2026-10-15")[-1] == ["posthog"]  # what holds for that day as known today
    console = fresh_database.as_role("console")
    reconciliation.report(BooksView(console), PostgresTerms(console), "2026-10", 1, None, True)
    (one,) = json.loads(capsys.readouterr().out)
    assert one["reconciliation"]["authority"] == {"call.minutes": "clickhouse"}
    assert [rule["order"] for rule in one["authorities"]] == [["clickhouse", "posthog"], ["sheet"]]
    reconciliation.report(BooksView(console), PostgresTerms(console), "2026-10", 1, None, False)
    assert "a new table of record" not in capsys.readouterr().out
