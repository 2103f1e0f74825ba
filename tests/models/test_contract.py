"""Contract: what a version says, and every inconsistency that is refused."""

import json
from datetime import date
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from models.contract import Contract, Scope
from models.price import Tier

OPEN = {"up_to": None, "amount": "1"}
BASE: dict[str, Any] = {
    "schema": "tieout/contract/v1",
    "contract": "acme-2026",
    "customer": "acme",
    "currency": "USD",
    "timezone": "America/Los_Angeles",
    "term": {"start": "2026-01-01", "end": "2027-01-01"},
}
FULL: dict[str, Any] = {
    **BASE,
    "name": "Acme Inc.",
    "email": "billing@acme.example",
    "invoice": {"net_days": 45, "purchase_order": "PO-7781", "group_by": ["meter", "model"]},
    "rate_card": "list-2026",
    "prices": [
        {"meter": "llm.in", "where": {"own_key": True}, "price": {"kind": "unit", "amount": "2.10", "per": 1000000}},
        {"meter": "llm.*", "price": {"kind": "pass_through", "markup": "0.08"}},
        {"meter": "call", "price": {"kind": "graduated", "over": "month", "tiers": [{"up_to": None, "amount": "1"}]}},
        {"meter": "sms", "price": {"kind": "volume", "tiers": [{"up_to": None, "amount": "1"}]}},
        {"meter": "numbers", "price": {"kind": "package", "amount": "5.00", "size": 10, "free": 0}},
        {"meter": "pay", "price": {"kind": "percentage", "rate": "0.029", "fixed": "0.30", "min": None, "max": None}},
        {"meter": "sso", "price": {"kind": "flat", "amount": "9"}},
        {"meter": "big", "price": {"kind": "cliffs", "tiers": [{"up_to": None, "amount": "1"}]}},
    ],
    "fees": [{"id": "platform", "amount": "2000.00", "every": "month", "timing": "advance", "prorate": "actual_days"}],
    "entitlements": [{"id": "minutes", "meter": "call", "included": 5000, "every": "month", "rollover": {"max": 0}}],
    "commitments": [
        {
            "id": "llm-year",
            "amount": "120000.00",
            "every": "year",
            "scope": {"meters": ["llm.*"]},
            "billing": "advance",
            "shortfall": "forfeit",
            "overage": {"multiplier": "1.25"},
            "rollover": {"max": "10000.00", "expires_after": "month"},
            "breakage": "remote",
        },
        {"id": "floor", "amount": "8000.00", "every": "month", "scope": "all", "billing": "arrears"},
    ],
    "credits": [
        {"id": "topup", "kind": "paid", "amount": "20000.00", "cost": "18000.00", "effective": "2026-03-15"},
        {"id": "bonus", "kind": "promotional", "amount": "1", "effective": "2026-03-15", "bundled_with": "topup"},
    ],
    "discounts": [{"id": "d1", "percent": "10", "scope": {"meters": ["tts.*"]}, "until": "2026-04-01"}],
    "minimums": [{"id": "m1", "amount": "1000.00", "every": "month", "scope": {"meters": ["call.*"]}}],
    "maximums": [{"id": "x1", "amount": "90000.00", "every": "month", "scope": "all"}],
    "fx": {"source": "ecb", "invoice_currency": "USD"},
    "tax": {"rate": "0", "jurisdiction": "US-CA"},
    "limits": {"backdating_days": 35},
    "approval": {"risk": "high"},
}


def a(**clauses: Any) -> Contract:
    return Contract.model_validate({**BASE, **clauses})


def test_a_version_is_named_by_contract_and_the_day_it_takes_effect() -> None:
    assert a().version == "acme-2026@2026-01-01"
    assert a(effective="2026-07-01").version == "acme-2026@2026-07-01"


