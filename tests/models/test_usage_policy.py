"""Freshness: up to when a source is complete, by what it has and by what its policy declares."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files import MalformedFile, read_policy
from models.usage_policy import SourcePolicy

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = """
schema: tieout/policy/v1
sources:
  clickhouse: {grain: event, freshness: {lag: PT6H}}
  quiet: {grain: event, watermark: 2026-11-01T06:00:00Z}
  plain: {grain: event}
authority:
  - order: [clickhouse]
    tolerance: {absolute: "0", ratio: "0"}
    declared_by: rita
    reason: so
    from: 2026-01-01
    until: null
"""


def a_policy(folder: Path, text: str = POLICY) -> dict[str, SourcePolicy]:
    path = folder / "policy.yaml"
    path.write_text(text)
    return read_policy(path).sources


def test_a_source_is_complete_its_lag_before_the_newest_thing_it_has(tmp_path: Path) -> None:
    source = a_policy(tmp_path)["clickhouse"]
    assert source.complete_up_to(NOVEMBER + timedelta(hours=5, minutes=59)) < NOVEMBER
    assert source.complete_up_to(NOVEMBER + timedelta(hours=6)) == NOVEMBER


def test_without_a_lag_it_is_complete_up_to_the_newest_thing_it_has(tmp_path: Path) -> None:
    assert a_policy(tmp_path)["plain"].complete_up_to(NOVEMBER) == NOVEMBER


def test_a_person_may_declare_that_a_silent_source_is_complete(tmp_path: Path) -> None:
    source = a_policy(tmp_path)["quiet"]
    assert source.complete_up_to(datetime(2026, 10, 20, tzinfo=UTC)) == NOVEMBER + timedelta(hours=6)
    assert source.complete_up_to(NOVEMBER + timedelta(days=1)) == NOVEMBER + timedelta(days=1)


def test_a_source_that_has_nothing_is_complete_up_to_nothing(tmp_path: Path) -> None:
    assert a_policy(tmp_path)["clickhouse"].complete_up_to(datetime.fromtimestamp(0, UTC)).year == 1970


def test_a_lag_below_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match="lag"):
        a_policy(tmp_path, POLICY.replace("PT6H", "-PT6H"))
