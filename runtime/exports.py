"""Exports: the journal as files for other ledgers, and what an outside checker says of them."""

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.general_ledger.beancount import write_beancount
from adapters.general_ledger.hledger import write_hledger
from adapters.postgres.books import Books
from adapters.postgres.journals import PostgresJournal
from billing.focus import COLUMNS, focus_rows
from billing.functional import functional_book
from models.entity import Entity
from models.rate_card import RateVersion
from models.statement import Statement

HLEDGER_CHECKS = ("accounts", "commodities", "payees", "ordereddates", "balancednoautoconversion")
"""What plain `hledger check` lets pass and these do not: two currencies in an entry, unknown accounts."""


@dataclass(frozen=True)
class Checked:
    """What an outside checker said of a file: None where it is not installed."""

    path: Path
    checker: str
    accepted: bool | None
    said: str = ""

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        match self.accepted:
            case None:
                return f"{self.checker} is not installed here; not checked"
            case True:
                return f"{self.checker} accepts it"
            case False:
                return f"{self.checker} refuses it: {self.said[:400]}"


def write(
    journal: PostgresJournal,
    books: Books,
    folder: Path,
    entity: Entity | None = None,
    rates: Sequence[RateVersion] = (),
) -> tuple[Path, ...]:
    """Write the whole journal as a Beancount and an hledger file and return their paths.

    With an entity its functional-currency book is written beside it, as `functional.…`: no entry has two currencies.

    Raises:
        NoRate: an exchange rate is missing; no functional book is written.
    """
    entries = journal.entries()
    recorded = {line.key: line.recorded_at for line in books.journal()}
    locks = {close.month: close.locked_at for close in books.closes() if close.locked_at is not None}
    folder.mkdir(parents=True, exist_ok=True)
    second = functional_book(entries, entity, rates) if entity is not None else ()
    written = [write_beancount(folder, entries, recorded, locks), write_hledger(folder, entries)]
    if second:
        written += [write_beancount(folder, second, name="functional"), write_hledger(folder, second, "functional")]
    return tuple(written)


def focus_text(statements: Sequence[Statement], issuer: str) -> str:
    """Return statements as CSV in FOCUS columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in statements:
        writer.writerows(focus_rows(one, issuer))
    return text.getvalue()


def check(paths: Sequence[Path]) -> tuple[Checked, ...]:
    """Have the files checked by bean-check and hledger, each in a process of its own, where they are installed."""
    return tuple(_bean_check(path) if path.suffix == ".beancount" else _hledger(path) for path in paths)


def _bean_check(path: Path) -> Checked:
    program = shutil.which("bean-check") or shutil.which(str(Path(sys.executable).with_name("bean-check")))
    return _run(path, "bean-check", program, ("--no-cache", "--json", str(path)))


def _hledger(path: Path) -> Checked:
    return _run(path, "hledger", shutil.which("hledger"), ("-f", str(path), "check", *HLEDGER_CHECKS))


def _run(path: Path, name: str, program: str | None, arguments: Sequence[str]) -> Checked:
    if program is None:
        return Checked(path, name, None)
    done = subprocess.run((program, *arguments), capture_output=True, text=True, timeout=300, check=False)
    return Checked(path, name, done.returncode == 0, (done.stdout + done.stderr).strip())
