"""Pictures are required in CI, and a page that asks for anything but itself is refused."""

import re
from pathlib import Path

import pytest

from devstack import pictures


def test_pictures_are_required_in_ci_alone() -> None:
    assert pictures.required({"CI": "true"})
    assert pictures.required({"CI": "1"})
    assert not pictures.required({"CI": ""})
    assert not pictures.required({})


@pytest.fixture
def browser() -> str:
    found = pictures.chromium()
    if found is None:
        pytest.skip("no Chromium is installed (Debian: chromium)")
    return found


@pytest.mark.slow
def test_a_page_is_pictured_whole_in_both_widths(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("<!doctype html><title>a</title><p style='height: 2000px'>a")
    assert [one.name for one in pictures.take([page], browser)] == ["a-1280.png", "a-390.png"]
    height = int.from_bytes((tmp_path / "a-390.png").read_bytes()[20:24])
    assert height >= 2000


@pytest.mark.slow
def test_a_page_that_asks_for_more_is_refused(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("<!doctype html><title>a</title><img src='b.png'>")
    with pytest.raises(pictures.NotStill, match=re.escape("b.png")):
        pictures.take([page], browser)
