"""Offline verbs, run as a person runs them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.files import MalformedFile
from billing.rating import backlog
from cli import offline
from cli.contract import contract_app
from models.statement import Statement

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = """\
schema: tieout/contract/v1
contract: acme-2026
customer: acme
currency: USD
timezone: UTC
term: {start: 2026-01-01, end: 2027-01-01}
prices:
  - {meter: call.minutes, price: {kind: graduated, tiers: [{up_to: 10, amount: "1"}, {up_to: null, amount: "0.5"}]}}
"""
HEADER = "id,customer,meter,quantity,timestamp,received_at\n"
SEPTEMBER = "s1,acme,call.minutes,8,2026-09-10T00:00:00Z,2026-09-10T00:00:01Z\n"
LATE = "s2,acme,call.minutes,4,2026-09-29T00:00:00Z,2026-10-05T00:00:00Z\n"
OCTOBER = "o1,acme,call.minutes,3,2026-10-10T00:00:00Z,2026-10-10T00:00:01Z\n"


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run `python -m cli.offline` in this process; return exit code and output."""
    app = typer.Typer()
    for command in (offline.rate, offline.explain, offline.schema):
        app.command()(command)
    app.add_typer(contract_app, name="contract")
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def rate(*arguments: str | Path) -> dict[str, Any]:
    code, text = run("rate", *arguments, "--json")
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    return tmp_path


def test_a_statement_is_read_again_and_each_line_explained(folder: Path) -> None:
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER + LATE)
    statement = rate("--contract", folder / "contract.yaml", "--usage", folder / "usage.csv", "--period", "2026-09")
    (folder / "s.json").write_text(json.dumps(statement))
    assert Statement.from_text((folder / "s.json").read_text()).total == Decimal("11")  # 10 x 1 + 2 x 0.5
    code, text = run("explain", folder / "s.json", statement["lines"][0]["id"])
    assert code == 0
    assert "10 x 1" in text
    code, text = run("explain", folder / "s.json", statement["lines"][0]["id"], "--json")
    told = json.loads(text)
    assert {name: told[name] for name in statement["lines"][0]} == statement["lines"][0]
    assert (told["currency"], told["pools"], told["reduced_by"]) == ("USD", [], [])


def test_a_line_that_is_not_there_is_refused(folder: Path) -> None:
    (folder / "usage.csv").write_text(HEADER)
    statement = rate("--contract", folder / "contract.yaml", "--usage", folder / "usage.csv", "--period", "2026-09")
    (folder / "s.json").write_text(json.dumps(statement))
    with pytest.raises(offline.NoSuchLine):
        run("explain", folder / "s.json", "nothing")


def test_what_was_received_after_a_statement_is_late_in_the_next_one(folder: Path) -> None:
    options = "--contract", folder / "contract.yaml", "--usage", folder / "usage.csv"
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER)
    (folder / "s.json").write_text(json.dumps(rate(*options, "--period", "2026-09")))
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER + LATE + OCTOBER)
    october = rate(*options, "--prior", folder / "s.json", "--period", "2026-10")
    # late: 2 x 1 and 2 x 0.5, from September's position of 8; October: 3 x 1
    assert sorted(line["amount"] for line in october["lines"]) == ["1", "2", "3"]


def test_usage_that_no_cut_off_explains_is_refused(folder: Path) -> None:
    options = "--contract", folder / "contract.yaml", "--usage", folder / "usage.csv"
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER)
    (folder / "s.json").write_text(json.dumps(rate(*options, "--period", "2026-09")))
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER.replace(",8,", ",9,"))
    with pytest.raises(backlog.LateUnknown):
        run("rate", *options, "--prior", folder / "s.json", "--period", "2026-10")


def test_an_event_sent_twice_is_billed_once_and_of_two_that_differ_the_first_received(folder: Path) -> None:
    options = "--contract", folder / "contract.yaml", "--usage", folder / "usage.csv", "--period", "2026-09"
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER + SEPTEMBER)
    assert rate(*options)["total"] == "8"
    later = SEPTEMBER.replace(",8,", ",5,").replace("00:00:01Z", "00:00:02Z")
    (folder / "usage.csv").write_text(HEADER + later + SEPTEMBER)
    assert rate(*options)["total"] == "8"
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER + SEPTEMBER.replace(",8,", ",5,"))
    with pytest.raises(backlog.Conflicting):
        run("rate", *options, "--json")


TAKEN_OVER = CONTRACT + 'commitments: [{id: year, amount: "1200.00", every: year, billing: advance}]\n'
POSITION = """\
schema: tieout/opening/v1
contract: acme-2026
customer: acme
currency: USD
as_of: 2026-10-01
evidence: [{note: "the former system's balance of 30 September"}]
pools:
  - {id: year, granted: "1200.00", drawn: "1198.00", expired: "0", deferred: "2.00"}
balances: {deferred: "2.00", unbilled: "0.00", receivable: "0.00"}
"""


