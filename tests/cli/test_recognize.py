"""`tieout recognize`, as a finance person runs it: files in, entries and balances out, no server."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from billing.rating.statement import statement_for
from cli.main import app
from cli.output import Exit
from models.refusal import Refusal
from models.statement import Statement
from tests.billing.test_recognition_of_rated_months import a_contract, minutes

CONTRACT = """
schema: tieout/contract/v1
contract: acme-2026
customer: acme
currency: USD
timezone: UTC
term: {start: 2026-01-01, end: 2027-01-01}
prices: [{meter: call.minutes, price: {kind: unit, amount: "1.00"}}]
fees: [{id: platform, amount: "2000.00", every: month}]
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a contract, January's statement, and both months' statements in a list."""
    contract = a_contract(fees=({"id": "platform", "amount": "2000.00", "every": "month"},))
    statements: list[Statement] = []
    for month in ("2026-01", "2026-02"):
        statements.append(statement_for([contract], [minutes(month, "90.50")], [], month, statements, engine="test"))
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    (tmp_path / "january.json").write_text(statements[0].canonical())
    (tmp_path / "both.json").write_text(f"[{','.join(one.canonical() for one in statements)}]")
    return tmp_path


def recognize(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command over a folder's files in this process; return exit code, output and what was said of errors."""
    named = [str(folder / word) if word.endswith((".yaml", ".json")) else word for word in arguments]
    result = CliRunner().invoke(app, ["recognize", *named])
    if isinstance(result.exception, Refusal):
        return int(Exit.REFUSED), result.stdout, f"{result.exception.code}: {result.exception}"
    return result.exit_code, result.stdout, result.stderr


def process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, as a process of its own."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "cli", "recognize", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_entries_and_balances_of_two_months_and_the_fee_of_the_third(files: Path) -> None:
    words = ("--contract", "contract.yaml", "--statement", "both.json", "--through", "2026-03", "--json")
    code, said, error = recognize(files, *words)
    assert code == 0, error
    told = json.loads(said)
    balances = {(row["period"], row["account"]): Decimal(row["balance"]) for row in told["balances"]}
    # January bills its own fee and February's: 4,000 + 90.50; February bills March's: 2,000 + 90.50.
    assert balances["2026-01", "1100"] == Decimal("4090.50")
    assert balances["2026-02", "1100"] == Decimal("6181.00")
    assert balances["2026-02", "4020"] == Decimal("-181.00")
    assert [balances[f"2026-0{month}", "4010"] for month in (1, 2, 3)] == [-2000, -4000, -6000]
    assert balances["2026-03", "2100"] == 0
    assert sum(amount for (period, _), amount in balances.items() if period == "2026-02") == 0


def test_a_file_of_one_statement_and_a_table_for_people(files: Path) -> None:
    words = ("--contract", "contract.yaml", "--statement", "january.json", "--through", "2026-01")
    code, said, error = recognize(files, *words)
    assert code == 0, error
    assert "4,090.50" in said


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--statement", "january.json", "--through", "2026-01", "--events", "contract.yaml"), 4, "not JSON"),
        (("--statement", "gone.json", "--through", "2026-01"), 4, "gone.json"),
        (("--statement", "contract.yaml", "--through", "2026-01"), 4, "MalformedFile"),
        (("--statement", "january.json", "--through", "January"), 2, "--through"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(
    files: Path, arguments: tuple[str, ...], code: int, word: str
) -> None:
    left, _, error = recognize(files, "--contract", "contract.yaml", *arguments)
    assert (left, word in error) == (code, True), error


def test_a_statement_without_its_contract_is_refused_by_the_command_itself(files: Path) -> None:
    (files / "other.yaml").write_text(CONTRACT.replace("acme-2026", "other-2026"))
    run = process(files, "--contract", "other.yaml", "--statement", "january.json", "--through", "2026-01")
    assert (run.returncode, "ContractMissing" in run.stderr) == (4, True)
