"""The law of openings: whoever takes a contract over bills and earns what he would had it been his all along."""

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing import invariants, openings, posting, recognition
from billing.pools import ledger_of
from billing.rating.statement import statement_for
from models.contract import Contract
from models.journal import JournalEntry
from models.opening import Opening
from models.period import months_between
from models.statement import LineKind, Statement
from models.usage import UsageLine
from tests.billing.rating.builders import a_contract, used
from tests.laws.drawn import drawn_of
from tests.statement_builders import an_invoice

MONTHS = tuple(months_between("2026-01", "2026-12"))
CLAUSES: dict[str, dict[str, Any]] = {
    "a yearly pool": {
        "commitments": [
            {"id": "year", "amount": "900.00", "every": "year", "billing": "advance", "overage": {"multiplier": "1.5"}}
        ]
    },
    "a quarterly pool that rolls over": {
        "commitments": [
            {
                "id": "quarter",
                "amount": "200.00",
                "every": "quarter",
                "billing": "advance",
                "rollover": {"max": "60.00", "expires_after": "month"},
            }
        ]
    },
    "a yearly floor": {
        "commitments": [
            {"id": "floor", "amount": "700.00", "every": "year", "billing": "arrears", "shortfall": "invoice"}
        ]
    },
    "credits": {
        "credits": [
            {"id": "paid", "kind": "paid", "amount": "333.00", "cost": "100.00", "effective": "2026-02-15"},
            {
                "id": "free",
                "kind": "promotional",
                "amount": "90.00",
                "effective": "2026-01-01",
                "expires": "2026-11-20",
                "priority": 60,
            },
        ]
    },
    "fees and included units": {
        "fees": [
            {"id": "platform", "amount": "99.99"},
            {"id": "support", "amount": "1000.00", "every": "year"},
            {"id": "audit", "amount": "77.77", "every": "quarter", "timing": "arrears"},
        ],
        "entitlements": [{"id": "free", "meter": "call.minutes", "included": "9000", "every": "year"}],
    },
    "a yearly cap and minimum": {
        "maximums": [{"id": "cap", "amount": "800.00", "every": "year"}],
        "minimums": [{"id": "least", "amount": "500.00", "every": "year"}],
    },
}


def the_months(
    contract: Contract, usage: dict[str, UsageLine], first: str, opening: Opening | None = None
) -> tuple[list[Statement], list[JournalEntry]]:
    """Return the statements and entries from a month to the year's end."""
    statements: list[Statement] = []
    entries: list[JournalEntry] = []
    for month in months_between(first, MONTHS[-1]):
        one = statement_for([contract], [usage[month]], [], month, statements, engine="test", opening=opening)
        schedule = recognition.schedule_for(one, statements, [contract], opening)
        entries += posting.entries_for(one, an_invoice(one), schedule, post_to=month)
        statements.append(one)
    return statements, entries


def the_opening(contract: Contract, before: list[Statement], first: str) -> Opening:
    """Return the opening position of a month, from the statements before it: what a former system would know."""
    schedule = recognition.schedule_for(before[-1], before[:-1], [contract])
    owed = {one.grant: one.closing for one in schedule.grants}
    start = f"{first}-01"
    rows: list[dict[str, Any]] = []
    ahead: list[dict[str, Any]] = []
    begins = {
        line.clause: line
        for one in before
        for line in one.lines
        if line.kind in (LineKind.FEE, LineKind.COMMITMENT)
        and line.service_from.isoformat() <= start < line.service_until.isoformat()
    }
    for line in begins.values():
        fee = line.kind is LineKind.FEE
        if fee or line.service_from.isoformat() == start:
            left = line.amount
            if fee:
                days, past = (
                    (line.service_until - line.service_from).days,
                    (date.fromisoformat(start) - line.service_from).days,
                )
                left -= (line.amount * past / days).quantize(Decimal("0.01"), "ROUND_HALF_UP")
            else:
                owed[line.clause] -= left
            span = {"from": line.service_from.isoformat(), "until": line.service_until.isoformat()}
            ahead.append({"id": line.clause, **span, "billed": line.amount, "deferred": left})
    for pool in before[-1].pools:
        ended = pool.window.ends_at.date().isoformat() <= start
        if not pool.in_force or (ended and not (pool.id == "quarter" and pool.closing)):
            continue
        window = [
            one
            for each in before
            for one in each.pools
            if one.in_force and one.window == pool.window and one.id == pool.id
        ]
        rows.append(
            {
                "id": pool.id,
                "carried": window[0].opening,
                "granted": sum((one.granted for one in window), Decimal(0)),
                "drawn": sum((one.drawn for one in window), Decimal(0)),
                "expired": sum((one.expired for one in window), Decimal(0)),
                "deferred": owed.get(pool.id, Decimal(0)),
            }
        )
    deferred = sum((one["deferred"] for one in (*rows, *ahead)), Decimal(0))
    return Opening.model_validate(
        {
            "schema": "tieout/opening/v1",
            "contract": contract.contract,
            "customer": contract.customer,
            "currency": contract.currency,
            "as_of": start,
            "evidence": [{"note": "the statements before"}],
            "pools": rows,
            "ahead": ahead,
            "balances": {"deferred": deferred, "unbilled": 0, "receivable": 0},
        }
    )


def lines(statement: Statement) -> list[tuple[str, str, Decimal]]:
    return [(line.kind.value, line.clause, line.amount) for line in statement.lines]


def booked(entries: list[JournalEntry]) -> dict[tuple[str, str], Decimal]:
    """Return what moved on each account in each month."""
    found: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        for one in entry.postings:
            place = (entry.period, one.account.value)
            found[place] = found.get(place, Decimal(0)) + one.amount
    return {place: amount for place, amount in found.items() if amount}


@given(
    st.sampled_from(sorted(CLAUSES)),
    st.lists(st.integers(0, 4000), min_size=12, max_size=12),
    st.integers(2, 12),
)
@settings(max_examples=drawn_of(60), deadline=None)
def test_taking_over_at_any_month_changes_nothing_that_is_billed_or_earned_after_it(
    clauses: str, minutes: list[int], taken_in: int
) -> None:
    contract = a_contract(**CLAUSES[clauses])
    usage = {month: used(str(count), f"{month}-10T00:00:00Z") for month, count in zip(MONTHS, minutes, strict=True)}
    first = f"2026-{taken_in:02}"
    whole, entries = the_months(contract, usage, MONTHS[0])
    before = [one for one in whole if one.period < first]
    opening = the_opening(contract, before, first)
    taken, entries_after = the_months(contract, usage, first, opening)
    after = [one for one in whole if one.period >= first]
    assert [one.total for one in taken] == [one.total for one in after]
    assert [lines(one) for one in taken] == [lines(one) for one in after]
    assert [one.pools for one in taken] == [one.pools for one in after]
    assert booked(entries_after) == booked([entry for entry in entries if entry.period >= first])
    for ledger in (ledger_of(whole), ledger_of(taken, opening, [contract])):
        assert invariants.broken(invariants.pools_follow(ledger)) == ()
    entry = openings.entry_for(opening, [contract])
    left = booked([one.model_copy(update={"period": "x"}) for one in entries if one.period < first])
    for account in ("2100", "2110"):
        postings = entry.postings if entry else ()
        opened = sum((one.amount for one in postings if one.account.value == account), Decimal(0))
        assert opened == left.get(("x", account), Decimal(0))
