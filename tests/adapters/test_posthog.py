"""PostHog: an export of many shapes, its faults, and its totals asked a second way."""

import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError
from starlette.testclient import TestClient

from adapters.posthog import ExportUnreadable, Metered, PostHogExport, PostHogMapping
from adapters.posthog_query import PostHogQuery, QueryRefused, hogql
from adapters.reading import SourceChangedWhileRead
from adapters.source_files import S3Files
from billing.cross_check import CrossCheckDiffers, refuse_difference
from devstack.posthog import A_MINUTE, PostHogDouble
from models.period import month_period
from models.refusal import RetryLater
from models.snapshot import Total
from models.usage_policy import SourcePolicy
from tests.adapters.fake_s3 import FILE_FAULTS, FakeS3
from tests.usage_builders import sealed

OCTOBER = month_period("2026-10", "UTC")
NOVEMBER = OCTOBER.ends_at
MAPPING = PostHogMapping(
    metered=(
        Metered(
            event="$ai_generation",
            meter="llm.input_tokens",
            quantity="$ai_input_tokens",
            dimensions={"model": "$ai_model"},
            cost="$ai_total_cost_usd",
            currency="USD",
        ),
        Metered(event="call_completed", meter="call.minutes", quantity="minutes"),
    )
)


def llm(uuid: str, day: int, tokens: int, ingested: int | None = None, cost: float | None = None) -> dict[str, Any]:
    at = datetime(2026, 10, day, 12, tzinfo=UTC)
    properties = {"organization": "acme", "$ai_model": "m", "$ai_input_tokens": tokens, "$ai_total_cost_usd": cost}
    later = at + timedelta(days=(ingested or day) - day, seconds=20)
    return {"uuid": uuid, "event": "$ai_generation", "properties": properties, "timestamp": at, "_inserted_at": later}


def call(uuid: str, day: int, minutes: float) -> dict[str, Any]:
    return llm(uuid, day, 0) | {"event": "call_completed", "properties": {"organization": "acme", "minutes": minutes}}


def lines(events: Sequence[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(one | {"new": [1]}, default=lambda at: at.isoformat()) for one in events).encode()


def parquet(events: Sequence[dict[str, Any]]) -> bytes:
    columns = {name: [one[name] for one in events] for name in ("uuid", "event", "timestamp", "_inserted_at")}
    texts = [json.dumps(one["properties"]) for one in events]
    sink = io.BytesIO()
    pq.write_table(pa.table(columns | {"properties": texts, "new": [1] * len(events)}), sink, compression="zstd")
    return sink.getvalue()


def key(day: int, ending: str) -> str:
    start = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=day - 1)
    return f"ph/{start:%Y/%m/%d}/events/{start.isoformat()}-{(start + timedelta(days=1)).isoformat()}{ending}"


EVENTS = [
    llm("u1", 3, 12, cost=0.00012),
    llm("u2", 3, 5),
    call("u3", 4, 1.5),
    llm("u4", 5, 7, ingested=32),  # late: in the run of 1 November
]
FILES = {
    key(3, "-0.jsonl.gz"): gzip.compress(lines(EVENTS[:1])),
    key(3, "-1.jsonl.zst"): zstandard.compress(lines(EVENTS[1:2])),
    key(3, "_manifest.json"): json.dumps({"files": [key(3, "-0.jsonl.gz"), key(3, "-1.jsonl.zst")]}).encode(),
    key(4, ".parquet"): parquet(EVENTS[2:3]),
    key(5, ".jsonl"): lines(EVENTS[1:2]),  # the run delivered u2 a second time
    key(32, ".parquet"): parquet(EVENTS[3:]),
}


def export(files: dict[str, bytes], fault: str = "", **more: Any) -> PostHogExport:
    mapping = MAPPING.model_copy(update={"manifest": more.pop("manifest", False)})
    return PostHogExport(S3Files(FakeS3(files, fault), "bucket", "ph/"), mapping, **more)


def read(source: PostHogExport) -> list[dict[str, Any]]:
    return [row for batch in source.read(OCTOBER) for row in batch.to_pylist()]


def test_parts_formats_and_runs_are_one_source_and_a_copy_is_kept_once() -> None:
    found = sealed(read(export(FILES)))
    assert sorted(found.rows["id"].to_pylist()) == ["u1", "u2", "u3", "u4"]
    assert (found.counts.read, found.counts.duplicates) == (5, 1)
    assert sum(found.rows["quantity"].to_pylist()) == Decimal("25.5")  # 12 + 5 + 1.5 + 7
    assert export(FILES).watermark() == datetime(2026, 11, 2, tzinfo=UTC)


