"""ClickHouse and PostHog through the real engine and the real object store, as the demo's month stands in them."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from adapters.clickhouse import CLICKHOUSE, ClickHouseUsage
from adapters.object_store import EvidenceChanged, S3Store, s3_client
from adapters.posthog import ExportUnreadable, Metered, PostHogExport, PostHogMapping
from adapters.source_files import S3Files
from adapters.usage_tables import ColumnMissing
from devstack.book.sources import COLUMNS, TABLE
from devstack.up import Stack
from models.period import month_period
from models.snapshot import Artifact

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("sources")]

OCTOBER = month_period("2026-10", "UTC")
AT = datetime(2026, 10, 3, 4, 5, 6, 700_000, tzinfo=UTC)
MAPPING = PostHogMapping(
    metered=(
        Metered(
            event="$ai_generation",
            meter="llm.input_tokens",
            quantity="$ai_input_tokens",
            dimensions={"model": "$ai_model", "own_key": "own_key"},
        ),
    )
)


@pytest.fixture
def table(stack: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    """A table of events of its own for each test."""
    name = f"events_{abs(hash(request.node.name))}"
    with clickhouse_connect.get_client(dsn=stack.endpoints.clickhouse_url) as client:
        client.command(TABLE.replace("usage_events", name))
        yield name
        client.command(f"DROP TABLE {name}")


@pytest.fixture
def s3(stack: Stack) -> Any:
    return s3_client(stack.endpoints.s3_url, stack.endpoints.s3_access_key, stack.endpoints.s3_secret_key)


def test_clickhouse_streams_events_with_exact_quantities(stack: Stack, table: str) -> None:
    rows = [
        ("a", "acme", "call.minutes", Decimal("0.000000000001"), AT, AT, {"b": "x/y", "a": "é"}),
        ("b", "acme", "call.minutes", Decimal("1.25"), OCTOBER.ends_at, OCTOBER.ends_at, {}),
    ]
    with clickhouse_connect.get_client(dsn=stack.endpoints.clickhouse_url) as client:
        client.insert(table, rows, column_names=list(COLUMNS))
    source = ClickHouseUsage(stack.endpoints.clickhouse_url, CLICKHOUSE.model_copy(update={"table": table}))
    (row,) = [row for batch in source.read(OCTOBER) for row in batch.to_pylist()]
    assert (row["id"], row["quantity"], row["starts_at"]) == ("a", Decimal("0.000000000001"), AT)
    assert row["dims"] == '{"a":"é","b":"x/y"}'
    assert source.watermark() == OCTOBER.ends_at


def test_a_clickhouse_table_that_is_not_there_is_refused(stack: Stack) -> None:
    source = ClickHouseUsage(stack.endpoints.clickhouse_url, CLICKHOUSE.model_copy(update={"table": "nowhere"}))
    with pytest.raises(ColumnMissing, match="no table"):
        list(source.read(OCTOBER))


def properties(**more: Any) -> dict[str, Any]:
    return {"organization": "acme", "$ai_model": "m", "$ai_input_tokens": 12, **more}


def parquet(*rows: dict[str, Any]) -> bytes:
    table = pa.table(
        {
            "uuid": [f"u{n}" for n in range(len(rows))],
            "event": ["$ai_generation"] * len(rows),
            "properties": [json.dumps(row) for row in rows],
            "timestamp": pa.array([AT] * len(rows), pa.timestamp("us", tz="UTC")),
            "_inserted_at": pa.array([AT] * len(rows), pa.timestamp("us", tz="UTC")),
            "something_new": [1] * len(rows),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def key(prefix: str, day: int, ending: str) -> str:
    start = datetime(2026, 10, day, tzinfo=UTC)
    return f"{prefix}2026/10/{day:02}/events/{start.isoformat()}-{(start + timedelta(days=1)).isoformat()}{ending}"


def export(s3: Any, prefix: str, files: dict[str, bytes]) -> PostHogExport:
    for name, body in files.items():
        s3.put_object(Bucket="tieout-sources", Key=name, Body=body)
    return PostHogExport(S3Files(s3, "tieout-sources", prefix), MAPPING)


def test_posthog_parquet_and_json_lines_give_the_same_usage(s3: Any) -> None:
    lines = json.dumps(
        {"uuid": "u0", "event": "$ai_generation", "properties": properties(), "timestamp": AT.isoformat(),
         "_inserted_at": AT.isoformat(), "unknown": {"a": 1}}
    )  # fmt: skip
    one = export(s3, "ph-a/", {key("ph-a/", 3, ".parquet"): parquet(properties())})
    two = export(s3, "ph-b/", {key("ph-b/", 3, "-1.jsonl.zst"): zstandard.compress(lines.encode())})
    rows = [[row for batch in source.read(OCTOBER) for row in batch.to_pylist()] for source in (one, two)]
    assert [{**row, "place": ""} for row in rows[0]] == [{**row, "place": ""} for row in rows[1]]
    assert (rows[0][0]["quantity"], rows[0][0]["starts_at"], rows[0][0]["dims"]) == (12, AT, '{"model":"m"}')


def test_posthog_dimensions_that_an_event_does_not_have_are_left_out_and_booleans_are_text(s3: Any) -> None:
    source = export(s3, "ph-c/", {key("ph-c/", 3, ".parquet"): parquet(properties(), properties(own_key=True))})
    dims = [row["dims"] for batch in source.read(OCTOBER) for row in batch.to_pylist()]
    assert dims == ['{"model":"m"}', '{"model":"m","own_key":"true"}']


def test_posthog_decimals_keep_the_digits_that_stand_in_the_json(s3: Any) -> None:
    source = export(s3, "ph-d/", {key("ph-d/", 3, ".parquet"): parquet(properties(**{"$ai_input_tokens": 0.1}))})
    assert [row["quantity"] for batch in source.read(OCTOBER) for row in batch.to_pylist()] == [Decimal("0.1")]


def test_posthog_events_ingested_later_are_in_later_files_and_are_read(s3: Any) -> None:
    source = export(s3, "ph-e/", {key("ph-e/", 30, ".parquet"): parquet(properties())})
    assert sum(batch.num_rows for batch in source.read(OCTOBER)) == 1  # of 3 October, exported on the 30th
    assert source.watermark() == datetime(2026, 10, 31, tzinfo=UTC)


def test_a_truncated_parquet_part_refuses_the_source_by_file(s3: Any) -> None:
    name = key("ph-f/", 3, ".parquet")
    with pytest.raises(ExportUnreadable, match=name[:20]):
        list(export(s3, "ph-f/", {name: parquet(properties())[:-40]}).read(OCTOBER))


def test_an_export_without_files_is_complete_up_to_nothing(s3: Any) -> None:
    assert PostHogExport(S3Files(s3, "tieout-sources", "ph-none/"), MAPPING).watermark() == datetime(
        1970, 1, 1, tzinfo=UTC
    )


def test_the_store_keeps_the_first_bytes_of_a_key_and_notices_changed_ones(stack: Stack, tmp_path: Any) -> None:
    ends = stack.endpoints
    store = S3Store("tieout-evidence", tmp_path, ends.s3_url, ends.s3_access_key, ends.s3_secret_key)
    uri = store.put("test/first.txt", b"first")
    assert store.put("test/first.txt", b"second") == uri
    assert store.get(uri) == b"first"
    assert store.uris("test/") == (uri,)
    wrong = Artifact(uri=uri, content_fingerprint="x", sha256="0" * 64, rows=0, bytes=5)
    with pytest.raises(EvidenceChanged):
        store.path(wrong)
    with pytest.raises(FileNotFoundError):
        store.get("s3://tieout-evidence/nothing")
