"""The docs are kept true: README's amounts are the demo's, its commands, links and files exist."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from devstack.book import expected
from devstack.book.calls import true_usage

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.slow
def test_the_readmes_tie_out_is_the_demos() -> None:
    usage = list(true_usage("2026-10", datetime(2026, 11, 2, tzinfo=UTC)))
    totals = expected.invoices(usage, "2026-10").totals
    told = dict(re.findall(r"^ (\w+) .* ([\d,.]+) USD  all equal$", README, re.MULTILINE))
    assert told == {customer: f"{total:,.2f}" for customer, total in totals.items()}


def test_every_command_of_the_readme_exists() -> None:
    groups = get_command(app).commands  # type: ignore[attr-defined]
    for group, verb in re.findall(r"./tieout (\w+) ([a-z-]+)", README + (ROOT / "docs" / "a_month.md").read_text()):
        assert group in groups, group
        if hasattr(groups[group], "commands"):
            assert verb in groups[group].commands, f"{group} {verb}"


@pytest.mark.parametrize("target", ["demo", "test", "up", "check", "test-all", "replay", "lock"])
def test_every_make_target_that_is_told_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_every_decision_is_linked() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert page.name in index


def test_every_file_a_page_names_is_there() -> None:
    for name in re.findall(r"`((?:activities|billing|workflows|models|devstack)/[\w/.]+)[`:]", README):
        assert (ROOT / name).exists(), name
