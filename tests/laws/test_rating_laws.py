"""Laws of rating: what holds for every contract and every usage."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.exact import exactly, settled
from billing.rating.windows import anchored
from models.contract import Contract
from models.money import ZERO, rounded, total
from models.statement import LineKind, RatedLine, Statement
from models.usage import UsageLine
from tests.billing.rating.builders import MINUTES, D, a_contract, a_rate, price, rated, through, tiers, used

RATES = [
    a_rate("llm.tokens", "2.50", per="1000000", provider="openai"),
    a_rate("llm.tokens", "1.75", "2026-10-14T10:17:00Z", per="1000000", provider="openai"),
]
MONTHS = ("2026-10", "2026-11")


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Draw a contract that begins in October, with clauses of every sort that can be combined."""
    minutes: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"kind": "unit", "amount": "0.007", "per": "3"},
                {"kind": "graduated", "tiers": tiers(("50", "0.031"), ("80", "0.02"), (None, "0.0105"))},
                {"kind": "volume", "tiers": tiers(("60", "0.03"), (None, "0.0201"))},
                {"kind": "package", "amount": "0.35", "size": "7"},
                {"kind": "unit", "amount": "0.1", "convert": {"divide": "60", "round": "up"}},
                {"kind": "graduated", "over": "quarter", "tiers": tiers(("90", "0.013"), (None, "0.0077"))},
            ]
        )
    )
    prices = [price(MINUTES, **minutes), price("llm.*", kind="pass_through", markup="0.075")]
    if draw(st.booleans()):
        prices.append(price(MINUTES, None, "2026-10-20", **minutes))
    optional: dict[str, list[dict[str, Any]]] = {
        "commitments": [
            {"id": "pool", "amount": "1.37", "every": "year", "billing": "advance", "overage": {"multiplier": "1.25"}},
            {"id": "month", "amount": "0.61", "every": "month", "billing": "advance", "rollover": {"max": "0.20"}},
            {"id": "llm", "amount": "0.33", "every": "quarter", "billing": "advance", "scope": {"meters": ["llm.*"]}},
            {"id": "floor", "amount": "2.00", "every": "month", "billing": "arrears"},
            {"id": "week", "amount": "0.10", "every": "week", "billing": "arrears", "overage": {"multiplier": "2"}},
        ],
        "credits": [
            {
                "id": "gift",
                "kind": "promotional",
                "amount": "0.505",
                "effective": "2026-10-05",
                "expires": "2026-11-08",
            },
            {"id": "topup", "kind": "paid", "amount": "0.90", "cost": "0.80", "effective": "2026-10-12"},
            {"id": "refill", "kind": "promotional", "amount": "0.11", "effective": "2026-10-01", "every": "month"},
        ],
        "entitlements": [{"id": "free", "meter": MINUTES, "included": "11.5", "rollover": {"max": "3"}}],
        "discounts": [{"id": "off", "percent": "7.5"}, {"id": "cents", "amount": "0.13"}],
        "minimums": [{"id": "least", "amount": "0.40", "scope": {"meters": ["call.*"]}}],
        "maximums": [{"id": "most", "amount": "1.51"}],
        "fees": [{"id": "platform", "amount": "0.77"}],
    }
    clauses = {name: [clause for clause in every if draw(st.booleans())] for name, every in optional.items()}
    zone = draw(st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]))
    return a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"},
        timezone=zone,
        prices=prices,
        tax={"rate": "0.0725", "jurisdiction": "X"},
        invoice={"group_by": draw(st.sampled_from([["meter"], ["meter", "model"]]))},
        **clauses,
    )


