"""The nightly watch on files: what is new is told once, with its money; nothing of a close is touched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from temporalio.testing import ActivityEnvironment

from activities.messages import NightWatched, WatchNight, WatchTonight
from activities.watch import WatchDeeds
from billing.rating.rates import LIST_CARD
from models.columns import REPORTED
from models.contract import Contract
from models.period import Period
from models.rate_card import RateVersion
from models.watch import Concern, ConcernKind, NightAlert, Watch
from tests.billing.rating.builders import a_contract
from tests.usage_builders import OCTOBER, START, a_policy, a_slice, event, sealed

MONTH = "2026-10"


@dataclass
class Source:
    """A source in memory, read as of an instant: it has what happened by then."""

    name: str
    rows: list[dict[str, Any]]
    newest: datetime
    grain: str = "event"
    timezone: str = "UTC"
    reads: int = 0

    def watermark(self) -> datetime:
        return self.newest

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        self.reads += 1
        yield pa.RecordBatch.from_pylist([one for one in self.rows if one["starts_at"] < self.newest], schema=REPORTED)


@dataclass
class Nights:
    """The `WatchBook` port in memory."""

    kept: dict[date, Watch] = field(default_factory=dict)
    told: list[NightAlert] = field(default_factory=list)

    def keep(self, watch: Watch, alerts: Sequence[Concern], at: datetime) -> Watch:
        assert watch.night not in self.kept, "a night is kept once"
        self.told += [NightAlert(month=watch.month, night=watch.night, concern=one, recorded_at=at) for one in alerts]
        return self.kept.setdefault(watch.night, watch)

    def watch(self, month: str, night: date) -> Watch | None:
        return self.kept.get(night)

    def before(self, month: str, night: date) -> Watch | None:
        earlier = [one for one in self.kept if one < night]
        return self.kept[max(earlier)] if earlier else None

    def alerts(self, month: str, night: date | None = None) -> tuple[NightAlert, ...]:
        return tuple(one for one in self.told if night in (None, one.night))


def busy(hours: int, quantity: str = "10") -> list[dict[str, Any]]:
    """Return an event at every half hour past, for so many hours of October."""
    return [event(hour + 0.5, quantity) for hour in range(hours)]


def without(rows: list[dict[str, Any]], day: int, hours: int) -> list[dict[str, Any]]:
    """Return events without those of some hours from noon of a day of October."""
    first = START + timedelta(days=day - 1, hours=12)
    return [row for row in rows if not first <= row["starts_at"] < first + timedelta(hours=hours)]


class World:
    """Two sources of one customer whose minutes cost 0.05, and the nights that look at them."""

    def __init__(self, scratch: Path, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
        self.nights = Nights()
        self.contracts: dict[str, tuple[Contract, ...]] = {"acme": (a_contract(),)}
        self.rates: tuple[RateVersion, ...] = ()
        self.seals: dict[str, Any] = {}
        self.open: tuple[str, ...] = ()
        self.behind = {"clickhouse": timedelta(0), "posthog": timedelta(0)}
        self.sources = {name: Source(name, rows, START) for name, rows in (("clickhouse", ours), ("posthog", theirs))}
        policy = a_policy([a_slice(name, []) for name in self.sources])
        self.scratch = scratch
        self.outside = SimpleNamespace(
            sources=self.sources,
            policy=policy,
            watches=self.nights,
            terms=SimpleNamespace(
                population=lambda month: tuple(sorted(self.contracts)),
                contracts=lambda customer: self.contracts.get(customer, ()),
                contracts_by_customer=lambda some: {name: self.contracts[name] for name in some},
                rates=lambda known_at=None: self.rates,
                authorities=lambda: policy.authority,
                opening=lambda contract: None,
            ),
            evidence=SimpleNamespace(
                snapshot=lambda source, month, revision: self.seals.get(source),
                snapshots_before=lambda source, month: (),
                issued_statements=lambda contract, before: (),
            ),
            closes=SimpleNamespace(waiting=lambda month, revision: self.open if month == "2026-09" else ()),
            store=SimpleNamespace(path=lambda artifact: artifact),
            clock=SimpleNamespace(now=lambda: START),
            engine="test",
            scratch=scratch,
            usage_memory_mib=256,
            cost_card=LIST_CARD,
        )

    def watch(self, day: int, month: int = 10) -> NightWatched:
        """Watch the night of a day at 04:00, with the sources as they are then."""
        night = date(2026, month, day)
        for name, source in self.sources.items():
            source.newest = datetime(2026, month, day, 4, tzinfo=UTC) - self.behind[name]
        deed = WatchDeeds(cast(Any, self.outside)).compare_night
        seen: NightWatched = ActivityEnvironment().run(deed, WatchNight(month=MONTH, night=night))
        return seen

    def told(self, day: int, month: int = 10) -> list[Concern]:
        """Return the alerts of a night."""
        return [one.concern for one in self.nights.told if one.night == date(2026, month, day)]


MONTH_LONG = busy(31 * 24)


def test_a_quiet_night_has_nothing_to_tell(tmp_path: Path) -> None:
    world = World(tmp_path, MONTH_LONG, MONTH_LONG)
    seen = world.watch(10)
    assert (seen.concerns, seen.alerts, seen.up_to) == (0, 0, START + timedelta(days=9))
    assert world.nights.kept[date(2026, 10, 10)].compared == ("clickhouse", "posthog")
    assert list(tmp_path.iterdir()) == []  # what was read is thrown away


def test_a_hole_is_told_on_its_first_night_with_its_money_and_stays_a_concern(tmp_path: Path) -> None:
    world = World(tmp_path, MONTH_LONG, without(MONTH_LONG, 12, hours=6))
    assert [world.watch(day).alerts for day in (12, 13, 14)] == [0, 1, 0]
    (hole,) = world.told(13)
    assert (hole.kind, hole.customer) == (ConcernKind.HOLE, "acme")
    assert "dropped_batch of call.minutes at posthog" in hole.words
    assert (hole.size, hole.amount, hole.currency) == (
        Decimal(60),
        Decimal("-3.00"),
        "USD",
    )  # 6 x 10 minutes at 0.05 less
    assert world.nights.kept[date(2026, 10, 14)].concerns == (hole,)


def test_a_night_is_watched_once_however_often_it_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path, MONTH_LONG, without(MONTH_LONG, 12, hours=6))
    first = world.watch(13)
    assert world.watch(13) == first
    assert [source.reads for source in world.sources.values()] == [1, 1]
    assert len(world.nights.told) == 1


def test_a_concern_that_grew_to_more_than_twice_is_told_again(tmp_path: Path) -> None:
    more = [row | {"quantity": Decimal(11)} for row in MONTH_LONG[:5]]
    world = World(tmp_path, MONTH_LONG, [*more, *MONTH_LONG[5:]])
    assert world.watch(2).alerts == 1
    world.sources["posthog"].rows = [
        row | {"quantity": Decimal(11)} if number < 48 else row for number, row in enumerate(MONTH_LONG)
    ]
    world.watch(4)
    before, after = (one.concern for one in world.nights.told)
    assert before.subject == after.subject
    assert (before.size, after.size) == (Decimal(5), Decimal(48))


def test_a_source_that_fell_silent_is_told_once_and_left_out(tmp_path: Path) -> None:
    world = World(tmp_path, MONTH_LONG, MONTH_LONG)
    world.behind["posthog"] = timedelta(hours=40)
    seen = world.watch(15)
    (silent,) = world.told(15)
    assert (silent.kind, silent.subject, silent.size) == (
        ConcernKind.SILENT,
        "posthog",
        Decimal(36),
    )  # 40 hours, less 4
    assert seen.up_to == START + timedelta(days=14)  # the others are compared up to midnight
    assert world.nights.kept[date(2026, 10, 15)].compared == ("clickhouse",)
    assert world.watch(16).alerts == 0
    world.behind["posthog"] = timedelta(0)
    assert (world.watch(17).concerns, world.watch(18).concerns) == (0, 0)


def test_a_source_that_is_a_little_behind_is_compared_up_to_where_it_is(tmp_path: Path) -> None:
    world = World(tmp_path, MONTH_LONG, MONTH_LONG)
    world.behind["posthog"] = timedelta(hours=10, minutes=20)
    seen = world.watch(15)
    assert (seen.concerns, seen.up_to) == (0, START + timedelta(days=13, hours=17))  # 17:40, the whole hour before


def test_an_unknown_account_and_a_customer_that_cannot_be_compared_do_not_stop_the_others(tmp_path: Path) -> None:
    strange = event(5, "7", account="ACME-EU", id="x")
    negative = event(6, "-3", account="bolt", id="refund")
    world = World(tmp_path, [*MONTH_LONG, strange, negative], [*without(MONTH_LONG, 12, hours=6), negative])
    world.contracts["bolt"] = (a_contract(contract="bolt-2026", customer="bolt"),)
    world.watch(13)
    assert [(one.kind, one.subject.split(":")[0]) for one in world.told(13)] == [
        (ConcernKind.HOLE, "acme"),
        (ConcernKind.REFUSED, "bolt"),
        (ConcernKind.UNKNOWN_ACCOUNT, "ACME-EU"),
    ]


def test_a_source_whose_own_cost_leaves_the_catalogs_is_told_with_its_first_day(tmp_path: Path) -> None:
    def cost(day: int) -> Decimal:
        return Decimal("0.50") if day < 5 else Decimal("0.75")

    theirs = [
        row | {"cost": cost(row["starts_at"].day), "cost_currency": "USD"} if row["starts_at"].hour == 0 else row
        for row in MONTH_LONG
    ]
    world = World(tmp_path, MONTH_LONG, theirs)
    price = {"rate": LIST_CARD, "meter": "call.minutes", "from": "2026-01-01T00:00:00Z", "amount": "0.05", "per": "1"}
    world.rates = (
        RateVersion.model_validate({**price, "currency": "USD", "source": "list", "checked_on": "2026-01-01"}),
    )
    assert [world.watch(day).alerts for day in (4, 6, 7)] == [0, 1, 0]
    (drift,) = world.told(6)
    assert (drift.kind, drift.amount, drift.currency) == (ConcernKind.COST_DRIFT, Decimal("0.25"), "USD")
    assert drift.subject.endswith("2026-10-05")


def test_a_sealed_month_is_only_held_against_its_seals(tmp_path: Path) -> None:
    world = World(tmp_path / "scratch", MONTH_LONG, without(MONTH_LONG, 12, hours=6))
    policy = a_slice("posthog", []).policy
    for name, source in world.sources.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(sealed(source.rows, policy).buckets, path)
        world.seals[name] = SimpleNamespace(buckets=path, window=OCTOBER, sealed_at=START + timedelta(days=31))
    assert world.watch(2, month=11).concerns == 0  # the hole is the close's, not the watch's
    world.sources["posthog"].rows = [*world.sources["posthog"].rows, event(700.25, "4", id="came-later")]
    assert world.watch(3, month=11).alerts == 1
    (late,) = world.told(3, month=11)
    assert (late.kind, late.customer, late.size) == (ConcernKind.CHANGED, "acme", Decimal(4))
    assert "+1 events" in late.words


@pytest.mark.parametrize(
    ("night", "open_", "months"),
    [
        (date(2026, 10, 1), (), ("2026-09",)),
        (date(2026, 10, 2), (), ("2026-10",)),
        (date(2026, 10, 5), ("acme",), ("2026-09", "2026-10")),
    ],
)
def test_a_night_looks_at_the_month_of_the_day_before_and_at_one_whose_close_is_open(
    night: date, open_: tuple[str, ...], months: tuple[str, ...], tmp_path: Path
) -> None:
    world = World(tmp_path, [], [])
    world.open = open_
    deed = WatchDeeds(cast(Any, world.outside)).months
    assert ActivityEnvironment().run(deed, WatchTonight(night=night)) == months
