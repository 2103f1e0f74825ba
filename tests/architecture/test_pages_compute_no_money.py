"""No page or answer computes money: it was stored, or made by a rule. A chart alone turns numbers into places."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for room in ("web", "api") for path in (ROOT / room).rglob("*.py") if path.name != "charts.py")
TEMPLATES = sorted(path for path in (ROOT / "web" / "templates").rglob("*.html") if path.name != "charts.html")
ARITHMETIC = {"rounded", "total", "split", "to_minor", "from_minor", "Money"}
BESIDE_THE_STRINGS = re.compile(r"\"[^\"]*\"|'[^']*'")


def test_there_are_pages_to_look_at() -> None:
    assert len(PAGES) > 15
    assert len(TEMPLATES) > 15


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_takes_no_arithmetic_of_money(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "models.money":
            assert not ARITHMETIC & {name.name for name in node.names}, f"{path}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("sum", "float"), f"{path}:{node.lineno}"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            told = ast.dump(node.left) + ast.dump(node.right)
            assert not re.search(r"amount|total|price|quantity", told), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_template_takes_none_either(path: Path) -> None:
    for said in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", path.read_text(), re.DOTALL):
        bare = BESIDE_THE_STRINGS.sub("", said.strip("{}%-"))
        assert not re.search(r"[\w)] [-+*/] [\w(]", bare), f"{path}: {said}"
        assert not re.search(r"\|\s*(sum|round)\b", bare), f"{path}: {said}"


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in (ROOT / "web").rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            assert not re.search(r"(src|href)=\"(https?:)?//|url\((?!#)|@import|import\(", path.read_text()), path
            assert " style=" not in path.read_text(), path
            assert not re.search(r" on\w+=\"", path.read_text()), path
