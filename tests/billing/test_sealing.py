"""Sealing: identities, counts and fingerprints."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import sealing
from billing.sealing import UnusableQuantity, fingerprint_of_rows
from billing.slices import part_of
from models.columns import BUCKETS, REPORTED, SEALED
from models.usage_policy import SourcePolicy
from tests.laws.drawn import drawn_of
from tests.usage_builders import OCTOBER, START, event, sealed

EVENTS = SourcePolicy(grain="event")


def test_an_event_delivered_twice_is_kept_once() -> None:
    one = event(5, "2.5")
    found = sealed([one, one])
    assert found.rows.num_rows == 1
    assert (found.counts.read, found.counts.kept, found.counts.duplicates, found.counts.conflicting) == (2, 1, 1, 0)


def test_one_call_bears_several_meters_under_one_id() -> None:
    found = sealed([event(5, id="call-1"), event(5, id="call-1", meter="stt.minutes")])
    assert found.counts.duplicates == 0
    assert found.rows.num_rows == 2


def test_conflicting_payloads_keep_the_first_received_and_are_counted() -> None:
    late = event(5, "9", id="x", received_at=START + timedelta(hours=9))
    first = event(5, "4", id="x", received_at=START + timedelta(hours=6))
    found = sealed([late, first])
    assert found.rows["quantity"].to_pylist() == [Decimal("4.000000000000")]
    assert found.counts.conflicting == 1


def test_an_event_at_the_end_of_the_window_belongs_to_the_next() -> None:
    found = sealed([event(31 * 24), event(31 * 24 - 0.001, id="last")])
    assert found.rows["id"].to_pylist() == ["last"]
    assert found.counts.outside_period == 1


def test_an_id_sealed_in_an_earlier_month_is_not_counted_again() -> None:
    earlier = pa.table({"id": ["call.minutes-5"], "meter": ["call.minutes"]})
    found = sealed([event(5), event(6)], EVENTS, earlier=earlier)
    assert found.counts.seen_before == 1
    assert found.rows["id"].to_pylist() == ["call.minutes-6"]


def test_aliases_and_units_are_applied_once_at_the_seal() -> None:
    policy = SourcePolicy.model_validate(
        {
            "grain": "event",
            "aliases": {"ACME-EU": "acme"},
            "units": {"call.minutes": {"from": "second", "divide": "60"}},
        }
    )
    found = sealed([event(5, "90", account="ACME-EU")], policy)
    assert found.rows["customer"].to_pylist() == ["acme"]
    assert found.rows["quantity"].to_pylist() == [Decimal("1.500000000000")]  # 90 s / 60


def test_a_missing_quantity_refuses_the_whole_source() -> None:
    with pytest.raises(UnusableQuantity, match="1 rows"):
        sealed([event(5), event(6) | {"quantity": None}])


ARRIVED = [*(event(hour, str(hour + 1)) for hour in range(8)), event(3, "4")]


@pytest.fixture(scope="module")
def in_order() -> str:
    """The fingerprint of what arrived in order."""
    return sealed(ARRIVED).fingerprint


@settings(max_examples=drawn_of(25))
@given(rows=st.permutations(ARRIVED))
def test_the_order_of_arrival_changes_no_fingerprint(in_order: str, rows: list[dict[str, object]]) -> None:
    assert sealed(rows).fingerprint == in_order


def test_rows_have_the_fingerprint_of_their_buckets_however_they_are_kept(tmp_path: Path, in_order: str) -> None:
    pq.write_table(sealed(ARRIVED).rows, tmp_path / "rows.parquet")
    assert fingerprint_of_rows(tmp_path / "rows.parquet", "id") == in_order


def test_any_changed_quantity_changes_the_fingerprint() -> None:
    assert sealed([event(5, "1")]).fingerprint != sealed([event(5, "1.000000000001")]).fingerprint


def test_a_customer_of_a_very_long_name_is_read_like_any_other(tmp_path: Path) -> None:
    """A group whose bounds the writer left out may hold anybody: it is read, and what is nobody's is filtered."""
    long = "x" * 5_000
    rows = sealed([event(5, account=long), event(6, account="acme")]).buckets
    pq.write_table(rows, tmp_path / "buckets.parquet", write_statistics=False)
    for name in (long, "acme"):
        assert part_of(tmp_path / "buckets.parquet", [name], BUCKETS)["customer"].to_pylist() == [name]
    assert part_of(tmp_path / "buckets.parquet", ["nobody"], BUCKETS).num_rows == 0


def test_names_that_are_too_many_to_number_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MOST_NUMBERED", 3)
    rows = [event(hour, place=f"sheet!A{hour}", account=f"c-{hour % 3}") for hour in range(9)]
    batch = pa.RecordBatch.from_pylist(rows, schema=REPORTED)
    found = sealing.seal(sealing.spool([batch], tmp_path / "spool"), OCTOBER, EVENTS, tmp_path)
    kept = pq.read_table(found.rows)
    assert sorted(kept["place"].to_pylist()) == sorted(str(one["place"]) for one in rows)
    assert kept["customer"].to_pylist() == sorted(str(one["account"]) for one in rows)


def test_a_place_that_a_source_does_not_tell_is_kept_as_none() -> None:
    kept = sealed([event(5, place=None), event(6, place="part-1")]).rows
    assert kept["place"].to_pylist() == [None, "part-1"]


def test_sealed_names_are_read_right_from_groups_that_hold_few_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow takes a dictionary with holes for a shorter one: each group's names are written as texts, without any."""
    monkeypatch.setattr(sealing, "ROW_GROUP", 2_048)
    rows = [
        event(hour % 700, account=f"c-{hour % 5}", id=f"{hour}", dims={"model": f"m-{hour % 5}"})
        for hour in range(20_000)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=REPORTED)
    found = sealing.seal(sealing.spool([batch], tmp_path / "spool"), OCTOBER, EVENTS, tmp_path)
    assert pq.read_metadata(found.rows).num_row_groups > 5
    customers = pq.read_table(found.rows)["customer"].to_pylist()
    assert customers == sorted(customers)
    for number in range(5):
        mine = part_of(found.rows, [f"c-{number}"], SEALED)
        assert {int(one) % 5 for one in mine["id"].to_pylist()} == {number}
        assert (mine.num_rows, set(mine["dims"].to_pylist())) == (4_000, {f'{{"model":"m-{number}"}}'})
