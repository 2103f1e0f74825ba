"""A comparison reads what differs: no event of who agrees, and of who differs it looks at the differing hours alone."""

from pathlib import Path

import pytest

from benchmarks.differences import HOURS, compare


def test_who_agrees_has_no_event_read(tmp_path: Path) -> None:
    read = compare(tmp_path, customers=20, per_hour=1, differing=0)
    assert (read.findings, read.customers, read.rows, read.hours) == (0, 0, 0, 0)


@pytest.mark.parametrize("customers", [10, 40])
def test_four_times_as_much_that_agrees_costs_no_event_more(customers: int, tmp_path: Path) -> None:
    read = compare(tmp_path, customers=customers, per_hour=1, differing=3)
    assert (read.findings, read.customers, read.hours) == (3, 3, 3)
    assert read.rows == 3 * 2 * HOURS  # both sides of the three who differ, whatever the others have


def test_what_is_looked_at_follows_the_differences(tmp_path: Path) -> None:
    looked_at = [
        compare(tmp_path / str(differing), customers=8, per_hour=2, differing=differing).hours
        for differing in (1, 2, 8)
    ]
    assert looked_at == [1, 2, 8]
