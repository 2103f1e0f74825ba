"""tieout contract: check contract files, compare two versions. No server."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.files import MalformedFile, line_at, read_contract, read_opening
from billing import openings
from billing.rating import supported
from billing.rating.openings import OpeningRefused
from billing.rating.timeline import timeline_of
from cli.output import AsJson, Exit, leave, print_json, print_table, say
from models.contract import Contract
from models.opening import Opening
from models.period import month_of
from models.refusal import Refusal

contract_app = typer.Typer(no_args_is_help=True, help="Check a contract file, compare two versions, take one over.")


@contract_app.command("check")
def check(
    file: Annotated[list[Path], typer.Argument(help="Contract versions (YAML).")], as_json: AsJson = False
) -> None:
    """Check contract files: each on its own, and all versions of one contract together. Exit 1 where one fails."""
    problems: list[dict[str, Any]] = []
    versions: dict[str, list[Contract]] = {}
    for path in file:
        try:
            one = read_contract(path)
            versions.setdefault(one.contract, []).append(one)
        except MalformedFile as error:
            problems.append({"file": str(path), "line": error.line, "key": error.key, "problem": error.what})
    for name, every in versions.items():
        try:
            first = min(one.effective or one.term.starts_on for one in every)
            anchored = every[0].invoice.anchor is not None
            supported.refuse_unsupported(timeline_of(every, first.isoformat() if anchored else month_of(first)))
        except Refusal as refusal:
            problems.append({"contract": name, "problem": f"{refusal.code}: {refusal}"})
    if as_json:
        print_json({"checked": [str(path) for path in file], "problems": problems})
    else:
        for problem in problems:
            place = ":".join(str(part) for part in (problem.get("file"), problem.get("line")) if part is not None)
            key = f" {problem['key']}:" if problem.get("key") else ""
            say(f"{place or problem.get('contract')}:{key} {problem['problem']}")
        for one in (one for every in versions.values() for one in every):
            say(f"{one.version}: {len(one.prices)} prices, {len(one.named_clauses)} other clauses")
    if problems:
        leave(Exit.CHECK_FAILED)


@contract_app.command("diff")
def diff(
    before: Annotated[Path, typer.Argument(help="A contract version (YAML).")],
    after: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: AsJson = False,
) -> None:
    """Show what differs between two contract versions, clause by clause."""
    changes = list(differences(read_contract(before), read_contract(after)))
    if as_json:
        print_json(changes)
        return
    print_table(
        f"{before} and {after}: {len(changes)} differences",
        ("place", "before", "after"),
        [(change["place"], _shown(change["before"]), _shown(change["after"])) for change in changes],
    )


def opening_of(path: Path, contracts: Sequence[Contract]) -> Opening:
    """Return the opening position of a file, which balances and is what the contract allows.

    Raises:
        MalformedFile: with the line and the field that do not.
    """
    opening = read_opening(path)
    try:
        openings.position_of(opening, contracts)
    except OpeningRefused as refused:
        key = ".".join(map(str, refused.place))
        raise MalformedFile(path, refused.what, line_at(path, refused.place), key) from refused
    return opening


def differences(before: Contract, after: Contract) -> Iterator[dict[str, Any]]:
    """Yield every place at which two contract versions differ, clauses told apart by their ids (prices by meter)."""
    yield from _differences("", _keyed(before.model_dump(mode="json")), _keyed(after.model_dump(mode="json")))


def _keyed(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _keyed(value) for key, value in content.items()}
    if isinstance(content, list) and content and all(isinstance(item, dict) for item in content):
        named: dict[str, Any] = {}
        for item in content:
            where = ",".join(f"{key}={value}" for key, value in sorted((item.get("where") or {}).items()))
            name = item.get("id") or item.get("jurisdiction") or item.get("meter")
            key = f"{name or len(named) + 1}{f'[{where}]' if where else ''}"
            key += f"@{item['starts_at']}" if item.get("starts_at") and not item.get("id") else ""
            named[key if key not in named else f"{key}#{len(named) + 1}"] = _keyed(item)
        return named
    return content


def _differences(place: str, before: Any, after: Any) -> Iterator[dict[str, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differences(f"{place}.{key}" if place else key, before.get(key), after.get(key))
    elif before != after:
        yield {"place": place, "before": before, "after": after}


def _shown(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
