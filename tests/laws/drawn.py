"""Contracts and usage drawn at random for the laws of rating: every clause of the file format, in any combination."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.contract import Contract
from models.usage import UsageLine
from tests.billing.rating.builders import MINUTES, D, a_contract, a_rate, price, tiers, used

MONTHS = ("2026-10", "2026-11")
QUICK_LOOP = os.environ.get("TIEOUT_QUICK_LOOP") == "true"
"""Whether this is `make check`: the loop of who is at work draws a fourth of each law's cases, `make test` all."""


def drawn_of(whole: int) -> int:
    """Return how many cases of a law are drawn here."""
    return -(-whole // 4) if QUICK_LOOP else whole


QUICK = drawn_of(50)
LONG = int(os.environ.get("TIEOUT_LAW_CASES", "1000"))
FIXED = "TIEOUT_LAW_CASES" not in os.environ
"""Without TIEOUT_LAW_CASES the same cases are drawn every time; with it so many new ones by law."""

RATES = [
    a_rate("llm.tokens", "2.50", per="1000000", provider="openai"),
    a_rate("llm.tokens", "1.75", "2026-10-14T10:17:00Z", per="1000000", provider="openai"),
    *(
        a_rate(f"fx.{code}", amount, card="ecb", currency=to, to=to)
        for code, to, amount in (
            ("USD", "EUR", "0.9137"),
            ("USD", "JPY", "151.33"),
            ("EUR", "USD", "1.0945"),
            ("JPY", "USD", "0.00661"),
            ("JPY", "EUR", "0.00604"),
            ("KWD", "EUR", "2.9713"),
            ("KWD", "USD", "3.2521"),
            ("EUR", "JPY", "165.61"),
            ("EUR", "KWD", "0.3366"),
            ("USD", "KWD", "0.3075"),
        )
    ),
]
EVERYTHING: dict[str, list[dict[str, Any]]] = {
    "commitments": [
        {"id": "pool", "amount": "1.37", "every": "year", "billing": "advance", "overage": {"multiplier": "1.25"}},
        {"id": "month", "amount": "0.61", "every": "month", "billing": "advance", "rollover": {"max": "0.20"}},
        {"id": "llm", "amount": "0.33", "every": "quarter", "billing": "advance", "scope": {"meters": ["llm.*"]}},
        {"id": "parts", "amount": "0.50", "every": "year", "billing": "advance", "installments": "month"},
        {
            "id": "own",
            "amount": "0.20",
            "every": "month",
            "billing": "advance",
            "scope": {"meters": [MINUTES], "fees": ["platform"]},
            "overage": {"prices": [price(MINUTES, kind="graduated", tiers=tiers(("9", "0.04"), (None, "0.03")))]},
        },
        {"id": "floor", "amount": "2.00", "every": "month", "billing": "arrears"},
        {"id": "wide", "amount": "4.00", "every": "quarter", "billing": "arrears", "counts_promotional": True},
        {"id": "week", "amount": "0.10", "every": "week", "billing": "arrears", "overage": {"multiplier": "2"}},
        {"id": "ramp", "ramp": ["0.50", "0.90"], "every": "month", "billing": "arrears", "counts_outward": False},
        {
            "id": "units",
            "units": "70",
            "meter": MINUTES,
            "every": "month",
            "billing": "arrears",
            "shortfall": {"unit_amount": "0.003"},
            "counts_prepaid": False,
        },
    ],
    "credits": [
        {"id": "gift", "kind": "promotional", "amount": "0.505", "effective": "2026-10-05", "expires": "2026-11-08"},
        {"id": "topup", "kind": "paid", "amount": "0.90", "cost": "0.80", "effective": "2026-10-12"},
        {"id": "refill", "kind": "promotional", "amount": "0.11", "effective": "2026-10-01", "every": "month"},
        {
            "id": "bank",
            "kind": "promotional",
            "amount": "40",
            "effective": "2026-10-03",
            "currency": {"code": "points", "digits": 1, "unit_amount": "0.007"},
        },
        {
            "id": "reset",
            "kind": "promotional",
            "amount": "0.09",
            "effective": "2026-10-02",
            "resets": [{"at": "2026-10-18", "preserve_overage": True}],
            "rollover": {"max": "0.04"},
        },
        {
            "id": "anchored",
            "kind": "promotional",
            "amount": "0.08",
            "effective": "2026-10-02",
            "every": "month",
            "anchor": 15,
            "rollover": {"max": "0.03", "expires_after": "week"},
        },
        {
            "id": "bonus",
            "kind": "promotional",
            "amount": "0.07",
            "effective": "2026-10-01",
            "pays_earlier_overage": True,
        },
        {"id": "fees", "kind": "promotional", "amount": "0.30", "effective": "2026-10-01", "scope": {"fees": "all"}},
    ],
    "entitlements": [
        {"id": "free", "meter": MINUTES, "included": "11.5", "rollover": {"max": "3"}},
        {"id": "model-a", "meter": "llm.*", "where": {"model": "a"}, "included": "30000", "every": "quarter"},
    ],
    "discounts": [
        {"id": "off", "percent": "7.5"},
        {"id": "cents", "amount": "0.13"},
        {"id": "minutes", "units": "6.5", "meter": MINUTES, "every": "quarter"},
        {"id": "early", "percent": "33", "scope": {"meters": ["llm.*"], "fees": ["platform"]}, "until": "2026-10-20"},
    ],
    "minimums": [{"id": "least", "amount": "0.40", "scope": {"meters": ["call.*"]}}],
    "maximums": [{"id": "most", "amount": "1.51"}, {"id": "quarterly", "amount": "2.50", "every": "quarter"}],
    "fees": [
        {"id": "platform", "amount": "0.77"},
        {"id": "seat", "amount": "0.31", "every": "quarter", "timing": "arrears", "prorate": "fixed_30"},
    ],
}
ADDITIVE: list[dict[str, Any]] = [
    {"kind": "unit", "amount": "0.007", "per": "3"},
    {"kind": "graduated", "tiers": tiers(("50", "0.031"), ("80", "0.02"), (None, "0.0105"))},
    {
        "kind": "graduated",
        "tiers": [{"up_to": "40", "amount": "0.3", "size": "9", "flat": "0.05"}, *tiers((None, "0.01"))],
    },
    {"kind": "volume", "tiers": tiers(("60", "0.03"), (None, "0.0201"))},
    {"kind": "volume", "over": "quarter", "free": "5", "tiers": tiers(("70", "0.03"), (None, "0.0201"), flat="0.02")},
    {"kind": "package", "amount": "0.35", "size": "7"},
    {"kind": "unit", "amount": "0.1", "convert": {"divide": "60", "round": "up"}},
    {"kind": "unit", "amount": "0.011", "currency": "EUR"},
    {"kind": "graduated", "over": "quarter", "tiers": tiers(("90", "0.013"), (None, "0.0077"))},
    {"kind": "percentage", "rate": "0.0123", "fixed": "0.011"},
    {"kind": "flat", "amount": "0.37"},
]
BY_EVENT: list[dict[str, Any]] = [
    {"kind": "percentage", "rate": "0.0123", "fixed": "0.011", "free_events": 2, "min": "0.05", "max": "0.31"},
    {"kind": "cliffs", "free": "12", "tiers": tiers(("9", "0.01"), (None, "0.02"), flat="0.03")},
]


@st.composite
def contracts(draw: st.DrawFn, by_event: bool = False, exchange: bool = True) -> Contract:
    """Draw a contract that begins in October, with clauses of every sort."""
    minutes = draw(st.sampled_from(ADDITIVE + BY_EVENT if by_event else ADDITIVE))
    prices = [price(MINUTES, **minutes), price("llm.*", kind="pass_through", markup="0.075")]
    if draw(st.booleans()):
        prices.append(price(MINUTES, None, "2026-10-20", **minutes))
    clauses = {name: [one for one in every if draw(st.integers(0, 2)) == 0] for name, every in EVERYTHING.items()}
    currency = draw(st.sampled_from(["USD", "USD", "KWD"]))
    invoice = draw(st.sampled_from([currency, currency, "EUR", "USD"])) if exchange else currency
    return a_contract(
        term={"start": draw(st.sampled_from(["2026-10-01", "2026-10-02"])), "end": "2027-10-01"},
        timezone=draw(st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"])),
        currency=currency,
        fx={"source": "ecb", "invoice_currency": invoice},
        prices=prices,
        tax=[{"rate": "0.0725", "jurisdiction": "X"}, {"rate": "0.01", "jurisdiction": "Y"}],
        invoice={"group_by": draw(st.sampled_from([["meter"], ["meter", "model"]]))},
        **_kept(clauses),
    )


def _kept(clauses: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return the clauses, with what begins before the term's second day begun on it."""
    clauses["credits"] = [{**one, "effective": max(one["effective"], "2026-10-02")} for one in clauses["credits"]]
    return clauses


@st.composite
def usages(draw: st.DrawFn, month: int = 10) -> list[UsageLine]:
    """Draw hours of usage of two meters and two models, away from the month's bounds in every zone and from 10:17."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        day, hour = draw(st.integers(3, 29)), draw(st.sampled_from([3, 9, 15, 21]))
        at = f"2026-{month}-{day:02}T{hour:02}:30:00Z"
        model = draw(st.sampled_from(["a", "b"]))
        quantity = str(draw(st.decimals("0", "40", places=2)))
        own_key = draw(st.sampled_from(["false", "false", "false", "true"]))
        if draw(st.booleans()):
            found.append(used(quantity, at, hours=0.5, model=model))
        else:
            tokens = str(D(quantity) * 10_000)
            found.append(used(tokens, at, "llm.tokens", hours=0.5, provider="openai", model=model, own_key=own_key))
    return found


def pieces(line: UsageLine, weights: Sequence[int]) -> list[UsageLine]:
    """Return the line split into parts of its half hour; the last one takes the rest, and is the event."""
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


cases = pytest.mark.parametrize("cases", [QUICK, pytest.param(LONG, marks=pytest.mark.slow)])
"""A few cases of each law in the quick loop, thousands among the slow tests."""


def holds(cases: int, law: Callable[..., None], *drawn: st.SearchStrategy[Any]) -> None:
    """Check a law against so many drawn cases: the same every time, unless TIEOUT_LAW_CASES asks for new ones."""
    fixed = FIXED or cases == QUICK
    slow_is_no_fault = [HealthCheck.too_slow]  # of a machine that does other things besides
    settings(
        max_examples=cases, derandomize=fixed, database=None, deadline=None, suppress_health_check=slow_is_no_fault
    )(given(*drawn)(law))()
