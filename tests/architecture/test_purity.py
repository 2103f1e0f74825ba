"""Pure rooms hold no clock, chance, environment, file or socket: time and inputs are arguments."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = sorted(
    path
    for room in ("models", "billing", "workflows")
    for path in (ROOT / room).rglob("*.py")
    if "tables" not in path.parts
)
FORBIDDEN = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.monotonic",
    "time.sleep",
    "os.environ",
    "os.getenv",
    "uuid.uuid4",
    "uuid4",
    "open",
    "print",
    "input",
}
MODULES = {"random", "secrets", "socket", "subprocess", "requests", "urllib", "time"}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node, ast.Import):
            yield from (f"import {name.name.split('.')[0]}" for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield f"import {node.module.split('.')[0]}"


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_pure_room_asks_nobody(path: Path) -> None:
    found = set(_names(ast.parse(path.read_text())))
    assert found & (FORBIDDEN | {f"import {name}" for name in MODULES}) == set()


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_money_is_no_float(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "float", f"{path}:{node.lineno}"
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            raise AssertionError(f"{path}:{node.lineno}: a float literal {node.value}")