def test_every_clause_reads_and_reads_back_with_the_same_fingerprint() -> None:
    contract = Contract.model_validate(FULL)
    assert Contract.from_text(contract.canonical()).fingerprint() == contract.fingerprint()
    assert (contract.term.starts_on, contract.invoice.net_days, contract.approval.risk) == (
        date(2026, 1, 1),
        45,
        "high",
    )
    assert contract.tax[0].jurisdiction == "US-CA"
    assert contract.prices[0].where == {"own_key": "true"}


def test_the_schema_takes_what_the_model_takes() -> None:
    jsonschema.validate(json.loads(json.dumps(FULL)), Contract.model_json_schema())


def test_a_day_is_midnight_in_the_contracts_zone_and_an_instant_is_itself() -> None:
    contract = a(credits=[{"id": "c", "kind": "paid", "amount": "1", "effective": "2026-03-15T10:00:00+05:30"}])
    assert contract.instant(date(2026, 7, 1)).isoformat() == "2026-07-01T07:00:00+00:00"
    assert contract.instant(contract.credits[0].effective).utcoffset() is not None
    assert "2026-03-15T04:30:00Z" in contract.canonical()


def test_a_scope_narrows_by_meter_model_and_tag() -> None:
    scope = Scope.model_validate({"meters": ["llm.*"], "models": ["gpt-*"], "tags": {"team": ["a", "b"]}})
    assert scope.holds("llm.in", {"model": "gpt-4o", "team": "a"})
    assert not scope.holds("tts.in", {"model": "gpt-4o", "team": "a"})
    assert not scope.holds("llm.in", {"model": "o3", "team": "a"})
    assert not scope.holds("llm.in", {"model": "gpt-4o"})
    assert Scope.model_validate({"tags": ["beta"]}).holds("x", {"tag": "beta"})
    assert not Scope.model_validate({"meters": []}).holds("x", {})
    assert Scope().holds("x", {})
    assert not Scope().holds_fee("platform")
    assert Scope.model_validate({"fees": "all"}).holds_fee("platform")


def fee(**more: Any) -> dict[str, Any]:
    return {"id": "f", "amount": "1", **more}


def commitment(**more: Any) -> dict[str, Any]:
    return {"id": "c", "amount": "1", "every": "month", "billing": "arrears", **more}


def credit(**more: Any) -> dict[str, Any]:
    return {"id": "c", "kind": "promotional", "amount": "1", "effective": "2026-02-01", **more}


def graduated(*tiers: dict[str, Any]) -> dict[str, Any]:
    return {"meter": "m", "price": {"kind": "graduated", "tiers": list(tiers)}}


