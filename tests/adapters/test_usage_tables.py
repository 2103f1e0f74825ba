"""Tables of usage in ClickHouse and PostgreSQL: one mapping file, one behaviour, the same faults refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import psycopg
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import StreamFailureError
from pydantic import ValidationError

from activities.ports import UsageSource
from adapters import postgres_usage
from adapters.clickhouse import CLICKHOUSE, ClickHouseUsage
from adapters.files import read_value
from adapters.postgres_usage import NotInPostgres, PostgresUsage
from adapters.reading import SourceChangedWhileRead, hours_of
from adapters.usage_tables import ColumnMissing, TableMapping
from billing.reconciliation.reconcile import reconcile
from devstack.book.sources import COLUMNS, TABLE
from devstack.up import Stack
from models.period import month_period
from models.reconciliation import Cause
from tests.postgres_fixture import Books, plain
from tests.usage_builders import a_policy, a_slice, event, sealed

OCTOBER = month_period("2026-10", "UTC")
AT = datetime(2026, 10, 3, 4, 5, 6, 700_000, tzinfo=UTC)

MAPPING = """
table: calls
id: call_id
account: org
meter: null
meter_name: call.minutes
quantity: minutes
timestamp: ended
received_at: stored
timezone: America/New_York
dimensions: {region: region, model: model}
cost: cost_usd
currency: USD
revision: version
duplicates: revision
"""


def a_mapping(folder: Path, text: str = MAPPING) -> TableMapping:
    path = folder / "calls.yaml"
    path.write_text(text)
    return read_value(path, TableMapping)


def test_names_that_are_no_names_are_refused_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="expected the name of a column"):
        a_mapping(tmp_path, MAPPING.replace("call_id", '"id` FROM secrets --"'))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"meter": "meter"}, "either meter"),
        ({"revision": None}, "exactly where"),
        ({"currency": None}, "needs its currency"),
        ({"dimensions_in": "dims"}, "not both"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=words):
        TableMapping(**(a_mapping(tmp_path).model_dump() | change))


@dataclass
class Table:
    """A table `calls` in one of the databases, and the source that reads it."""

    source: UsageSource
    add: Callable[[list[tuple[Any, ...]]], None]
    kind: str


def wall(month: int, day: int, hour: int, minute: int) -> datetime:
    """Return an instant as a wall clock shows it, without a zone."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC).replace(tzinfo=None)


ROWS: list[tuple[Any, ...]] = [
    # call, org, minutes, ended (a wall clock in New York), stored, region, model, cost, version
    ("a", "acme", Decimal("1.25"), wall(10, 3, 0, 5), wall(10, 3, 0, 6), "eu", None, Decimal("0.01"), 1),
    ("a", "acme", Decimal("1.5"), wall(10, 3, 0, 5), wall(10, 3, 0, 9), "eu", None, Decimal("0.02"), 2),
    ("b", "acme", Decimal("2"), wall(10, 4, 0, 5), wall(10, 4, 0, 6), "us", "é", None, 1),
    # corrected into November: its first row alone would be October's
    ("c", "acme", Decimal("9"), wall(10, 5, 0, 5), wall(10, 5, 0, 6), "us", None, None, 1),
    ("c", "acme", Decimal("9"), wall(11, 5, 0, 5), wall(11, 5, 0, 6), "us", None, None, 2),
]


@pytest.fixture(params=["postgres", pytest.param("clickhouse", marks=[pytest.mark.stack])])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    """The same table in each database."""
    mapping = a_mapping(tmp_path)
    if request.param == "postgres":
        books: Books = request.getfixturevalue("fresh_database")
        url = plain(books.owner_url)
        with psycopg.connect(url) as db:
            db.execute(
                "CREATE TABLE public.calls (call_id text, org text, minutes numeric, ended timestamp, stored timestamp,"
                " region text, model text, cost_usd numeric, version int)"
            )

        def add(rows: list[tuple[Any, ...]]) -> None:
            with psycopg.connect(url) as db, db.cursor() as cursor:
                cursor.executemany("INSERT INTO public.calls VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s)", rows)

        mapping = mapping.model_copy(update={"database": "public"})
        yield Table(PostgresUsage(url, mapping), add, "postgres")
        return
    stack: Stack = request.getfixturevalue("stack")
    dsn = stack.endpoints.clickhouse_url
    with clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False) as client:
        client.command("DROP TABLE IF EXISTS calls")
        client.command(
            "CREATE TABLE calls (call_id String, org String, minutes Decimal(38, 12), ended DateTime64(6),"
            " stored DateTime64(6), region String, model Nullable(String), cost_usd Nullable(Decimal(38, 12)),"
            " version UInt32) ENGINE = MergeTree ORDER BY call_id"
        )

        def insert(rows: list[tuple[Any, ...]]) -> None:
            aware = [(*row[:3], row[3].replace(tzinfo=UTC), row[4].replace(tzinfo=UTC), *row[5:]) for row in rows]
            client.insert("calls", aware)

        yield Table(ClickHouseUsage(dsn, mapping), insert, "clickhouse")
        client.command("DROP TABLE calls")


