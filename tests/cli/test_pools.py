"""The pool ledger from files, as a person runs it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import pools
from models.statement import Statement
from models.value import canonical_json
from tests.billing.rating.builders import a_contract, through, used
from tests.billing.test_openings import OPEN, YEARLY, an_opening, months


def run(*arguments: str | Path) -> tuple[int, str]:
    app = typer.Typer()
    app.add_typer(pools.app, name="pool")
    result = CliRunner().invoke(app, ["pool", "show", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def written(folder: Path, statements: list[Statement]) -> Path:
    path = folder / "statements.json"
    path.write_text(canonical_json([one.model_dump(mode="json") for one in statements]))
    return path


def test_the_ledger_is_read_from_statements_up_to_a_month(tmp_path: Path) -> None:
    usage = {"2026-01": [used("100", "2026-01-10T00:00:00Z")], "2026-02": [used("100", "2026-02-10T00:00:00Z")]}
    path = written(tmp_path, through(a_contract(commitments=[YEARLY]), usage))
    code, text = run("acme-2026", "--statement", path, "--json")
    assert code == 0
    assert [(row["period"], row["closing"]) for row in json.loads(text)["rows"]] == [
        ("2026-01", "1195"),
        ("2026-02", "1190"),
    ]
    code, text = run("acme-2026", "--statement", path, "--through", "2026-01", "--json")
    assert [row["period"] for row in json.loads(text)["rows"]] == ["2026-01"]
    with pytest.raises(pools.NothingIssued):
        run("bolt-2026", "--statement", path)


def test_a_break_against_the_opening_is_printed_and_fails(tmp_path: Path) -> None:
    contract = a_contract(commitments=[YEARLY])
    statements, _ = months(contract, an_opening(OPEN), m10=used("2000"))
    path = written(tmp_path, statements)
    (tmp_path / "contract.yaml").write_text(contract.canonical())
    (tmp_path / "opening.yaml").write_text(an_opening(OPEN).canonical().replace('"schema_":', '"schema":'))
    options = "--statement", path, "--contract", tmp_path / "contract.yaml", "--opening", tmp_path / "opening.yaml"
    code, text = run("acme-2026", *options)
    assert code == 0
    assert "opening" in text
    other = an_opening({**OPEN, "drawn": "800.00", "deferred": "400.00"}, deferred="400.00")
    (tmp_path / "opening.yaml").write_text(other.canonical())
    code, text = run("acme-2026", *options)
    assert code == 1
    assert "broken: pool:year:2026-10:opening: 300 is not 400, the difference is -100" in text
