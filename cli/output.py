"""Output: one way to print for people and for programs, and the exit codes."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.money import money_text
from models.value import decimal_text, instant_text


class Exit(IntEnum):
    """What a command says to the shell."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    WAITING = 3  # for a person or a source
    REFUSED = 4


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
As = Annotated[str | None, typer.Option("--as", help="Sign as this demo person (embedded stack only).")]
Reason = Annotated[str, typer.Option(help="Why; it is kept for audit.")]
Month = Annotated[str, typer.Argument(help="The month, such as 2026-10.")]

console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def print_json(content: Any) -> None:
    """Print a value, or plain data holding values, as JSON with decimals as text."""
    print(json.dumps(_plain(content), indent=2, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; columns named in `right` are aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    if console.is_terminal:
        console.print(table)
    else:
        Console(width=180, highlight=False).print(table)


def say(text: str) -> None:
    """Print a line for people."""
    console.print(text)


def money(amount: Decimal, currency: str) -> str:
    """Return an amount as people read it."""
    return money_text(amount, currency)


def leave(code: Exit) -> None:
    """End the command with a code."""
    raise typer.Exit(int(code))


def _plain(content: Any) -> Any:
    match content:
        case BaseModel():
            return content.model_dump(mode="json")
        case Decimal():
            return decimal_text(content)
        case datetime():
            return instant_text(content)
        case Enum():
            return content.value
        case dict():
            return {str(key): _plain(item) for key, item in content.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in content]
        case _:
            return content
