"""make demo, as anybody runs it: it ties out, and each break ends it with customer and stage named."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import pictures

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture
def state() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tieout-demo-"))
    folder.chmod(0o755)
    yield folder / "state"
    shutil.rmtree(folder)


def demo(state: Path, *arguments: str) -> tuple[int, str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TIEOUT_")}
    done = subprocess.run(
        (sys.executable, "-m", "devstack.demo", "--state", str(state), *arguments),
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_demo_ties_out(state: Path) -> None:
    code, said = demo(state)
    assert code == 0, said
    assert said.count("all equal") == 12
    assert "a second run of every deed changed nothing" in said
    assert "acme's own system told of its invoice, once, signed, to the cent" in said
    assert "bean-check accepts it" in said
    assert "the evidence agrees" in said
    assert "preparer_may_not_approve" in said
    assert not (state / "environment.json").exists()
    refuse_open_ends(state / "out" / "2026-10" / "pages", said)


def refuse_open_ends(pages: Path, said: str) -> None:
    """Fail where a kept page of the demo would ask anybody for anything, or leads to a page that is not there."""
    files = sorted(pages.rglob("*.html"))
    assert len(files) > 60
    for file in files:
        text = file.read_text()
        assert not re.search(r"<(script|img|iframe)|\b(src|action)=|@import|=\"https?://127", text), file
        for to in re.findall(r'<a [^>]*href="([^"#]+)', text):
            assert to.startswith("mailto:") or (file.parent / to).is_file(), (file, to)
    wide = sorted(pages.rglob("*-1280.png"))
    assert len(wide) == (8 if pictures.chromium() else 0)
    assert len(sorted(pages.rglob("*-390.png"))) == len(wide)
    assert f"pictures: {2 * len(wide)} PNG" in said or "pictures: none" in said
    assert "1,447.22" in (pages / "acme" / "invoices-2026-10@1-acme-USD.html").read_text()
    assert "locked" in (pages / "finance" / "close-2026-10-period.html").read_text()


@pytest.mark.parametrize(
    ("break_", "expected"),
    [
        ("rate", r"cirrus at rate: "),
        ("usage", r"cirrus at reconcile: "),
        ("stripe", r"\w+ at invoice: InvoiceDoesNotTie"),
        ("journal", r"cirrus at post: "),
    ],
)
def test_a_break_is_named_by_customer_and_stage(state: Path, break_: str, expected: str) -> None:
    code, said = demo(state, "--break", break_)
    assert code == 1, said
    assert re.search(expected, " ".join(said.split())), said


@pytest.mark.data
def test_the_same_month_closes_with_traffic_of_real_clients(state: Path) -> None:
    if not DATA.is_dir():
        pytest.skip(f"the shared data sets are not at {DATA}")
    code, said = demo(state, "--book", "traces", "--data", str(DATA))
    assert code == 0, said
    assert said.count("all equal") == 12