def test_a_second_seal_has_the_same_fingerprint() -> None:
    assert sealed(read(export(FILES))).fingerprint == sealed(read(export(FILES))).fingerprint


def test_an_events_own_cost_is_kept_digit_by_digit() -> None:
    costs = {row["id"]: (row["cost"], row["cost_currency"]) for row in read(export(FILES))}
    assert costs["u1"] == (Decimal("0.00012"), "USD")
    assert costs["u2"] == costs["u3"] == (None, None)
    with pytest.raises(ValidationError, match="a cost needs its currency"):
        Metered(event="e", meter="m", quantity="q", cost="c")


EXACT = "1234567890123.123456789012"
"""More digits than a float has."""


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_a_number_keeps_every_digit_that_stands_in_the_json(ending: str) -> None:
    event = llm("u1", 3, 0) | {"event": "call_completed", "properties": {"organization": "acme", "minutes": 7.25}}
    written = (parquet if ending == ".parquet" else lines)([event])
    if ending == ".parquet":
        columns = pq.read_table(io.BytesIO(written)).to_pydict()
        columns["properties"] = [text.replace("7.25", EXACT) for text in columns["properties"]]
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        written = sink.getvalue()
    (row,) = read(export({key(3, ending): written.replace(b"7.25", EXACT.encode())}))
    assert row["quantity"] == Decimal(EXACT)


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
@pytest.mark.parametrize("said", [True, "much", [1], {"a": 1}])
def test_what_is_no_number_is_not_read_as_one(ending: str, said: Any) -> None:
    event = call("u1", 3, 0) | {"properties": {"organization": "acme", "minutes": said}}
    (row,) = read(export({key(3, ending): (parquet if ending == ".parquet" else lines)([event])}))
    assert row["quantity"] is None  # which the seal refuses


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_dimensions_are_texts_and_an_absent_one_is_left_out(ending: str) -> None:
    mapping = PostHogMapping(
        metered=(Metered(event="e", meter="m", quantity="q", dimensions={"é": 'say "é"', "absent": "no", "n": "n"}),)
    )
    event = call("u1", 3, 0) | {"event": "e", "properties": {"organization": "acme", "q": 1, 'say "é"': 'a"b', "n": 2}}
    files = {key(3, ending): (parquet if ending == ".parquet" else lines)([event])}
    (row,) = read(PostHogExport(S3Files(FakeS3(files), "bucket", "ph/"), mapping))
    assert json.loads(row["dims"]) == {"n": "2", "é": 'a"b'}


def test_properties_that_differ_in_capitals_alone_are_refused() -> None:
    with pytest.raises(ValidationError, match="capitals"):
        Metered(event="e", meter="m", quantity="q", dimensions={"one": "Model", "other": "model"})


@pytest.mark.parametrize("name", ["Organization", "ORGANIZATION"])
def test_a_property_that_differs_from_the_customers_in_capitals_alone_is_refused(name: str) -> None:
    for metered in (
        Metered(event="e", meter="m", quantity=name),
        Metered(event="e", meter="m", quantity="q", dimensions={"one": name}),
        Metered(event="e", meter="m", quantity="q", cost=name, currency="USD"),
    ):
        with pytest.raises(ValidationError, match="capitals"):
            PostHogMapping(metered=(metered,))
    both = Metered(event="e", meter="m", quantity="q", dimensions={"who": "organization"})
    assert PostHogMapping(metered=(both,)).account == "organization"  # the same one is read once


def test_where_runs_end_with_a_manifest_one_without_it_is_not_there_yet() -> None:
    assert export(FILES, manifest=True).watermark() == datetime(2026, 10, 4, tzinfo=UTC)
    assert {row["id"] for row in read(export(FILES, manifest=True))} == {"u1", "u2"}


def test_a_part_that_the_manifest_names_and_is_not_there_refuses_the_source() -> None:
    files = {name: body for name, body in FILES.items() if name != key(3, "-1.jsonl.zst")}
    with pytest.raises(ExportUnreadable, match=r"manifest names.*-1\.jsonl\.zst"):
        read(export(files))


@pytest.mark.parametrize("ending", ["-0.jsonl.gz", "-1.jsonl.zst"])
@pytest.mark.parametrize("lost", [1, 9])
def test_a_part_that_was_stored_cut_off_refuses_the_source(ending: str, lost: int) -> None:
    with pytest.raises(ExportUnreadable):
        read(export(FILES | {key(3, ending): FILES[key(3, ending)][:-lost]}))


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_a_part_that_does_not_arrive_as_it_was_listed_refuses_the_source(fault: str) -> None:
    with pytest.raises(SourceChangedWhileRead):
        read(export(FILES, fault))


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def query(double: PostHogDouble, key: str = "phx_double", project: str = "1") -> PostHogQuery:
    return PostHogQuery(cast(Any, TestClient(double.app())), project, key, MAPPING)


