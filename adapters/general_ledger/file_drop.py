"""File drop: a folder by which another ledger takes journal imports, and says what it holds.

`out/` is what we write, a file an import; `back/` is what the other side exports of the entries it holds, in the same
columns. Nobody answers at once, so what is out and not back is neither sent nor failed.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from adapters.files import MalformedFile
from adapters.general_ledger import netsuite, quickbooks

Lines = tuple[tuple[str, str, Decimal], ...]
"""An entry as a ledger holds it: its period or date, account and signed amount of each line, in order."""


@dataclass(frozen=True)
class Layout:
    """Which columns say what."""

    key: str
    when: str
    account: str
    debit: str
    credit: str


NETSUITE = Layout("External ID", "Posting Period", netsuite.ACCOUNT, netsuite.DEBIT, netsuite.CREDIT)
QUICKBOOKS = Layout(quickbooks.COLUMNS[0], *quickbooks.COLUMNS[1:5])


class FileDrop:
    """The `Ledger` of runtime/ledger_push.py, over two folders."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.layout = layout

    def send(self, name: str, text: str) -> None:
        """Write an import; the same name is written once, whole or not at all."""
        path = self.folder / "out" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        half.write_text(text)
        half.replace(path)

    def under_way(self) -> frozenset[str]:
        """Return the keys of entries that were written out."""
        return frozenset(self._read("out"))

    def held(self) -> Mapping[str, Lines]:
        """Return the entries the other side says it holds, by their key."""
        return self._read("back")

    def lines_of(self, text: str) -> Mapping[str, Lines]:
        """Return the entries of an import's text, by their key."""
        return self._lines(Path("import.csv"), text)

    def _read(self, where: str) -> dict[str, Lines]:
        found: dict[str, Lines] = {}
        for path in sorted((self.folder / where).glob("*.csv")):
            for key, lines in self._lines(path, path.read_text()).items():
                found[key] = (*found.get(key, ()), *lines) if where == "back" else lines
        return found

    def _lines(self, path: Path, text: str) -> dict[str, Lines]:
        layout, found = self.layout, dict[str, list[tuple[str, str, Decimal]]]()
        for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
            try:
                amount = Decimal(row[layout.debit] or "0") - Decimal(row[layout.credit] or "0")
                found.setdefault(row[layout.key], []).append((row[layout.when], row[layout.account], amount))
            except KeyError as error:
                raise MalformedFile(path, "a column is missing", number, str(error.args[0])) from error
            except InvalidOperation as error:
                raise MalformedFile(path, "an amount is no number", number, layout.debit) from error
        return {key: tuple(sorted(lines)) for key, lines in found.items()}
