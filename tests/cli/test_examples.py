"""Examples: months worked out by hand are what the terminal gives; every line is computed again from its text."""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.test_offline import run
from tests.explanation_reader import recomputed, rows_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("**/expected"))
TERMS = ROOT.parent / "shared" / "data" / "contract-terms" / "terms.json"
FLOW = ("opening", "granted", "drawn", "expired", "closing")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_gives_what_was_worked_out_by_hand(example: Path, tmp_path: Path) -> None:
    prior: list[Path] = []
    for period, expected in _expected(example).items():
        given = _given(example, period)
        code, text = run("rate", *given, *_options("--prior", prior), "--period", period, "--json")
        assert code == 0, text
        statement = json.loads(text)
        _compare(statement, expected)
        assert f"{Decimal(expected['total']):,f}" in (example / "README.md").read_text(), "the README works it out"
        prior.append(tmp_path / f"{period}.json")
        prior[-1].write_text(text)
        _explain_every_line(statement, prior[-1])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_examples_contract_passes_the_check(example: Path) -> None:
    assert run("contract", "check", *sorted((example / "given").glob("contract*.yaml")))[0] == 0


def test_every_example_is_listed() -> None:
    for index in {example.parent for example in EXAMPLES}:
        listed = (index / "README.md").read_text()
        for example in EXAMPLES:
            if example.parent == index:
                assert f"({example.name}/README.md)" in listed


def _expected(example: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((example / "expected" / "statements.yaml").read_text())
    return found


def _given(example: Path, period: str) -> list[str | Path]:
    given = example / "given"
    usage = sorted(given.glob(f"usage-{period}.*")) or sorted(given.glob("usage.*"))
    return [
        *_options("--contract", sorted(given.glob("contract*.yaml"))),
        *_options("--usage", usage),
        *_options("--prices", sorted(given.glob("prices.*"))),
    ]


def _options(name: str, paths: list[Path]) -> list[str | Path]:
    return [part for path in paths for part in (name, path)]


def _compare(statement: dict[str, Any], expected: dict[str, Any]) -> None:
    left = list(statement["lines"])
    for wanted in expected["lines"]:
        found = next((line for line in left if _says(line, wanted)), None)
        assert found is not None, f"no line is {wanted}; left are {[_short(line) for line in left]}"
        left.remove(found)
    assert not left, f"nobody worked out {[_short(line) for line in left]}"
    stand = sorted((one["id"], *map(Decimal, (one[name] for name in FLOW))) for one in statement["pools"])
    assert stand == sorted((name, *map(Decimal, flow)) for name, *flow in expected["pools"])
    for name in ("subtotal", "tax", "total"):
        if name in expected:
            assert Decimal(statement[name]) == Decimal(expected[name])
    assert statement["currency"] == expected.get("currency", statement["currency"])


def _says(line: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(_same(line[name], value) for name, value in wanted.items())


def _same(held: Any, wanted: Any) -> bool:
    if isinstance(wanted, datetime.date):
        return bool(held == wanted.isoformat())
    if isinstance(wanted, str) and wanted.lstrip("-").replace(".", "").isdigit():
        return held is not None and Decimal(held) == Decimal(wanted)
    return bool(held == wanted)


def _short(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in ("kind", "clause", "quantity", "amount", "covered_by")}


def _explain_every_line(statement: dict[str, Any], file: Path) -> None:
    for line in statement["lines"]:
        _, printed = run("explain", file, line["id"])
        assert recomputed(rows_of(printed)) == Decimal(line["amount"]), printed
        _, text = run("explain", file, line["id"], "--json")
        told = json.loads(text)
        rows = [(step["text"], step["amount"]) for step in told["explanation"]["steps"]]
        assert recomputed(rows) == Decimal(told["amount"])
        if line["covered_by"] or line["grant"]:
            assert told["pools"], "a pool stands before and after"


@pytest.mark.data
def test_every_published_contract_that_is_known_is_an_example() -> None:
    if not TERMS.exists():
        pytest.skip(f"the published terms are not at {TERMS}")
    known = {one["id"] for one in json.loads(TERMS.read_text())}
    assert known == {path.name for path in (ROOT / "examples" / "published").iterdir() if path.is_dir()}
