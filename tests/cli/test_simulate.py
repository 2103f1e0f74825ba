"""tieout simulate, as a person runs it."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.files import read_contract, read_prices, read_usage
from cli.offline import rated
from cli.simulate import NothingProposed, simulate

CONTRACT = """\
schema: tieout/contract/v1
contract: {name}-2026
customer: {name}
currency: USD
timezone: UTC
term: {{start: 2026-01-01, end: 2027-01-01}}
prices:
  - {{meter: llm.*, price: {{kind: pass_through, markup: "{markup}"}}}}
"""
PRICE = '{"rate": "list", "meter": "llm.in", "from": "%s", "amount": "%s", "per": 1000000, "currency": "USD", "source": "page", "checked_on": "2026-01-02"}\n'  # noqa: E501
USAGE = """\
id,customer,meter,quantity,timestamp
a1,acme,llm.in,4000000,2026-10-02T00:00:00Z
a2,acme,llm.in,3000000,2026-10-20T00:00:00Z
b1,bolt,llm.in,1000000,2026-10-02T00:00:00Z
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, markup in (("acme", "0.08"), ("bolt", "0")):
        (tmp_path / f"{name}.yaml").write_text(CONTRACT.format(name=name, markup=markup))
    (tmp_path / "usage.csv").write_text(USAGE)
    (tmp_path / "now.jsonl").write_text(PRICE % ("2026-01-01", "2.50"))
    (tmp_path / "then.jsonl").write_text(PRICE % ("2026-10-16", "2.00"))
    return tmp_path


def run(folder: Path, *more: str | Path) -> Any:
    app = typer.Typer()
    app.command()(simulate)
    given = ["--contract", folder / "acme.yaml", "--contract", folder / "bolt.yaml", "--usage", folder / "usage.csv"]
    given += ["--prices", folder / "now.jsonl", "--period", "2026-10", *more]
    result = CliRunner().invoke(app, [str(one) for one in given])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_a_proposed_price_names_who_pays_how_much_less(folder: Path) -> None:
    acme, bolt = json.loads(run(folder, "--proposed-prices", folder / "then.jsonl", "--json"))
    # 7 x 2.50 x 1.08 = 18.90; then 4 x 2.50 x 1.08 + 3 x 2.00 x 1.08 = 17.28. bolt's use is before the change
    assert (acme["before"], acme["after"], acme["difference"]) == ("18.9", "17.28", "-1.62")
    assert [(one["name"], one["difference"]) for one in acme["moved"]] == [("llm.in", "-1.62")]
    assert (bolt["difference"], bolt["moved"]) == ("0", [])


def test_proposed_terms_replace_those_of_their_day(folder: Path) -> None:
    (folder / "proposed.yaml").write_text(CONTRACT.format(name="bolt", markup="0.10"))
    acme, bolt = json.loads(run(folder, "--proposed-contract", folder / "proposed.yaml", "--json"))
    assert (acme["difference"], bolt["before"], bolt["after"]) == ("0", "2.5", "2.75")


def test_proposed_terms_amend_from_their_day(folder: Path) -> None:
    amendment = CONTRACT.format(name="acme", markup="0") + "effective: 2026-10-16\n"
    (folder / "proposed.yaml").write_text(amendment)
    acme, _ = json.loads(run(folder, "--proposed-contract", folder / "proposed.yaml", "--json"))
    # 4 x 2.50 x 1.08 + 3 x 2.50 = 18.30
    assert acme["difference"] == "-0.6"


def test_people_read_who_moves_and_where(folder: Path) -> None:
    text = run(folder, "--proposed-prices", folder / "then.jsonl")
    assert "1 of 2 statements move" in text
    assert "-1.62 USD" in text


def test_earlier_statements_settle_what_is_billed_though_the_proposal_reaches_back(folder: Path) -> None:
    (folder / "usage.csv").write_text(USAGE + "a0,acme,llm.in,5000000,2026-09-20T00:00:00Z\n")
    september, _ = rated(
        [read_contract(folder / "acme.yaml")],
        read_usage(folder / "usage.csv"),
        read_prices(folder / "now.jsonl"),
        [],
        "2026-09",
    )
    (folder / "prior.json").write_text(september.canonical())
    (folder / "then.jsonl").write_text(PRICE % ("2026-09-15", "2.00"))
    acme, _ = json.loads(
        run(folder, "--proposed-prices", folder / "then.jsonl", "--prior", folder / "prior.json", "--json")
    )
    assert (acme["before"], acme["after"]) == ("18.9", "15.12")  # 7 x 2.00 x 1.08; September's 5 are billed already


def test_a_simulation_without_a_change_is_refused(folder: Path) -> None:
    with pytest.raises(NothingProposed):
        run(folder)