def read(source: UsageSource) -> list[dict[str, Any]]:
    return sorted((row for batch in source.read(OCTOBER) for row in batch.to_pylist()), key=lambda row: str(row["id"]))


def test_the_greatest_revision_counts_and_everything_is_mapped(table: Table) -> None:
    table.add(ROWS)
    one, two = read(table.source)  # c was corrected out of the month
    assert (one["id"], one["quantity"], one["meter"]) == ("a", Decimal("1.5"), "call.minutes")
    assert one["starts_at"] == datetime(2026, 10, 3, 4, 5, tzinfo=UTC)  # New York is 4 hours behind in October
    assert (one["dims"], two["dims"]) == ('{"region":"eu"}', '{"model":"é","region":"us"}')
    assert (one["cost"], one["cost_currency"], two["cost"]) == (Decimal("0.02"), "USD", None)
    assert table.source.watermark() == datetime(2026, 11, 5, 5, 6, tzinfo=UTC)  # 5 hours behind in November


def test_an_empty_table_is_complete_up_to_nothing(table: Table) -> None:
    assert table.source.watermark() == datetime(1970, 1, 1, tzinfo=UTC)
    assert read(table.source) == []


def test_a_column_that_the_table_does_not_have_is_refused_with_those_it_has(table: Table) -> None:
    table.source._mapping = table.source._mapping.model_copy(update={"quantity": "seconds"})  # type: ignore[attr-defined]
    with pytest.raises(ColumnMissing, match=r"no column seconds.*call_id, org, minutes"):
        read(table.source)


def test_a_second_seal_has_the_same_fingerprint_and_keeps_the_sources_own_cost(table: Table) -> None:
    table.add(ROWS)
    first, second = sealed(read(table.source)), sealed(read(table.source))
    assert first.fingerprint == second.fingerprint
    assert sorted(first.rows["cost"].to_pylist(), key=str) == [Decimal("0.020000000000"), None]


def test_it_reconciles_beside_another_source(table: Table) -> None:
    table.add([(*row[:6], None, *row[7:]) for row in ROWS])
    others = [
        event(52 + 5 / 60, "1.5", id="a", dims={"region": "eu"}),
        event(76 + 5 / 60, "2.5", id="b", dims={"region": "us"}),
    ]
    slices = [a_slice("other", others), a_slice(table.kind, read(table.source))]
    found = reconcile("acme", "2026-10", OCTOBER, slices, a_policy(slices))
    (finding,) = found.findings  # a agrees; b is 2 in the table and 2.5 elsewhere
    assert (finding.cause, finding.source, finding.against) == (Cause.ALTERED, table.kind, "other")
    assert (finding.quantity, finding.against_quantity) == (Decimal(2), Decimal("2.5"))
    assert sum(line.quantity for line in found.lines) == Decimal(4)  # the authority's 1.5 and 2.5


class Faulty:
    """A ClickHouse client whose stream does one thing wrong."""

    def __init__(self, client: Any, fault: str) -> None:
        self._client, self._fault = client, fault

    def __enter__(self) -> "Faulty":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def query(self, text: str, **more: Any) -> Any:
        answer = self._client.query(text, **more)
        if self._fault == "lies about its count" and "sumWithOverflow" in text:
            rows = [(row[0], row[1] + 1, *row[2:]) for row in answer.result_rows]
            return type("Answer", (), {"result_rows": rows})
        return answer

    @contextmanager
    def query_arrow_stream(self, text: str, **more: Any) -> Iterator[Iterator[Any]]:
        with self._client.query_arrow_stream(text, **more) as stream:
            yield self._broken(stream)

    def _broken(self, stream: Iterator[Any]) -> Iterator[Any]:
        for batch in stream:
            match self._fault:
                case "dies in mid-stream":
                    yield batch.slice(0, 1)
                    raise StreamFailureError("Code: 241. DB::Exception: memory limit exceeded")
                case "ends early without an error":
                    yield batch.slice(0, 1)
                    return
                case "returns a short last block":
                    yield batch.slice(0, batch.num_rows - 1)
                case "changes a quantity on the way":
                    wrong = pa.array(
                        [q + 1 for q in batch.column("quantity").to_pylist()], batch.column("quantity").type
                    )
                    yield batch.set_column(batch.schema.get_field_index("quantity"), "quantity", wrong)
                case "gives a row again in another's place":
                    again = batch.take(pa.array([0] * batch.num_rows))
                    for name in ("quantity", "starts_at"):  # as many rows, of as much, in the same hours
                        again = again.set_column(again.schema.get_field_index(name), name, batch.column(name))
                    yield again
                case _:
                    yield batch


