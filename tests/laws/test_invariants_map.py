"""The map of docs/accounting.md: each of the 22 invariants has a test that carries its number, where the map says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "accounting.md").read_text()
SECTION = PAGE.split("## Always true", 1)[1].split("\n## ", 1)[0]
FILES = dict(re.findall(r"\b([A-Z]) `(tests/[\w/]+\.py)`", SECTION))
ROWS = re.findall(r"^\| ([\d, ]+) \| (.+) \| (.+) \|$", SECTION, re.MULTILINE)


def places(said: str) -> list[Path]:
    """Return the files a row names, by letter or by path."""
    named = [FILES[letter] for letter in re.findall(r"\b([A-Z])\b", said) if letter in FILES]
    folder = ""
    for path in re.findall(r"`((?:tests/)?[\w/]+\.py)`", said):
        folder = path.rsplit("/", 1)[0] if "/" in path else folder
        named.append(path if "/" in path else f"{folder}/{path}")
    return [ROOT / one for one in named]


def test_the_map_has_each_of_the_22_once() -> None:
    numbers = [int(one) for row in ROWS for one in row[0].split(",")]
    assert sorted(numbers) == list(range(1, 23))


@pytest.mark.parametrize(("numbers", "said"), [(row[0], row[2]) for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_the_map_names_is_there_and_a_test_carries_the_number(numbers: str, said: str) -> None:
    texts = {path: path.read_text() for path in places(said)}
    assert texts, said
    carried = {
        int(number)
        for text in texts.values()
        for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
        for number in re.findall(r"(?<=_)\d+(?=_)", name)
    }
    assert {int(one) for one in numbers.split(",")} <= carried, (numbers, [path.name for path in texts])
