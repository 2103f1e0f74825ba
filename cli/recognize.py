"""tieout recognize: entries and balances from contracts and statements, offline, by the rules the close runs."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.files import (
    read_contract,
    read_entity,
    read_events,
    read_opening,
    read_prices,
    read_statements,
)
from billing import invariants, invoicing, openings, posting, recognition
from billing.events import entry_for, refuse_negative_liabilities
from billing.functional import functional_book
from billing.revenue_terms import RevenueTerms
from cli.contract import opening_of
from cli.output import AsJson, money, print_json, print_table
from models.contract import Contract
from models.entity import DEFAULT, Entity
from models.event import Estimate, Event, Termination
from models.journal import Account, JournalEntry
from models.money import ZERO, rounded
from models.opening import Opening
from models.period import first_day, month_of, months_between
from models.refusal import Refusal
from models.revenue import RevenueSchedule
from models.statement import Statement


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
    events: Annotated[
        Path | None, typer.Option(help="What no statement has: payments, estimates, terminations … (JSON lines).")
    ] = None,
    entity: Annotated[
        Path | None, typer.Option(help="The entity: functional currency and signed policies (YAML).")
    ] = None,
    prices: Annotated[Path | None, typer.Option(help="With --entity: exchange rates (YAML or JSON lines).")] = None,
    opening: Annotated[
        list[Path] | None, typer.Option(help="Where a contract taken over stood (YAML); repeat for each.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recognize revenue: journal entries of every statement and event, and balances by account and period."""
    try:
        first_day(through)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--through") from error
    contracts = [read_contract(path) for path in contract]
    statements = [one for path in statement for one in read_statements(path) if one.period <= through]
    happened = [one for one in read_events(events) if month_of(one.on) <= through] if events else []
    company = read_entity(entity) if entity else DEFAULT
    taken = {}
    for path in opening or ():
        name = read_opening(path).contract
        taken[name] = opening_of(path, [one for one in contracts if one.contract == name])
    schedules, entries = recognized(contracts, statements, through, taken, happened, company)
    told: dict[str, Any] = {"entries": entries, "balances": balances_of(entries, through), "schedules": schedules}
    if entity is not None:
        book = functional_book(entries, company, read_prices(prices) if prices else (), through)
        told["functional"] = {
            "currency": company.functional_currency,
            "entries": book,
            "balances": balances_of(book, through),
        }
        told["policies"] = [dict(zip(("policy", "value", "signed"), row, strict=True)) for row in company.standing()]
    if as_json:
        print_json(told)
        return
    _print_balances(f"Balances through {through}, from {len(entries)} entries", told["balances"])
    if entity is not None and any(one.currency != company.functional_currency for one in entries):
        _print_balances(f"In {company.functional_currency}", told["functional"]["balances"])


def _print_balances(title: str, balances: Sequence[Mapping[str, str]]) -> None:
    rows = [(row["period"], row["currency"], row["account"], row["name"]) for row in balances]
    amounts = [money(Decimal(row["balance"]), row["currency"]) for row in balances]
    print_table(
        title,
        ("period", "currency", "account", "name", "balance"),
        [(*row, amount) for row, amount in zip(rows, amounts, strict=True)],
        right=("balance",),
    )


def recognized(
    contracts: Sequence[Contract],
    statements: Sequence[Statement],
    through: str,
    openings_of: Mapping[str, Opening] | None = None,
    happened: Sequence[Event] = (),
    entity: Entity = DEFAULT,
) -> tuple[tuple[RevenueSchedule, ...], tuple[JournalEntry, ...]]:
    """Return schedules and entries of statements and events, by contract and month, and what is earned ahead.

    Each statement is taken as issued in its own month. `openings_of` are the opening positions by contract: the entry
    of each comes first. Nothing is earned ahead of a contract after it was terminated.

    Raises:
        ContractMissing, NegativeLiability, and whatever recognition refuses.
    """
    strangers = {one.contract for one in happened} - {one.contract for one in statements}
    if strangers:
        raise ContractMissing("an event is of a contract without statements", contract=", ".join(sorted(strangers)))
    schedules: list[RevenueSchedule] = []
    entries: list[JournalEntry] = []
    for name in sorted({one.contract for one in statements}):
        versions = [one for one in contracts if one.contract == name]
        if not versions:
            raise ContractMissing("a statement's contract was not given", contract=name)
        opening = (openings_of or {}).get(name)
        entry = openings.entry_for(opening, versions) if opening is not None else None
        booked = [entry] if entry is not None else []
        own = sorted((one for one in statements if one.contract == name), key=lambda one: (one.period, one.revision))
        events = sorted((one for one in happened if one.contract == name), key=lambda one: (one.on, one.id))
        estimates = [one for one in events if isinstance(one, Estimate)]
        for place, one in enumerate(own):
            schedule, made = _month(one, own[:place], versions, opening, entity, estimates)
            schedules.append(schedule)
            booked += made
        ends = [month_of(one.on) for one in events if isinstance(one, Termination)]
        booked += posting.ahead_for(own[-1], schedules[-1], min([through, *ends]))
        terms = RevenueTerms(versions, entity, estimates)
        for event in events:
            after = entry_for(event, booked, terms)
            booked += [after] if after is not None else []
        refuse_negative_liabilities(booked)
        entries += booked
    return tuple(schedules), tuple(sorted(entries, key=lambda entry: (entry.period, entry.contract)))


def _month(
    one: Statement,
    prior: Sequence[Statement],
    versions: Sequence[Contract],
    opening: Opening | None,
    entity: Entity,
    estimates: Sequence[Estimate],
) -> tuple[RevenueSchedule, tuple[JournalEntry, ...]]:
    run = f"{one.period}@{one.revision}"
    schedule = recognition.schedule_for(one, prior, versions, opening, entity, estimates)
    invoice = invoicing.invoice_for(one, one.revision)
    made = posting.entries_for(one, invoice, schedule, post_to=one.period, close_run=run)
    untied = invariants.broken(invariants.checks_of(one, invoice, schedule, made))
    if untied:
        raise DoesNotTie("a month does not tie", contract=one.contract, period=one.period, check=untied[0])
    return schedule, made


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
                    "movement": f"{rounded(moved.get(account, ZERO), currency):f}",
                    "balance": f"{rounded(running[account], currency):f}",
                }
                for account in sorted(running)
            ]
    return rows