def test_its_own_totals_are_those_of_the_seal() -> None:
    double = PostHogDouble([*EVENTS, EVENTS[1]], Time())
    source = export(FILES, check=query(double))
    totals = source.totals(OCTOBER)
    assert totals == {
        "llm.input_tokens": Total(events=3, quantity=Decimal(24)),
        "call.minutes": Total(events=1, quantity=Decimal("1.5")),
    }
    refuse_difference(totals, totals, SourcePolicy(grain="event"))


def test_events_that_the_export_cannot_have_yet_are_not_counted() -> None:
    files = {name: body for name, body in FILES.items() if name != key(32, ".parquet")}
    totals = export(files, check=query(PostHogDouble(EVENTS, Time()))).totals(OCTOBER)
    assert totals is not None
    assert totals["llm.input_tokens"] == Total(events=2, quantity=Decimal(17))  # without the late u4


def test_a_window_that_takes_longer_than_ten_seconds_is_halved_until_it_does_not() -> None:
    double = PostHogDouble(EVENTS, Time(), events_in_ten_seconds=1)
    with pytest.raises(QueryRefused, match="an hour of events"):  # u1 and u2 stand at one instant
        query(double).totals(OCTOBER, NOVEMBER)
    double.events_in_ten_seconds = 2
    assert query(double).totals(OCTOBER, NOVEMBER + timedelta(days=9))["llm.input_tokens"].events == 3


def test_a_reached_limit_asks_for_patience_by_the_servers_own_word() -> None:
    time = Time()
    asking = query(PostHogDouble(EVENTS, time))
    for _ in range(A_MINUTE // 2):
        asking.totals(OCTOBER, NOVEMBER)  # two queries each
    time.now = 20.0
    with pytest.raises(RetryLater) as later:
        asking.totals(OCTOBER, NOVEMBER)
    assert later.value.after_seconds == 40
    time.now = 61.0
    assert asking.totals(OCTOBER, NOVEMBER)["call.minutes"].events == 1


def test_three_queries_at_once_are_the_most() -> None:
    with pytest.raises(RetryLater):
        query(PostHogDouble(EVENTS, Time(), running=3)).totals(OCTOBER, NOVEMBER)


def test_a_cached_answer_is_refused() -> None:
    double = PostHogDouble(EVENTS, Time(), forgets_to_refresh=True)
    query(double).totals(OCTOBER, NOVEMBER)
    with pytest.raises(QueryRefused, match="cache"):
        query(double).totals(OCTOBER, NOVEMBER)


@pytest.mark.parametrize(("key", "project", "status"), [("wrong", "1", "401"), ("phx_double", "2", "403")])
def test_a_wrong_key_or_project_is_refused(key: str, project: str, status: str) -> None:
    with pytest.raises(QueryRefused, match=status):
        query(PostHogDouble(EVENTS, Time()), key, project).totals(OCTOBER, NOVEMBER)


def test_a_property_that_cannot_be_named_is_refused() -> None:
    with pytest.raises(QueryRefused, match="cannot be named"):
        hogql(Metered(event="e", meter="m", quantity="a`) FROM secrets"), OCTOBER, NOVEMBER)


def one(events: int, quantity: str) -> dict[str, Total]:
    return {"call.minutes": Total(events=events, quantity=Decimal(quantity))}


@pytest.mark.parametrize(
    ("read", "counted", "seen_before", "refused"),
    [
        (one(2, "3"), one(2, "3.000000000001"), 0, False),  # floats drift
        (one(2, "3"), one(2, "3.01"), 0, True),
        (one(2, "3"), one(3, "4"), 0, True),
        (one(2, "3"), one(3, "4"), 1, False),  # the third was billed in an earlier month
        (one(2, "3"), one(4, "5"), 1, True),
        (one(2, "3"), one(1, "3"), 1, True),
        (one(2, "3"), {}, 0, True),
        ({}, one(2, "3"), 0, True),
    ],
)
def test_a_difference_to_the_seal_is_refused(
    read: dict[str, Total], counted: dict[str, Total], seen_before: int, refused: bool
) -> None:
    policy = SourcePolicy(grain="event")
    if refused:
        with pytest.raises(CrossCheckDiffers, match=r"call\.minutes"):
            refuse_difference(read, counted, policy, seen_before)
    else:
        refuse_difference(read, counted, policy, seen_before)


def test_units_are_converted_before_they_are_compared() -> None:
    policy = SourcePolicy.model_validate(
        {"grain": "event", "units": {"call.minutes": {"from": "second", "divide": "60"}}}
    )
    refuse_difference(one(2, "3"), one(2, "180"), policy)
