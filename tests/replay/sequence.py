"""Sequence: what each plan asks of the server, read from its source: python -m tests.replay.sequence writes it down.

Replay only proves the ways that were recorded; this shows every way. It reads text, so it runs in milliseconds.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = Path(__file__).with_name("sequence.json")
COMMANDS = frozenset(
    {
        "execute_activity_method",
        "execute_activity",
        "start_activity_method",
        "start_activity",
        "execute_local_activity_method",
        "execute_local_activity",
        "execute_child_workflow",
        "start_child_workflow",
        "sleep",
        "wait_condition",
        "get_external_workflow_handle",
        "upsert_search_attributes",
        "upsert_memo",
        "continue_as_new",
        "patched",
        "deprecate_patch",
        "uuid4",
        "random",
    }
)
"""Calls on `workflow` that leave a command in the history, or decide when the next one is made."""

Sequence = dict[str, dict[str, list[str]]]


def sequence_of(source: str) -> Sequence:
    """Return, for each plan in a module's text, its methods with the commands and own methods they call, in order."""
    plans = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and _is_plan(node)]
    found: Sequence = {}
    for plan in plans:
        methods = [node for node in plan.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        names = {method.name for method in methods}
        steps = {method.name: list(_steps(method, names)) for method in methods}
        found[plan.name] = {name: asked for name, asked in steps.items() if asked}
    return found


def all_plans() -> Sequence:
    """Return the sequences of every plan in the house."""
    found: Sequence = {}
    for path in sorted((ROOT / "workflows").glob("*.py")):
        found |= sequence_of(path.read_text())
    return found


def committed() -> Sequence:
    """Return what is written down."""
    kept: Sequence = json.loads(COMMITTED.read_text())
    return kept


def _is_plan(node: ast.ClassDef) -> bool:
    return any("workflow.defn" in ast.unparse(decorator) for decorator in node.decorator_list)


def _steps(method: ast.AST, names: set[str]) -> Iterator[str]:
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        match call.func:
            case ast.Attribute(value=ast.Name(id="workflow"), attr=attr) if attr in COMMANDS:
                yield " ".join([attr, *_what(call, 1)])
            case ast.Attribute(value=ast.Name(id="self"), attr="do"):
                yield " ".join(["do", *_what(call, 2), *(ast.unparse(call.args[4]) for _ in call.args[4:5])])
            case ast.Attribute(value=ast.Name(id="self"), attr=attr) if attr in names:
                yield attr


def _what(call: ast.Call, most: int) -> Iterator[str]:
    """Yield what a command is about: a deed, a plan, a stage; a condition or a time is not written out."""
    for argument in call.args[:most]:
        if isinstance(argument, ast.Attribute | ast.Name | ast.Constant):
            yield ast.unparse(argument)
    yield from ("with timeout" for keyword in call.keywords if keyword.arg == "timeout")


if __name__ == "__main__":
    COMMITTED.write_text(json.dumps(all_plans(), indent=1) + "\n")
    print(f"written: {COMMITTED}")