def test_an_opening_is_where_the_pools_of_a_month_begin(folder: Path) -> None:
    (folder / "contract.yaml").write_text(TAKEN_OVER)
    (folder / "opening.yaml").write_text(POSITION)
    (folder / "usage.csv").write_text(HEADER + OCTOBER)
    options = "--contract", folder / "contract.yaml", "--usage", folder / "usage.csv", "--period", "2026-10"
    october = rate(*options, "--opening", folder / "opening.yaml")
    (pool,) = october["pools"]
    assert [pool[name] for name in ("opening", "granted", "drawn", "closing")] == ["2", "0", "2", "0"]
    assert october["total"] == "1"  # 3 x 1, of which the pool paid the 2 that were left


@pytest.mark.parametrize(
    ("was", "now", "line", "key"),
    [
        ('deferred: "2.00"}', 'deferred: "1.00"}', 8, "pools.0.deferred"),
        ('granted: "1200.00"', 'granted: "1300.00"', 8, "pools.0.granted"),
        ("as_of: 2026-10-01", "as_of: 2026-10-02", 5, "as_of"),
        ('balances: {deferred: "2.00"', 'balances: {deferred: "3.00"', 9, "balances.deferred"),
        ('unbilled: "0.00"', 'unbilled: "0.001"', 9, "balances.unbilled"),
        ('drawn: "1198.00"', 'drawn: "1298.00"', 8, "pools.0"),
        ('unbilled: "0.00"', 'unbild: "0.00"', 9, "balances.unbild"),
        ('drawn: "1198.00"', "drawn: 1198.5", 8, "pools.0.drawn"),
    ],
)
def test_an_opening_that_does_not_balance_names_its_line(folder: Path, was: str, now: str, line: int, key: str) -> None:
    (folder / "contract.yaml").write_text(TAKEN_OVER)
    text = POSITION.replace(was, now, 1)
    if key == "pools.0.deferred":
        text = text.replace('{deferred: "2.00"', '{deferred: "1.00"')
    (folder / "opening.yaml").write_text(text)
    (folder / "usage.csv").write_text(HEADER)
    options = "--contract", folder / "contract.yaml", "--usage", folder / "usage.csv", "--period", "2026-10"
    with pytest.raises(MalformedFile) as refused:
        run("rate", *options, "--opening", folder / "opening.yaml")
    assert (refused.value.line, refused.value.key) == (line, key)


def test_a_contract_that_holds_passes_the_check_and_one_that_does_not_names_its_place(folder: Path) -> None:
    assert run("contract", "check", folder / "contract.yaml")[0] == 0
    (folder / "bad.yaml").write_text(CONTRACT + "fees:\n  - {id: platform, amount: 20.5}\n")
    code, text = run("contract", "check", folder / "bad.yaml", "--json")
    (problem,) = json.loads(text)["problems"]
    assert (code, problem["line"], problem["key"]) == (1, 10, "fees.0.amount")
    assert "a float has already lost digits" in problem["problem"]


def test_versions_that_do_not_fit_together_fail_the_check(folder: Path) -> None:
    (folder / "other.yaml").write_text(
        CONTRACT.replace("customer: acme", "customer: globex") + "effective: 2026-05-01\n"
    )
    code, text = run("contract", "check", folder / "contract.yaml", folder / "other.yaml", "--json")
    assert code == 1
    assert "MixedContracts" in json.loads(text)["problems"][0]["problem"]


def test_a_diff_names_what_changed_clause_by_clause(folder: Path) -> None:
    (folder / "new.yaml").write_text(CONTRACT.replace('"0.5"', '"0.4"') + "invoice: {net_days: 45}\n")
    code, text = run("contract", "diff", folder / "contract.yaml", folder / "new.yaml", "--json")
    assert code == 0
    assert {change["place"]: change["after"] for change in json.loads(text)} == {
        "invoice.net_days": 45,
        "prices.call.minutes.price.tiers.2.amount": "0.4",
    }


@pytest.mark.parametrize("name", ["contract", "opening", "policy", "price", "statement", "usage"])
def test_every_format_has_a_schema(name: str) -> None:
    code, text = run("schema", name)
    assert code == 0
    assert json.loads(text)["type"] == "object"


def test_an_unknown_schema_is_a_usage_error() -> None:
    assert run("schema", "nothing")[0] == 2


def test_a_period_rated_again_yields_the_deltas_to_what_was_booked(folder: Path) -> None:
    options = "--contract", folder / "contract.yaml", "--usage", folder / "usage.csv", "--period", "2026-09"
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER)
    with pytest.raises(offline.NothingBooked):
        run("rate", *options, "--deltas")
    (folder / "s.json").write_text(json.dumps(rate(*options)))
    (folder / "usage.csv").write_text(HEADER + SEPTEMBER + LATE)
    deltas = rate(*options, "--prior", folder / "s.json", "--deltas")
    # 8 were booked; 12 are 10 x 1 + 2 x 0.5 = 11
    assert (deltas["before"], deltas["after"], deltas["difference"]) == ("8", "11", "3")
    assert rate(*options, "--prior", folder / "s.json")["revision"] == 2
    assert "3.00 USD" in run("rate", *options, "--prior", folder / "s.json", "--deltas")[1]
