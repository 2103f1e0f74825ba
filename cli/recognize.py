"""tieout recognize: entries and balances from contracts and statements, offline, by the rules the close runs."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from adapters.files import MalformedFile, read_contract, read_opening, read_statement
from billing import invariants, invoicing, openings, posting, recognition
from cli.contract import opening_of
from cli.output import AsJson, money, print_json, print_table
from models.contract import Contract
from models.journal import Account, JournalEntry
from models.money import ZERO
from models.opening import Opening
from models.period import first_day, months_between
from models.refusal import Refusal
from models.revenue import RevenueSchedule
from models.statement import Statement


class EventsNotSupported(Refusal):
    """Credit notes, refunds, voids and terminations are not recognized from a file yet."""

    remedy = "Leave --events out; book what happened after the invoice as a correction."


class ContractMissing(Refusal):
    """A statement is of a contract that was not given, or of a version of it that was not."""

    remedy = "Give every version of the statement's contract with --contract."


class DoesNotTie(Refusal):
    """What was computed does not tie to itself."""

    remedy = "This is a fault of ours; keep the files and report them."


def recognize(
    contract: Annotated[list[Path], typer.Option(help="A contract version (YAML); repeat for each.")],
    statement: Annotated[list[Path], typer.Option(help="A statement (JSON), or a list of them; repeat for each.")],
    through: Annotated[str, typer.Option(help="The last accounting month, such as 2026-10.")],
    events: Annotated[Path | None, typer.Option(help="What happened after the invoices; not supported yet.")] = None,
    opening: Annotated[
        list[Path] | None, typer.Option(help="Where a contract taken over stood (YAML); repeat for each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recognize revenue: journal entries of every statement, and balances by account and period."""
    try:
        first_day(through)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--through") from error
    if events is not None:
        raise EventsNotSupported("events are not supported yet", file=events)
    contracts = [read_contract(path) for path in contract]
    statements = [one for path in statement for one in read_statements(path) if one.period <= through]
    taken = {}
    for path in opening or ():
        name = read_opening(path).contract
        taken[name] = opening_of(path, [one for one in contracts if one.contract == name])
    schedules, entries = recognized(contracts, statements, through, taken)
    balances = balances_of(entries, through)
    if as_json:
        print_json({"entries": entries, "balances": balances, "schedules": schedules})
        return
    rows = [(row["period"], row["currency"], row["account"], row["name"]) for row in balances]
    amounts = [money(Decimal(row["balance"]), row["currency"]) for row in balances]
    print_table(
        f"Balances through {through}, from {len(entries)} entries",
        ("period", "currency", "account", "name", "balance"),
        [(*row, amount) for row, amount in zip(rows, amounts, strict=True)],
        right=("balance",),
    )


def recognized(
    contracts: Sequence[Contract],
    statements: Sequence[Statement],
    through: str,
    openings_of: Mapping[str, Opening] | None = None,
) -> tuple[tuple[RevenueSchedule, ...], tuple[JournalEntry, ...]]:
    """Return schedules and entries of statements, by contract and month, and what is earned ahead up to `through`.

    Each statement is taken as issued in its own month. `openings_of` are the opening positions by contract: the entry
    of each comes first.

    Raises:
        ContractMissing, and whatever recognition refuses.
    """
    schedules: list[RevenueSchedule] = []
    entries: list[JournalEntry] = []
    for name in sorted({one.contract for one in statements}):
        versions = [one for one in contracts if one.contract == name]
        if not versions:
            raise ContractMissing("a statement's contract was not given", contract=name)
        opening = (openings_of or {}).get(name)
        entry = openings.entry_for(opening, versions) if opening is not None else None
        entries += [entry] if entry is not None else []
        own = sorted((one for one in statements if one.contract == name), key=lambda one: (one.period, one.revision))
        for place, one in enumerate(own):
            run = f"{one.period}@{one.revision}"
            schedule = recognition.schedule_for(one, own[:place], versions, opening)
            invoice = invoicing.invoice_for(one, one.revision)
            made = posting.entries_for(one, invoice, schedule, post_to=one.period, close_run=run)
            untied = invariants.broken(invariants.checks_of(one, invoice, schedule, made))
            if untied:
                raise DoesNotTie("a month does not tie", contract=name, period=one.period, check=untied[0])
            schedules.append(schedule)
            entries += made
        entries += posting.ahead_for(own[-1], schedules[-1], through)
    return tuple(schedules), tuple(sorted(entries, key=lambda entry: (entry.period, entry.contract)))


def balances_of(entries: Iterable[JournalEntry], through: str) -> list[dict[str, str]]:
    """Return each account's balance (debits less credits) at each period's end, by currency, period, account."""
    listed = list(entries)
    if not listed:
        return []
    rows = []
    for currency in sorted({entry.currency for entry in listed}):
        running: dict[Account, Decimal] = {}
        own = [entry for entry in listed if entry.currency == currency]
        for month in months_between(min(entry.period for entry in own), through):
            moved: dict[Account, Decimal] = {}
            for entry in own:
                if entry.period == month:
                    for line in entry.postings:
                        moved[line.account] = moved.get(line.account, ZERO) + line.amount
            for account, amount in moved.items():
                running[account] = running.get(account, ZERO) + amount
            rows += [
                {
                    "period": month,
                    "currency": currency,
                    "account": account.value,
                    "name": account.name.lower(),
                    "movement": f"{moved.get(account, ZERO):f}",
                    "balance": f"{running[account]:f}",
                }
                for account in sorted(running)
            ]
    return rows


def read_statements(path: Path) -> tuple[Statement, ...]:
    """Return the statements of a JSON file: one, or a list of them; raises MalformedFile."""
    if not path.is_file() or not path.read_text().lstrip().startswith("["):
        return (read_statement(path),)
    try:
        return TypeAdapter(tuple[Statement, ...]).validate_json(path.read_text())
    except ValidationError as error:
        first = error.errors()[0]
        raise MalformedFile(path, str(first["msg"]), key=".".join(map(str, first["loc"]))) from error
