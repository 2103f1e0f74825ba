"""ClickHouse through clickhouse-connect over HTTP, as the product uses it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from devstack.up import Stack

pytestmark = pytest.mark.stack
MILLION = 1_000_000


@pytest.fixture
def client(stack: Stack) -> Iterator[Any]:
    client = clickhouse_connect.get_client(dsn=stack.endpoints.clickhouse_url)
    yield client
    client.close()


@pytest.fixture
def usage(client: Any) -> Iterator[str]:
    client.command(
        "CREATE TABLE usage (id UInt64, quantity Decimal(38, 9), at DateTime64(6, 'UTC'))"
        " ENGINE = MergeTree ORDER BY id"
    )
    yield "usage"
    client.command("DROP TABLE usage")


def test_a_million_rows_stream_in_blocks_and_none_is_missing(client: Any) -> None:
    rows = total = 0
    with client.query_row_block_stream("SELECT number FROM numbers({n:UInt64})", parameters={"n": MILLION}) as stream:
        for block in stream:
            rows += len(block)
            total += sum(row[0] for row in block)
    assert (rows, total) == (MILLION, MILLION * (MILLION - 1) // 2)


def test_a_million_rows_stream_as_arrow(client: Any) -> None:
    with client.query_arrow_stream("SELECT number, toString(number) AS text FROM numbers(1000000)") as stream:
        assert sum(table.num_rows for table in stream) == MILLION


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_a_million_rows_go_in_compressed_or_not(stack: Stack, usage: str, compression: str | bool) -> None:
    writer = clickhouse_connect.get_client(dsn=stack.endpoints.clickhouse_url, compress=compression)
    at = datetime(2026, 10, 1, 12, tzinfo=UTC)
    written = writer.insert(
        usage,
        [list(range(MILLION)), [Decimal("0.000000001")] * MILLION, [at] * MILLION],
        column_names=["id", "quantity", "at"],
        column_oriented=True,
    )
    assert written.written_rows == MILLION
    assert writer.query(f"SELECT count(), sum(quantity), max(at) FROM {usage}", tz_mode="aware").first_row == (
        MILLION,
        Decimal("0.001"),
        at,
    )
    writer.close()


def test_an_error_in_mid_stream_is_seen_by_who_reads_to_the_end(client: Any) -> None:
    failing = "SELECT throwIf(number = 900000, 'broken half-way') FROM numbers(1000000) SETTINGS max_block_size = 50000"
    seen: list[int] = []
    with client.query_row_block_stream(failing) as stream, pytest.raises(StreamFailureError, match="broken half-way"):
        seen.extend(len(block) for block in stream)
    assert 0 < sum(seen) < MILLION


def test_an_error_before_the_first_row_has_its_code(client: Any) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER") as raised:
        client.query("SELECT nope")
    assert raised.value.code == 47


def test_values_are_bound_by_the_server(client: Any) -> None:
    tricky = "it's a \\ test\n'); DROP TABLE usage --"
    row = client.query(
        "SELECT {text:String}, {price:Decimal(38,18)}, {day:Date}",
        parameters={"text": tricky, "price": Decimal("0.000000000000000001"), "day": "2026-10-31"},
    ).first_row
    assert row[:2] == (tricky, Decimal("0.000000000000000001"))


def test_bound_values_too_long_for_a_url_go_in_a_form(client: Any) -> None:
    text = "x" * 100_000
    assert client.query("SELECT length({text:String})", parameters={"text": text}).first_row == (100_000,)


def test_an_empty_result_still_has_its_columns(client: Any, usage: str) -> None:
    assert client.query(
        f"SELECT id, quantity FROM {usage} WHERE id > {{n:UInt64}}", parameters={"n": 5}
    ).column_names == (
        "id",
        "quantity",
    )


def test_settings_hold_for_their_query_only(client: Any) -> None:
    asked = "SELECT value FROM system.settings WHERE name = 'max_block_size'"
    assert client.query(asked, settings={"max_block_size": 777}).first_row == ("777",)
    assert client.query(asked).first_row != ("777",)


@pytest.mark.parametrize("statement", ["SET max_threads = 1", "USE system", "CREATE TEMPORARY TABLE t (a Int8)"])
def test_what_needs_a_session_is_refused_rather_than_forgotten(client: Any, statement: str) -> None:
    with pytest.raises(DatabaseError, match="no sessions"):
        client.command(statement)


def test_nobody_gets_in_without_the_password(stack: Stack) -> None:
    url = httpx.URL(stack.endpoints.clickhouse_url).copy_with(username=None, password=None, path="/")
    assert httpx.post(url, content="SELECT 1").status_code == 401
    assert httpx.post(url, content="SELECT 1", auth=("tieout", "guess")).status_code == 401
    assert httpx.get(f"{url}ping").text == "Ok.\n"


def test_a_kill_loses_no_row_and_keeps_the_address(stack: Stack, client: Any, usage: str) -> None:
    client.insert(usage, [[1, Decimal(2), datetime(2026, 10, 1, tzinfo=UTC)]], column_names=["id", "quantity", "at"])
    stack.clickhouse.kill()
    stack.clickhouse.start()
    assert stack.clickhouse.url == stack.endpoints.clickhouse_url
    assert client.query(f"SELECT id, quantity FROM {usage}").result_rows == [(1, Decimal(2))]
