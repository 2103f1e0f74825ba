"""Collect: a source is sealed once, when it is complete, and never from a pass that was not whole."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from temporalio.testing import ActivityEnvironment

from activities import collect
from activities.collect import Collect, SourceIncomplete
from activities.deeds import Outside
from activities.messages import SealSource
from activities.ports import UsageSource
from adapters.object_store import S3Store
from adapters.posthog import ExportUnreadable
from adapters.reading import SourceChangedWhileRead
from adapters.source_files import S3Files
from adapters.spreadsheets import Spreadsheets
from billing.cross_check import CrossCheckDiffers
from devstack.book import seed
from models.columns import COLUMNS
from models.period import Period
from models.refusal import RetryLater
from models.snapshot import Snapshot, Total
from models.usage_policy import SourcePolicy
from tests.adapters import test_posthog, test_spreadsheets
from tests.adapters.fake_s3 import FILE_FAULTS, FakeS3
from tests.usage_builders import a_policy, a_slice, event

NOVEMBER = datetime(2026, 11, 2, tzinfo=UTC)
TASK = SealSource(month="2026-10", revision=1, source="one")


class Shelf:
    """Snapshots and files, kept in the order they came."""

    def __init__(self) -> None:
        self.kept: list[Snapshot] = []
        self.files: dict[str, bytes] = {}

    def snapshot(self, source: str, month: str, revision: int) -> Snapshot | None:
        return next((one for one in self.kept if one.source == source and one.period == month), None)

    def snapshots_before(self, source: str, month: str) -> tuple[Snapshot, ...]:
        return ()

    def keep_snapshot(self, snapshot: Snapshot, revision: int) -> Snapshot:
        self.kept.append(snapshot)
        return snapshot

    def put_file(self, folder: str, path: Path, content_type: str) -> tuple[str, str]:
        self.files[folder] = path.read_bytes()
        return f"shelf://{folder}", "0" * 64


class Terms:
    """One customer of the demo book."""

    def population(self, month: str) -> tuple[str, ...]:
        return ("acme",)

    def contracts(self, customer: str) -> tuple[Any, ...]:
        return tuple(one for one in seed.contracts() if one.customer == customer)

    def contracts_by_customer(self, customers: Collection[str]) -> dict[str, tuple[Any, ...]]:
        return {customer: self.contracts(customer) for customer in customers}

    def rates(self) -> tuple[Any, ...]:
        return seed.rates()


@dataclass
class Source:
    """A source in memory, with a time, rows and totals of its own."""

    rows: list[dict[str, Any]] = field(default_factory=lambda: [event(50, "2"), event(60, "3")])
    newest: datetime = NOVEMBER
    counted: Mapping[str, Total] | Exception | None = None
    fails_after: int | None = None
    name: str = "one"
    grain: str = "event"
    timezone: str = "UTC"

    def watermark(self) -> datetime:
        return self.newest

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        for number, row in enumerate(self.rows):
            if number == self.fails_after:
                raise SourceChangedWhileRead("the stream died", source=self.name)
            yield pa.RecordBatch.from_pylist([row], schema=COLUMNS)

    def totals(self, window: Period) -> Mapping[str, Total] | None:
        if isinstance(self.counted, Exception):
            raise self.counted
        return self.counted


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def run(shelf: Shelf, tmp_path: Path) -> Callable[..., Any]:
    """Return a runner of one of the two deeds for a source."""

    class Now:
        def now(self) -> datetime:
            return NOVEMBER

    def deed(name: str, source: UsageSource, policy: SourcePolicy | None = None) -> Any:
        slices = [a_slice("one", [])]
        declared = a_policy(slices).model_copy(update={"sources": {"one": policy or slices[0].policy}})
        outside = Outside(
            terms=cast(Any, Terms()),
            evidence=cast(Any, shelf),
            store=cast(S3Store, shelf),
            sources={"one": source},
            policy=declared,
            clock=Now(),
            engine="test",
            scratch=tmp_path,
            usage_memory_mib=256,
            **{
                name: cast(Any, None)
                for name in (
                    "rate_changes",
                    "corrections",
                    "events",
                    "controls",
                    "estimates",
                    "notices",
                    "booked",
                    "closes",
                    "invoices",
                    "journal",
                    "platform",
                    "watches",
                )
            },
            approval=cast(Any, None),
            histories=cast(Any, None),
        )
        return ActivityEnvironment().run(getattr(Collect(outside), name), TASK)

    return deed


def test_a_sealed_period_is_not_read_again_whatever_the_source_says_now(run: Callable[..., Any], shelf: Shelf) -> None:
    first = run("seal_source", Source())
    files = dict(shelf.files)
    second = run("seal_source", Source(rows=[event(70, "9")]))
    assert (first.fingerprint, first.rows) == (second.fingerprint, 2)
    assert shelf.files == files
    assert len(shelf.kept) == 1


def test_a_source_is_waited_for_until_its_lag_has_passed(run: Callable[..., Any], shelf: Shelf) -> None:
    declared = SourcePolicy.model_validate({"grain": "event", "freshness": {"lag": "PT6H"}})
    assert run("source_state", Source(), declared).complete is True  # 2 November less six hours
    early = Source(newest=NOVEMBER - timedelta(days=1))  # the month's last second, and none of the lag
    state = run("source_state", early, declared)
    assert (state.complete, state.watermark) == (False, NOVEMBER - timedelta(days=1, hours=6))
    with pytest.raises(SourceIncomplete, match="one is complete up to 2026-10-31T18:00"):
        run("seal_source", early, declared)
    assert shelf.kept == []


def test_a_pass_that_dies_seals_nothing_and_the_next_one_seals_it_whole(run: Callable[..., Any], shelf: Shelf) -> None:
    with pytest.raises(SourceChangedWhileRead):
        run("seal_source", Source(fails_after=1))
    assert (shelf.kept, shelf.files) == ([], {})
    assert run("seal_source", Source()).rows == 2


def test_a_seal_that_its_source_counts_otherwise_is_not_kept(run: Callable[..., Any], shelf: Shelf) -> None:
    counted = {"call.minutes": Total(events=3, quantity=Decimal(6))}
    with pytest.raises(CrossCheckDiffers, match=r"read=2 events, 5; counted=3 events, 6"):
        run("seal_source", Source(counted=counted))
    with pytest.raises(RetryLater):
        run("seal_source", Source(counted=RetryLater("PostHog's limit is reached", 40)))
    assert (shelf.kept, shelf.files) == ([], {})
    counted = {"call.minutes": Total(events=2, quantity=Decimal(5))}
    assert run("seal_source", Source(counted=counted)).rows == 2


@pytest.mark.parametrize("fault", FILE_FAULTS)
@pytest.mark.parametrize("kind", ["posthog", "sheet"])
def test_no_fault_of_delivered_files_leaves_a_seal(
    run: Callable[..., Any], shelf: Shelf, kind: str, fault: str
) -> None:
    def source(fault: str) -> UsageSource:
        if kind == "posthog":
            made: UsageSource = test_posthog.export(test_posthog.FILES, fault, name="one")
            return made
        body = b"Complete through,2026-10-31,,\n" + test_spreadsheets.CSV
        return Spreadsheets(
            S3Files(FakeS3({"sheets/a.csv": body}, fault), "b", "sheets/"), "America/Los_Angeles", name="one"
        )

    declared = SourcePolicy.model_validate({"grain": "event", "watermark": NOVEMBER})
    with pytest.raises((SourceChangedWhileRead, ExportUnreadable)):
        run("seal_source", source(fault), declared)
    assert (shelf.kept, shelf.files) == ([], {})
    assert run("seal_source", source(""), declared).rows > 0


def test_a_pass_that_waits_for_another_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    beats = threading.Event()
    monkeypatch.setattr(collect, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr("temporalio.activity.heartbeat", lambda *_: beats.set())
    with collect.still_alive():
        assert beats.wait(5)
    assert not any(one.name == "beat" for one in threading.enumerate())