@st.composite
def usages(draw: st.DrawFn, month: int = 10) -> list[UsageLine]:
    """Draw hours of usage of two meters and two models, away from the month's bounds in every zone and from 10:17."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        day, hour = draw(st.integers(2, 29)), draw(st.sampled_from([3, 9, 15, 21]))
        at = f"2026-{month}-{day:02}T{hour:02}:30:00Z"
        model = draw(st.sampled_from(["a", "b"]))
        quantity = str(draw(st.decimals("0", "40", places=2)))
        if draw(st.booleans()):
            found.append(used(quantity, at, hours=0.5, model=model))
        else:
            tokens = str(D(quantity) * 10_000)
            found.append(used(tokens, at, "llm.tokens", hours=0.5, provider="openai", model=model))
    return found


def pieces(line: UsageLine, weights: Sequence[int]) -> list[UsageLine]:
    """Return the line split into parts of its half hour; the last one takes the rest."""
    step, whole, left = timedelta(minutes=30) / len(weights), sum(weights), line.quantity
    found = []
    for index, weight in enumerate(weights):
        last = index == len(weights) - 1
        part = left if last else (line.quantity * weight / whole).quantize(Decimal("0.000001"))
        left -= part
        changed = {
            "quantity": part,
            "starts_at": line.starts_at + index * step,
            "ends_at": line.starts_at + (index + 1) * step,
            "events": line.events if last else 0,
        }
        found.append(line.model_copy(update=changed))
    return found


def paid_of(statement: Statement, line: RatedLine) -> Decimal:
    """Return what was taken off a line and paid of it by pools and credits."""
    return total(part.amount for other in statement.lines for part in other.applied if part.line == line.id)


@given(contracts(), usages(), st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_splitting_buckets_changes_nothing(contract: Contract, usage: list[UsageLine], weights: list[int]) -> None:
    split = [piece for line in usage for piece in pieces(line, weights)]
    assert rated(contract, *split, rates=RATES) == rated(contract, *usage, rates=RATES)


@given(contracts(), usages(), st.randoms(use_true_random=False))
def test_the_order_of_usage_lines_changes_nothing(contract: Contract, usage: list[UsageLine], random: Any) -> None:
    shuffled = list(usage)
    random.shuffle(shuffled)
    assert rated(contract, *shuffled, rates=RATES).fingerprint() == rated(contract, *usage, rates=RATES).fingerprint()


@given(contracts(), usages(), usages(11))
def test_pools_roll_forward_and_no_line_is_paid_more_than_it_owes(
    contract: Contract, october: list[UsageLine], november: list[UsageLine]
) -> None:
    statements = through(contract, dict(zip(MONTHS, (october, november), strict=True)), RATES)
    left = {(one.id, one.window): one.closing for one in statements[0].pools if one.in_force}
    for one in statements[1].pools:
        if (one.id, one.window) in left:
            assert one.opening == left[one.id, one.window]
    for statement in statements:
        for line in statement.lines:
            if line.kind in (LineKind.USAGE, LineKind.OVERAGE, LineKind.FEE) and line.amount >= 0:
                assert paid_of(statement, line) <= line.amount
            if line.covered_by:
                assert paid_of(statement, line) == line.amount
            assert line.amount == rounded(line.amount, "USD")


@given(contracts(), usages(), usages(11))
def test_what_is_booked_of_a_pool_is_its_rounded_draw(
    contract: Contract, october: list[UsageLine], november: list[UsageLine]
) -> None:
    statements = through(contract, dict(zip(MONTHS, (october, november), strict=True)), RATES)
    booked: dict[str, Decimal] = {}
    for statement in statements:
        for line in statement.lines:
            if line.kind in (LineKind.POOL_DRAW, LineKind.CREDIT_DRAW):
                booked[str(line.grant)] = booked.get(str(line.grant), ZERO) - line.amount
    windows = {(one.id, one.window): one for statement in statements for one in statement.pools if one.in_force}
    for name, amount in booked.items():
        assert amount == total(one.booked_drawn for (pool, _), one in windows.items() if pool == name)


@given(contracts(), usages())
def test_usage_is_never_lost_or_rated_twice(contract: Contract, usage: list[UsageLine]) -> None:
    statement = rated(contract, *usage, rates=RATES)
    kinds = (LineKind.USAGE, LineKind.OVERAGE, LineKind.INCLUDED, LineKind.EXCLUDED)
    for meter in {line.meter for line in usage}:
        metered = total(line.quantity for line in usage if line.meter == meter)
        lines = [line for line in statement.lines if line.kind in kinds and line.meter == meter]
        with exactly():
            assert settled(total(line.quantity for line in lines), 30) == metered
        assert sum(line.explanation.events for line in lines) == sum(1 for line in usage if line.meter == meter)


@given(contracts(), usages())
def test_the_same_inputs_give_the_same_fingerprint(contract: Contract, usage: list[UsageLine]) -> None:
    again = Contract.from_text(contract.canonical())
    assert rated(contract, *usage, rates=RATES).fingerprint() == rated(again, *usage, rates=RATES).fingerprint()


@given(contracts(), usages())
def test_a_statement_reads_back_from_its_text(contract: Contract, usage: list[UsageLine]) -> None:
    statement = rated(contract, *usage, rates=RATES)
    assert Statement.from_text(statement.canonical()) == statement


@given(st.dates(), st.integers(0, 48), st.integers(0, 48))
@settings(max_examples=50)
def test_anchored_days_ascend(first: Any, one: int, more: int) -> None:
    if first.year < 9990:
        assert anchored(first, one) <= anchored(first, one + more)
