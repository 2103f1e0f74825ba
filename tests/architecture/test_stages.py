"""The way of a number is readable in three places, and they are equal: the stages, the deeds, the README."""

import ast
from pathlib import Path

import pytest

from models.close import Stage

ROOT = Path(__file__).resolve().parents[2]
PLAN = (ROOT / "workflows" / "customer_close.py").read_text()


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_has_its_deed_and_its_place_in_the_readme(stage: Stage) -> None:
    assert (ROOT / "activities" / f"{stage}.py").is_file()
    assert f"| {stage} |" in (ROOT / "README.md").read_text()


def test_the_plan_calls_the_stages_in_their_order() -> None:
    tree = ast.parse(PLAN)
    plan = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "CustomerClose")
    methods = {node.name: node for node in plan.body if isinstance(node, ast.AsyncFunctionDef)}
    called = [
        node.func.attr
        for name in ("until_issued", "run")
        for node in ast.walk(methods[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in set(Stage)
    ]
    assert sorted(called, key=lambda name: list(Stage).index(Stage(name))) == [stage.value for stage in Stage]
