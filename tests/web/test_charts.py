"""Marks stand where the numbers say, and the numbers they say are the ones that were given."""

from decimal import Decimal

import pytest

from web.charts import burn_down, sparkline, stacked, waterfall

D = Decimal


def test_bars_stand_on_each_other_and_keep_their_numbers() -> None:
    drawing = stacked([("1", [D(30), D(10)]), ("2", [D(0), D(20)])], ["a", "b"])
    first, second, third = drawing.marks  # zero is not drawn
    assert [mark.value for mark in drawing.marks] == [D(30), D(10), D(20)]
    assert first.y + first.height == pytest.approx(drawing.base)
    assert second.y + second.height == pytest.approx(first.y)
    assert first.height == pytest.approx(3 * second.height, abs=0.05)
    assert third.height == pytest.approx(2 * second.height, abs=0.05)
    assert [tick.text for tick in drawing.across] == ["0", "10", "20", "30", "40"]


def test_what_is_below_zero_hangs_below_the_axis() -> None:
    drawing = stacked([("1", [D(30), D(-10)])], ["a", "b"])
    up, down = drawing.marks
    assert up.y + up.height == pytest.approx(drawing.base)
    assert down.y == pytest.approx(drawing.base)


@pytest.mark.parametrize("highest", ["0", "0.003", "0.9", "7", "12", "99", "1000", "123456.78", "9e11"])
def test_the_axis_holds_any_number_in_round_steps(highest: str) -> None:
    drawing = stacked([("1", [D(highest)])], ["a"])
    assert 2 <= len(drawing.across) <= 7
    for mark in drawing.marks:
        assert mark.y >= 11.9


def test_a_waterfall_goes_from_one_total_to_the_other() -> None:
    drawing = waterfall([("more", D(50)), ("less", D(-20))], ("before", D(100)), ("after", D(130)))
    before, more, less, after = drawing.marks
    assert more.y + more.height == pytest.approx(before.y)
    assert less.y == pytest.approx(more.y)
    assert less.y + less.height == pytest.approx(after.y)
    assert [mark.series for mark in drawing.marks] == [0, 1, 2, 0]


def test_small_changes_beside_large_totals_are_seen() -> None:
    drawing = waterfall([("more", D(20))], ("before", D(1400)), ("after", D(1420)))
    assert drawing.marks[1].height > 40
    assert drawing.across[0].text != "0"


def test_a_burn_down_has_its_lines_and_its_band() -> None:
    drawing = burn_down([("1", D(90)), ("2", D(80))], [D(95), D(90)], [D(80), D(60)], [D(80), D(75)])
    assert [kind for kind, _ in drawing.lines] == ["straight", "left"]
    assert len(drawing.band.split(" ")) == 4


def test_a_sparkline_of_nothing_and_of_one() -> None:
    assert sparkline([]) == ""
    assert sparkline([D(5)]) == "2.0,22.0"
