"""The events' page is run as it stands: its lines are read, its working is what the terminal gives."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from cli.recognize import recognize
from models.event import EVENT
from models.refusal import Refusal
from tests.cli.test_offline import run

D = Decimal
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "recognize"
PAGE = (EXAMPLE / "README.md").read_text()


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """January's and February's statement, rated from the example's files."""
    folder, given = tmp_path_factory.mktemp("events"), EXAMPLE / "given"
    made: list[Path] = []
    for month in ("2026-01", "2026-02"):
        prior = [part for path in made for part in ("--prior", path)]
        terms = ("--contract", given / "contract.yaml", "--usage", given / "usage.csv")
        code, text = run("rate", *terms, *prior, "--period", month, "--json")
        assert code == 0, text
        made.append(folder / f"{month}.json")
        made[-1].write_text(text)
    return made[0], made[1]


def recognized(months: tuple[Path, ...], events: Path, through: str, *more: str | Path) -> tuple[int, Any]:
    """Return exit code and answer of the command over the example's contract."""
    statements = [part for path in months for part in ("--statement", path)]
    terms = ("--contract", EXAMPLE / "given" / "contract.yaml", *more)
    app = typer.Typer()
    app.command()(recognize)
    given = [*terms, *statements, "--events", events, "--through", through, "--json"]
    result = CliRunner().invoke(app, [str(one) for one in given])
    if isinstance(result.exception, Refusal):
        return 4, f"{result.exception.code}: {result.exception}"
    return result.exit_code, json.loads(result.stdout)


def by_event(told: Any, rule: str, month: str = "2026-02") -> dict[str, Decimal]:
    """Return what a rule's entries move by account in a month."""
    sums: dict[str, Decimal] = {}
    for entry in told["entries"]:
        for one in entry["postings"] if (entry["rule"], entry["period"]) == (rule, month) else ():
            sums[one["account"]] = sums.get(one["account"], D(0)) + D(one["amount"])
    return sums


def test_the_worked_example_is_what_the_terminal_gives(months: tuple[Path, Path]) -> None:
    code, told = recognized(months, EXAMPLE / "given" / "events.jsonl", "2026-02")
    assert code == 0, told
    worked = [
        (found[1], D(found[2].replace(",", "").replace("−", "-")))
        for found in re.finditer(r"^\| `\w+`.*\| (\d{4}) \| ([−\d,.]+) \|$", PAGE, re.MULTILINE)
    ]
    assert len(worked) == 6
    ended = by_event(told, "C8")
    given = [
        ("4050", -by_event(told, "A6", "2026-01")["4050"]),
        ("1010", by_event(told, "A2")["1010"]),
        ("4050", -by_event(told, "A6", "2026-02")["4050"]),
        ("4050", -ended["4050"]),
        ("4010", -ended["4010"]),
        ("4040", -ended["4040"]),
    ]
    assert given == worked
    closing = [row for row in told["balances"] if row["period"] == "2026-02" and row["account"][0] == "4"]
    assert sum(-D(row["balance"]) for row in closing) == D("1580.00")


def test_every_line_of_the_page_is_an_event() -> None:
    lines = [
        line.replace("…", '"reason": "see the file", "by": "pia", "approved_by": "cora"')
        for line in re.findall(r'^\| `(\{"event".*\})` \|', PAGE, re.MULTILINE)
    ]
    money = {"remittance", "allowance", "write_off", "recovery", "balance_use", "refund"}
    assert {EVENT.validate_json(line).event for line in lines} == {"expiry", "unclaimed", "carried_use"} | money
    given = (EXAMPLE / "given" / "events.jsonl").read_text().splitlines()
    kinds = {EVENT.validate_json(line).event for line in (*lines, *given)}
    assert kinds == set(re.findall(r"^\| `(\w+)` \| `", PAGE, re.MULTILINE)), "every event is explained and shown"


def test_the_pages_entity_is_one(tmp_path: Path, months: tuple[Path, Path]) -> None:
    text = PAGE.split("```yaml\n")[1].split("```")[0]
    content = YAML(typ="safe").load(text)
    assert content["functional_currency"] == "USD"
    (tmp_path / "entity.yaml").write_text(text)
    code, told = recognized(months, EXAMPLE / "given" / "events.jsonl", "2026-02", "--entity", tmp_path / "entity.yaml")
    assert code == 0, told
    assert {"policy": "breakage", "value": "expected", "signed": "cora, 2026-01-05"} in told["policies"]
    assert told["functional"]["balances"] == told["balances"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ({"event": "party"}, "event"),
        ({"event": "payment", "invoice": "x", "amount": 1.5}, "float"),
        ({"event": "expiry", "contract": "other", "grant": "year"}, "ContractMissing"),
        ({"event": "expiry", "grant": "gone"}, "EventRefused"),
        ({"event": "expiry", "grant": "year"}, "NegativeLiability"),
    ],
)
def test_a_wrong_event_is_refused_with_its_place(
    months: tuple[Path, Path], tmp_path: Path, line: dict[str, object], word: str
) -> None:
    first = (EXAMPLE / "given" / "events.jsonl").read_text().splitlines()[0]
    second = json.dumps({"id": "1", "contract": "nova-2026", "on": "2026-01-31"} | line)
    (tmp_path / "events.jsonl").write_text(f"{first}\n{second}\n")
    code, text = recognized(months, tmp_path / "events.jsonl", "2026-02")
    assert (code, word in text) == (4, True), text
