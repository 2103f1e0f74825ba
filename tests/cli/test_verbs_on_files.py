"""Offline verbs: what they print, and the exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from models.refusal import Refusal

TERMS = Path(__file__).resolve().parents[2] / "devstack" / "book" / "terms"
RATES = TERMS.parent / "rates.yaml"
USAGE = """\
id,customer,meter,quantity,timestamp
a,delta,call.minutes,600,2026-10-05T12:00:00Z
b,delta,call.minutes,10.5,2026-10-31T12:00:00Z
c,bolt,call.minutes,7,2026-10-31T12:00:00Z
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def rated(tmp_path: Path, *more: str) -> Result:
    usage = tmp_path / "usage.csv"
    usage.write_text(USAGE)
    terms = str(TERMS / "delta.yaml")
    return run("rate", "--period", "2026-10", "--contract", terms, "--usage", str(usage), "--prices", str(RATES), *more)


def test_rate_prints_the_statement(tmp_path: Path) -> None:
    statement = json.loads(rated(tmp_path, "--json").stdout)
    # 610.5 minutes, 500 included: 110.5 x 0.06 = 6.63, and 150.00 support in arrears.
    assert statement["total"] == "156.63"
    assert [line["amount"] for line in statement["lines"] if line["kind"] == "usage"] == ["6.63"]
    assert "150.00 USD" in rated(tmp_path).stdout


def test_explain_prints_a_line_of_a_statement_file(tmp_path: Path) -> None:
    path = tmp_path / "statement.json"
    path.write_text(rated(tmp_path, "--json").stdout)
    usage = [one for one in json.loads(path.read_text())["lines"] if one["kind"] == "usage"]
    assert "6.63 USD" in run("explain", str(path), usage[0]["id"]).stdout
    assert isinstance(run("explain", str(path), "no-such-line").exception, Refusal)


def test_a_model_without_a_rate_is_refused(tmp_path: Path) -> None:
    usage = tmp_path / "usage.csv"
    usage.write_text(
        "id,customer,meter,quantity,timestamp,model\na,cirrus,llm.input_tokens,1,2026-10-05T12:00:00Z,new\n"
    )
    found = run(
        "rate",
        "--period",
        "2026-10",
        "--contract",
        str(TERMS / "cirrus.yaml"),
        "--usage",
        str(usage),
        "--prices",
        str(RATES),
    )
    assert type(found.exception).__name__ == "NoRate"


def test_a_contract_is_checked_and_compared() -> None:
    assert run("contract", "check", str(TERMS / "acme.yaml")).exit_code == 0
    assert run("contract", "diff", str(TERMS / "acme.yaml"), str(TERMS / "acme.yaml")).exit_code == 0
    differing = run("contract", "diff", str(TERMS / "acme.yaml"), str(TERMS / "bolt.yaml"), "--json")
    assert "bolt" in differing.stdout
    assert json.loads(differing.stdout)


def test_reconcile_compares_files_and_waits_for_a_person(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "schema: tieout/policy/v1\n"
        "sources: {clickhouse: {grain: event}, posthog: {grain: event}}\n"
        "authority:\n"
        '  - {order: [clickhouse, posthog], tolerance: {absolute: "0", ratio: "0"}, declared_by: rita,'
        " reason: the table of record, from: 2026-01-01}\n"
    )
    (tmp_path / "a.csv").write_text(USAGE)
    (tmp_path / "b.csv").write_text(USAGE.replace("10.5", "630"))  # minutes in seconds
    words = [
        "reconcile",
        "--period",
        "2026-10",
        "--policy",
        str(policy),
        "--source",
        f"clickhouse={tmp_path / 'a.csv'}",
    ]
    same = run(*words, "--source", f"posthog={tmp_path / 'a.csv'}", "--json")
    assert same.exit_code == 0, same.output
    assert json.loads(same.stdout)["delta"]["findings"] == []
    other = run(*words, "--source", f"posthog={tmp_path / 'b.csv'}", "--json")
    assert other.exit_code == 3
    (finding,) = json.loads(other.stdout)["delta"]["findings"]
    assert (finding["cause"], finding["source"]) == ("unit", "posthog")


@pytest.mark.parametrize("name", ["contract", "policy", "price", "statement", "usage"])
def test_every_format_has_a_schema(name: str) -> None:
    assert json.loads(run("schema", name).stdout)["type"] == "object"


def test_an_unknown_schema_is_a_usage_error() -> None:
    assert run("schema", "nothing").exit_code == 2