@pytest.mark.parametrize(
    ("clauses", "words"),
    [
        ({"surprise": 1}, "Extra inputs"),
        ({"schema": "tieout/contract/v2"}, "tieout/contract/v1"),
        ({"timezone": "Mars/Olympus"}, "expected a time zone"),
        ({"currency": "USDX"}, "ISO 4217"),
        ({"term": {"start": "2026-01-01", "end": "2026-01-01"}}, "not after its start"),
        ({"effective": "2027-01-01"}, "outside the term"),
        ({"fees": [fee(amount=20.5)]}, "a float has already lost digits"),
        ({"fees": [fee(amount="NaN")]}, "finite"),
        ({"fees": [fee(amount="-1")]}, "zero or more"),
        ({"fees": [fee(), fee()]}, "is taken"),
        ({"fees": [fee(id="usage")]}, "is taken"),
        ({"fees": [fee()], "credits": [credit(id="f")]}, "is taken"),
        ({"fees": [fee(every="fortnight")]}, "'week', 'month', 'quarter', 'year' or 'term'"),
        ({"prices": [{"meter": "m", "price": {"kind": "mystery"}}]}, "does not match any of the expected tags"),
        ({"prices": [graduated()]}, "at least one step"),
        (
            {"prices": [{"meter": "m", "price": {"kind": "volume", "over": "week", "tiers": [OPEN]}}]},
            "'month', 'quarter', 'year' or 'term'",
        ),
        ({"prices": [graduated({"up_to": "5", "amount": "1"})]}, "must be open"),
        (
            {"prices": [graduated(*({"up_to": up, "amount": "1"} for up in ("5", "5", None)))]},
            "must ascend",
        ),
        (
            {"prices": [graduated(*({"up_to": up, "amount": "1"} for up in (None, None)))]},
            "only the last tier may be open",
        ),
        ({"prices": [{"meter": "m", "price": {"kind": "pass_through", "markup": "-2"}}]}, "makes the price negative"),
        ({"prices": [{"meter": "m", "price": {"kind": "pass_through", "currency": "EUR"}}]}, "currency of its rate"),
        ({"prices": [{"meter": "m", "price": {"kind": "unit", "amount": "1", "per": "0"}}]}, "more than zero"),
        (
            {"prices": [{"meter": "m", "price": {"kind": "unit", "amount": "1", "convert": {"digits": 2}}}]},
            "`round` must say how",
        ),
        (
            {"prices": [{"meter": "m", "price": {"kind": "percentage", "rate": "1", "min": "2", "max": "1"}}]},
            "min 2 is above max 1",
        ),
        (
            {"prices": [{"meter": "m", "from": "2027-01-01", "price": {"kind": "flat", "amount": "1"}}]},
            "after the term",
        ),
        ({"prices": [{"meter": "no spaces", "price": {"kind": "flat", "amount": "1"}}]}, "pattern such as"),
        ({"commitments": [commitment(amount=None)]}, "promises one of"),
        ({"commitments": [commitment(units="5", meter="m")]}, "promises one of"),
        ({"commitments": [commitment(amount=None, units="5")]}, "belong together"),
        ({"commitments": [commitment(amount=None, units="5", meter="m", billing="advance")]}, "promised in arrears"),
        ({"commitments": [commitment(amount=None, units="5", meter="m", shortfall="invoice")]}, "needs a price"),
        ({"commitments": [commitment(shortfall={"unit_amount": "1"})]}, "this one is in money"),
        ({"commitments": [commitment(billing="advance", shortfall="invoice")]}, "paid already"),
        ({"commitments": [commitment(rollover={"max": "1"})]}, "belong to a prepaid"),
        ({"commitments": [commitment(overage={})]}, "either a `multiplier` or `prices`"),
        ({"entitlements": [{"id": "e", "meter": "m", "included": 1, "rollover": {"min": 2, "max": 1}}]}, "above max"),
        ({"credits": [credit(effective="2025-12-31")]}, "outside the term"),
        ({"credits": [credit(effective="2027-01-01")]}, "outside the term"),
        ({"credits": [credit(expires="2026-02-01")]}, "not after it is effective"),
        ({"credits": [credit(expires="2026-01-31T00:00:00Z")]}, "not after it is effective"),
        ({"credits": [credit(effective="2026-02-01T00:00:00")]}, "with its zone"),
        ({"credits": [credit(effective="soon")]}, "expected a date"),
        ({"credits": [credit(cost="1")]}, "nothing is paid"),
        ({"credits": [credit(anchor=5)]}, "say how often"),
        ({"credits": [credit(bundled_with="nothing")]}, "which is no paid credit"),
        ({"discounts": [{"id": "d"}]}, "one of `percent`, `amount` and `units`"),
        ({"discounts": [{"id": "d", "units": "1"}]}, "names its `meter`"),
        ({"discounts": [{"id": "d", "percent": "101"}]}, "less than or equal to 100"),
        ({"tax": [{"rate": "0", "jurisdiction": "A"}, {"rate": "1", "jurisdiction": "A"}]}, "same jurisdiction"),
        ({"invoice": {"anchor": 32}}, "less than or equal to 31"),
    ],
)
def test_what_does_not_hold_together_is_refused(clauses: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words.replace("(", r"\(")):
        a(**clauses)


def test_a_tier_says_what_it_costs() -> None:
    assert Tier.model_validate({"up_to": None, "amount": "1"}).per == 1
