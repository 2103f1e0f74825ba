"""tieout contract: check contract files, compare two versions. No server."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.files import (
    MalformedFile,
    clause_at,
    line_at,
    read_contract,
    read_opening,
    read_prices,
    read_usage,
)
from billing import openings
from billing.contract_check import remarks_of
from billing.contract_diff import differences
from billing.rating import supported
from billing.rating.openings import OpeningRefused
from billing.rating.timeline import timeline_of
from cli.output import AsJson, Exit, leave, print_json, print_table, say
from models.contract import Contract
from models.opening import Opening
from models.period import month_of
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.usage import UsageEvent

contract_app = typer.Typer(no_args_is_help=True, help="Check a contract file, compare two versions, take one over.")


@contract_app.command("check")
def check(
    file: Annotated[list[Path], typer.Argument(help="Contract versions (YAML).")],
    prices: Annotated[list[Path] | None, typer.Option(help="Rate versions the contract may ask.")] = None,
    usage: Annotated[Path | None, typer.Option(help="Usage to hold it against: CSV, JSON lines or Parquet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check contract files: each on its own, and all versions of one contract together.

    Exit code 1 where something cannot be meant; what is legal and odd is a warning and leaves 0.
    """
    cards = [version for path in prices or () for version in read_prices(path)]
    events = read_usage(usage) if usage is not None else ()
    found = list(_found(file, cards, events))
    problems, warnings = [one for one in found if not one["odd"]], [one for one in found if one["odd"]]
    if as_json:
        print_json({"checked": [str(path) for path in file], "problems": problems, "warnings": warnings})
    else:
        for one in (*problems, *warnings):
            place = ":".join(str(one[part]) for part in ("file", "line") if one[part] is not None)
            name = ": ".join(str(one[part]) for part in ("key", "clause") if one[part])
            say(f"{place}: {'warning: ' if one['odd'] else ''}{name}: {one['problem']}. {one['way_out']}")
        say(f"{len(file)} files, {len(problems)} problems, {len(warnings)} warnings")
    if problems:
        leave(Exit.CHECK_FAILED)


def _found(
    files: Sequence[Path], cards: Sequence[RateVersion], usage: Sequence[UsageEvent]
) -> Iterator[dict[str, Any]]:
    """Yield what is to be said of each file, in order; then of the versions of each contract together."""
    versions: dict[str, list[tuple[Path, Contract]]] = {}
    for path in files:
        try:
            one = read_contract(path)
        except MalformedFile as error:
            clause = clause_at(path, _place(error.key)) if error.key else ""
            yield _row(path, error.line, error.key, clause, error.what, error.remedy)
        else:
            versions.setdefault(one.contract, []).append((path, one))
    for together in versions.values():
        together.sort(key=lambda each: each[1].starts_at)
        earlier: Contract | None = None
        for path, one in together:
            for remark in remarks_of(one, cards, usage, earlier):
                line = line_at(path, remark.place)
                yield _row(path, line, remark.key, remark.clause, remark.what, remark.way_out, remark.odd)
            earlier = one
        yield from _together(together)


def _together(versions: Sequence[tuple[Path, Contract]]) -> Iterator[dict[str, Any]]:
    every = [one for _, one in versions]
    path, last = versions[-1]
    first = min(one.effective or one.term.starts_on for one in every)
    if any(True for one in every for _ in supported.unsupported(one)):
        return  # said already, with its place
    try:
        named = first.isoformat() if last.invoice.anchor is not None else month_of(first)
        supported.refuse_unsupported(timeline_of(every, named))
    except Refusal as refusal:
        yield _row(path, None, "", last.contract, f"{refusal.code}: {refusal.what}", refusal.remedy)


def _place(key: str) -> tuple[int | str, ...]:
    return tuple(int(part) if part.isdigit() else part for part in key.split("."))


def _row(
    path: Path, line: int | None, key: str, clause: str, problem: str, way_out: str, odd: bool = False
) -> dict[str, Any]:
    named = {"file": str(path), "line": line, "key": key, "clause": clause}
    return {**named, "problem": problem, "way_out": way_out, "odd": odd}


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


def _shown(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
