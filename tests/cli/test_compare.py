"""The comparison and the dry run's report, as a person runs them: exit codes, and files that are not what they say."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from activities.messages import MonthClosed
from adapters.files import MalformedFile, read_billed
from cli.compare import compare
from cli.dry_run import report_dry_run
from models.close import Stage, Standing, State
from models.statement import Statement
from tests.billing.test_parallel import OURS

EQUAL = "customer,line,amount,currency\nacme,call.minutes,50.00,USD\nacme,sms.segments,5,USD\nacme,platform,100,USD\n"


def run(folder: Path, csv: str, *options: str) -> tuple[int, str]:
    (folder / "billed.csv").write_text(csv)
    (folder / "s.json").write_text(OURS.canonical())
    app = typer.Typer()
    app.command()(compare)
    result = CliRunner().invoke(app, [str(folder / "s.json"), "--against", str(folder / "billed.csv"), *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_equal_is_0_and_a_cent_is_1_and_named(tmp_path: Path) -> None:
    code, text = run(tmp_path, EQUAL)
    assert code == 0
    assert "difference 0.00 USD: every line is equal" in text
    code, text = run(tmp_path, EQUAL.replace("50.00", "50.01"), "--json")
    assert code == 1
    found = json.loads(text)
    assert found["difference"] == {"USD": "-0.01"}
    assert [(x["line"], x["difference"]) for x in found["lines"] if x["why"] != "equal"] == [("call.minutes", "-0.01")]


@pytest.mark.parametrize(
    ("was", "now", "line", "key"),
    [
        ("customer,line,amount", "customer,line,total", 1, "amount"),
        ("currency\n", "currency,note\n", 2, ""),
        ("50.00", "fifty", 2, "amount"),
        ("50.00", "50.001", 2, ""),
        ("50.00,USD", "50.00,XYZ", 2, "currency"),
        ("acme,platform", "acme,", 4, "line"),
    ],
)
def test_a_file_of_another_form_names_its_line(tmp_path: Path, was: str, now: str, line: int, key: str) -> None:
    path = tmp_path / "billed.csv"
    path.write_text(EQUAL.replace(was, now, 1))
    with pytest.raises(MalformedFile) as refused:
        read_billed(path)
    assert (refused.value.line, refused.value.key) == (line, key)


class DryBooks:
    """The books of a dry run of acme's month."""

    def __init__(self, state: State, rated: bool = True) -> None:
        references = {"statement": OURS.fingerprint()} if rated else {}
        self.held = Standing(
            month="2026-10",
            revision=1001,
            customer="acme",
            stage=Stage.RATE,
            state=state,
            detail="held by 1 findings" if state is not State.DONE else "dry run",
            references=references,
            at=datetime(2026, 11, 1, tzinfo=UTC),
        )

    def standings(self, month: str, revision: int = 1) -> tuple[Standing, ...]:
        return (self.held,) if (month, revision) == ("2026-10", 1001) else ()

    def statement(self, fingerprint: str) -> Statement | None:
        return OURS if fingerprint == OURS.fingerprint() else None


def ended(tmp_path: Path, books: DryBooks, csv: str | None, *waiting: str) -> int:
    """Return the exit code of a dry run's report."""
    billed = None
    if csv is not None:
        (tmp_path / "b.csv").write_text(csv)
        billed = read_billed(tmp_path / "b.csv")
    closed = MonthClosed(month="2026-10", revision=1001, states={}, evidence_root="", waiting=waiting)
    try:
        report_dry_run(books, closed, billed, as_json=False)
    except typer.Exit as left:
        return left.exit_code
    return 0


def test_a_dry_run_ends_with_0_equal_1_different_3_waiting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done, held = DryBooks(State.DONE), DryBooks(State.WAITING)
    assert ended(tmp_path, done, EQUAL) == 0
    assert ended(tmp_path, done, None) == 0
    assert ended(tmp_path, done, EQUAL.replace("50.00", "49.00")) == 1
    assert ended(tmp_path, held, EQUAL) == 3
    assert ended(tmp_path, DryBooks(State.NEEDS_ATTENTION, rated=False), EQUAL) == 3
    assert ended(tmp_path, done, EQUAL, "posthog complete up to yesterday: waiting") == 3
    capsys.readouterr()
