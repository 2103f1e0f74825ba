"""The contract check as a person runs it: file, line, clause and way out of what cannot be meant; warnings leave 0."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.files import MalformedFile
from cli.contract import contract_app

HEAD = """\
schema: tieout/contract/v1
contract: acme-2026
customer: acme
currency: USD
timezone: UTC
term: {start: 2026-01-01, end: 2027-01-01}
"""
PRICE = 'prices:\n  - {meter: call.minutes, price: {kind: unit, amount: "0.05"}}\n'  # lines 7 and 8
CARD = (
    '{"rate": "list", "meter": "call.minutes", "from": "2026-01-01", "amount": "0.10", "per": "1", "currency": "USD",'
    ' "source": "the list", "checked_on": "2026-01-01"}\n'
)
USAGE = (
    "id,customer,meter,quantity,timestamp,provider,model\n"
    "1,acme,llm.tokens,5,2026-10-01T00:00:00Z,openai,gpt-4o\n"
    "2,bolt,llm.tokens,5,2026-01-01T00:00:00Z,openai,o3\n"
)


def check(folder: Path, text: str, *more: str | Path, amended: str = "") -> tuple[int, dict[str, Any]]:
    files = {"contract.yaml": text, "amended.yaml": amended, "prices.jsonl": CARD, "usage.csv": USAGE}
    for name, content in files.items():
        (folder / name).write_text(content)
    given = [folder / "contract.yaml", *([folder / "amended.yaml"] if amended else [])]
    options = [str(folder / one) if one in files else str(one) for one in more]
    app = typer.Typer()
    app.add_typer(contract_app, name="contract")
    result = CliRunner().invoke(app, ["contract", "check", *map(str, given), *options, "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


def overlapping(one: str, other: str) -> str:
    price = 'price: {kind: unit, amount: "1"}'
    return f"{HEAD}prices:\n  - {{{one}, {price}}}\n  - {{{other}, {price}}}\n"


@pytest.mark.parametrize(
    ("text", "line", "key", "clause", "what", "way_out"),
    [
        (
            overlapping("meter: llm.tokens, where: {provider: openai}", "meter: llm.tokens, where: {model: gpt-4o}"),
            9,
            "prices.1",
            "llm.tokens [model=gpt-4o]",
            "with equal rank",
            "Name one more dimension",
        ),
        (
            overlapping("meter: llm.*", "meter: '*.tok'"),
            9,
            "prices.1",
            "*.tok",
            "prices the same usage as llm.*",
            "Name",
        ),
        (
            HEAD
            + "prices:\n  - meter: call.minutes\n    price:\n      kind: graduated\n"
            + '      tiers: [{up_to: 10, amount: "1"}, {up_to: 5, amount: "1"}, {up_to: null, amount: "1"}]\n',
            9,
            "prices.0.price.graduated",
            "call.minutes",
            "tiers must ascend, these do not: 10, 5",
            "Correct the named place",
        ),
        (
            HEAD.replace("2027-01-01", "2026-07-01")
            + PRICE
            + 'commitments:\n  - {id: year, amount: "1200.00", every: year, billing: advance}\n',
            10,
            "commitments.0.every",
            "year",
            "holds no whole one",
            "every: term",
        ),
        (
            HEAD
            + PRICE
            + 'credits:\n  - {id: launch, kind: promotional, amount: "5.00", effective: 2026-01-01, currency: EUR}\n',
            10,
            "credits.0",
            "launch",
            "a credit in another currency than the contract's",
            "Rewrite the clause",
        ),
        (
            HEAD
            + PRICE
            + 'minimums:\n  - id: floor\n    amount: "5.00"\n'
            + "    scope:\n      meters:\n        - call.minutes\n        - tts.*\n",
            15,
            "minimums.0.scope.meters.1",
            "floor",
            "no price answers to tts.*, so it matches nothing",
            "Correct the name",
        ),
        (
            HEAD
            + PRICE
            + 'credits:\n  - {id: c, kind: paid, amount: "5.00", effective: 2026-01-01, scope: {fees: [platfrom]}}\n',
            10,
            "credits.0.scope.fees.0",
            "c",
            "no fee answers to platfrom",
            "Correct the name",
        ),
        (
            HEAD + PRICE + "entitlements:\n  - {id: free, meter: sms.segments, included: 5}\n",
            10,
            "entitlements.0.meter",
            "free",
            "no price answers to sms.segments",
            "Correct the name",
        ),
        (HEAD + PRICE + "feez: []\n", 9, "feez", "", "unknown key 'feez'", "Correct the named place"),
    ],
    ids=[
        "dimensions that cross",
        "patterns that cross",
        "tiers out of order",
        "a commitment longer than the term",
        "a credit in another currency",
        "a scope of no meter",
        "a scope of no fee",
        "units of no meter",
        "an unknown key",
    ],
)
def test_what_cannot_be_meant_fails_with_file_line_clause_and_way_out(
    tmp_path: Path, text: str, line: int, key: str, clause: str, what: str, way_out: str
) -> None:
    code, found = check(tmp_path, text)
    assert code == 1
    (problem,) = found["problems"]
    assert problem["file"] == str(tmp_path / "contract.yaml")
    assert (problem["line"], problem["key"], problem["clause"]) == (line, key, clause)
    assert what in problem["problem"]
    assert way_out in problem["way_out"]


MODELS = (
    HEAD
    + 'prices:\n  - {meter: llm.tokens, where: {model: gpt-4o}, price: {kind: unit, amount: "1"}}\n'
    + '  - {meter: llm.tokens, where: {model: gpt-5}, price: {kind: unit, amount: "1"}}\n'
)


@pytest.mark.parametrize(
    ("text", "more", "amended", "line", "what"),
    [
        (
            HEAD + PRICE,
            ("--prices", "prices.jsonl"),
            "",
            8,
            "the price falls to 50 % of what the card list says",
        ),
        (
            HEAD + PRICE + '  - {meter: call.minutes, from: 2026-07-01, price: {kind: unit, amount: "0.02"}}\n',
            (),
            "",
            9,
            "the price falls to 40 % of what an earlier clause says",
        ),
        (
            HEAD + PRICE,
            (),
            HEAD + "effective: 2026-07-01\n" + PRICE.replace('"0.05"', '"5.00", per: 1000'),
            9,
            "the price falls to 10 % of what acme-2026@2026-01-01 says",
        ),
        (MODELS, ("--usage", "usage.csv"), "", 9, "nobody uses the model gpt-5"),
        (
            MODELS.split("  - {meter: llm.tokens, where: {model: gpt-5}")[0]
            + 'credits:\n  - {id: launch, kind: paid, amount: "5.00", effective: 2026-01-01, expires: 2026-10-01}\n',
            ("--usage", "usage.csv"),
            "",
            10,
            "it ends at 2026-10-01, before the first usage at 2026-10-01T00:00:00+00:00",
        ),
    ],
    ids=["below the card", "below an earlier clause", "below the earlier version", "an idle model", "an early expiry"],
)
def test_what_is_legal_and_odd_is_a_warning(
    tmp_path: Path, text: str, more: tuple[str, ...], amended: str, line: int, what: str
) -> None:
    code, found = check(tmp_path, text, *more, amended=amended)
    assert (code, found["problems"]) == (0, [])
    (warning,) = found["warnings"]
    assert warning["line"] == line
    assert what in warning["problem"]
    assert warning["file"] == str(tmp_path / ("amended.yaml" if amended else "contract.yaml"))


def test_a_price_just_above_half_and_a_card_that_prices_what_a_scope_names_are_no_remark(tmp_path: Path) -> None:
    text = HEAD + PRICE.replace('"0.05"', '"0.051"')
    assert check(tmp_path, text, "--prices", "prices.jsonl")[1]["warnings"] == []
    scoped = HEAD + "rate_card: list\n" + 'minimums: [{id: m, amount: "1", scope: {meters: [call.*]}}]\n'
    assert check(tmp_path, scoped, "--prices", "prices.jsonl")[1]["problems"] == []
    assert check(tmp_path, scoped)[1]["problems"] == []  # the card is not given: it may price anything
    strange = scoped.replace("call.*", "tts.*")
    assert check(tmp_path, strange, "--prices", "prices.jsonl")[0] == 1


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = (
        overlapping("meter: llm.tokens", "meter: llm.tokens")
        + 'maximums: [{id: x, amount: "1", scope: {meters: []}}]\n'
    )
    code, found = check(tmp_path, text)
    assert code == 1
    assert [one["key"] for one in found["problems"]] == ["prices.1", "maximums.0.scope.meters"]


def test_the_terminal_names_the_place_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(HEAD + PRICE + "entitlements:\n  - {id: free, meter: sms.segments, included: 5}\n")
    app = typer.Typer()
    app.add_typer(contract_app, name="contract")
    result = CliRunner().invoke(app, ["contract", "check", str(path)])
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert f"{path}:10: entitlements.0.meter: free: no price answers to sms.segments" in said
    assert "1 files, 1 problems, 0 warnings" in said


def test_a_diff_of_a_file_that_is_none_names_its_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.yaml", tmp_path / "b.yaml"
    good.write_text(HEAD + PRICE)
    bad.write_text(HEAD + PRICE + "feez: []\n")
    app = typer.Typer()
    app.add_typer(contract_app, name="contract")
    result = CliRunner().invoke(app, ["contract", "diff", str(good), str(bad)])
    assert isinstance(result.exception, MalformedFile)
    assert (result.exception.path, result.exception.line, result.exception.key) == (bad, 9, "feez")