STREAM_FAULTS = (
    "dies in mid-stream",
    "ends early without an error",
    "returns a short last block",
    "lies about its count",
    "changes a quantity on the way",
    "gives a row again in another's place",
)


@pytest.mark.stack
@pytest.mark.parametrize("table", ["clickhouse"], indirect=True)
@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_clickhouse_never_gives_a_whole_pass_that_is_not_the_table(
    table: Table, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.add(ROWS)
    right = ClickHouseUsage._client
    monkeypatch.setattr(ClickHouseUsage, "_client", lambda self: Faulty(right(self), fault))
    with pytest.raises(SourceChangedWhileRead):
        read(table.source)


@pytest.mark.stack
@pytest.mark.parametrize("table", ["clickhouse"], indirect=True)
def test_clickhouse_written_during_the_pass_is_refused_by_the_hour(table: Table) -> None:
    table.add(ROWS)
    batches = iter(table.source.read(OCTOBER))
    next(batches)
    at = wall(10, 9, 3, 30)
    table.add([("late", "acme", Decimal(3), at, at, "eu", None, None, 1)])
    with pytest.raises(SourceChangedWhileRead, match=r"before it.*2026-10-09T07:00:00.*found=1 rows, 3"):
        list(batches)


@pytest.mark.parametrize("table", ["postgres"], indirect=True)
def test_postgres_written_during_the_pass_gives_the_table_as_it_stood(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_usage, "BATCH_ROWS", 1)
    table.add(ROWS)
    batches = iter(table.source.read(OCTOBER))
    first = next(batches)
    at = wall(10, 9, 3, 30)
    table.add([("late", "acme", Decimal(3), at, at, "eu", None, None, 1)])
    assert first.num_rows + sum(batch.num_rows for batch in batches) == 2
    assert len(read(table.source)) == 3


@pytest.mark.parametrize("table", ["postgres"], indirect=True)
@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_postgres_never_gives_a_whole_pass_that_is_not_the_table(
    table: Table, fault: str, monkeypatch: pytest.MonkeyPatch, fresh_database: Books
) -> None:
    table.add(ROWS)
    monkeypatch.setattr(postgres_usage, "BATCH_ROWS", 1)
    batch = PostgresUsage._batch
    seen: list[pa.RecordBatch] = []

    def broken(self: PostgresUsage, rows: list[Any]) -> pa.RecordBatch:
        seen.append(batch(self, rows))
        if fault == "dies in mid-stream" and len(seen) == 1:
            with fresh_database.connect() as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        if fault == "changes a quantity on the way":
            return batch(self, [(*row[:3], row[3] + 1, *row[4:]) for row in rows])
        if fault == "gives a row again in another's place":
            return batch(self, [(seen[0]["id"][0].as_py(), *row[1:]) for row in rows])
        lost = fault == "ends early without an error" or (fault == "returns a short last block" and len(seen) == 2)
        return seen[-1].slice(0, 0) if lost else seen[-1]

    monkeypatch.setattr(PostgresUsage, "_batch", broken)
    if fault == "lies about its count":
        monkeypatch.setattr(postgres_usage, "hours_of", lambda rows: hours_of([(r[0], r[1] + 1, *r[2:]) for r in rows]))
    with pytest.raises(SourceChangedWhileRead):
        read(table.source)


def test_postgres_has_no_final() -> None:
    with pytest.raises(NotInPostgres):
        PostgresUsage("postgresql://nowhere", TableMapping(duplicates="final"))


@pytest.mark.stack
def test_final_is_asked_of_a_replacing_merge_tree_where_it_is_declared(stack: Stack) -> None:
    dsn = stack.endpoints.clickhouse_url
    with clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False) as client:
        client.command("DROP TABLE IF EXISTS replaced")
        client.command(
            TABLE.replace("usage_events", "replaced").replace("MergeTree", "ReplacingMergeTree(received_at)")
        )
        client.command("SYSTEM STOP MERGES replaced")
        for seconds, quantity in ((2, "7"), (1, "5")):
            row: tuple[Any, ...] = (
                "a",
                "acme",
                "call.minutes",
                Decimal(quantity),
                AT,
                AT + timedelta(seconds=seconds),
                {},
            )
            client.insert("replaced", [row], column_names=list(COLUMNS))
        kept = ClickHouseUsage(dsn, CLICKHOUSE.model_copy(update={"table": "replaced"}))
        final = ClickHouseUsage(dsn, CLICKHOUSE.model_copy(update={"table": "replaced", "duplicates": "final"}))
        assert sorted(row["quantity"] for row in read(kept)) == [5, 7]
        assert [row["quantity"] for row in read(final)] == [7]
        client.command("DROP TABLE replaced")
