"""Explanations: every line tells how its amount came about, so that it can be computed again from its rows alone."""

from decimal import Decimal

import pytest

from billing.rating.exact import exactly
from billing.rating.keys import key_of
from models.money import total
from models.statement import LineKind, RatedLine
from models.value import decimal_text
from tests.billing.rating.builders import MINUTES, D, a_contract, a_rate, minutes_at, of_kind, price, rated, tiers, used
from tests.explanation_reader import recomputed


def again(line: RatedLine) -> Decimal:
    """Return the line's amount, computed again from its rows alone."""
    return recomputed(
        (step.text, None if step.amount is None else decimal_text(step.amount)) for step in line.explanation.steps
    )


@pytest.mark.parametrize(
    "clause",
    [
        minutes_at("0.0333"),
        price(MINUTES, kind="unit", amount="1.02", per="3600"),
        price(MINUTES, kind="graduated", tiers=tiers(("700.5", "0.031"), (None, "0.0107"))),
        price(MINUTES, kind="volume", tiers=tiers(("700", "0.031"), (None, "0.0107"))),
        price(MINUTES, kind="pass_through", markup="0.075"),
    ],
)
@pytest.mark.parametrize("pool", [[], [{"id": "p", "amount": "7.77", "every": "year", "billing": "advance"}]])
def test_an_amount_is_computed_again_from_the_rows_alone(clause: dict[str, object], pool: list[dict[str, str]]) -> None:
    contract = a_contract(prices=[clause], commitments=pool)
    statement = rated(contract, used("1234.567"), rates=[a_rate(MINUTES, "2.50", per="100")])
    for line in of_kind(statement, LineKind.USAGE):
        assert again(line) == line.amount
        with exactly():
            assert line.explanation.rounding_residue == line.amount - line.precise_amount


def test_overage_shows_its_multiplier() -> None:
    pool = {"id": "p", "amount": "10.00", "every": "year", "billing": "advance", "overage": {"multiplier": "1.25"}}
    statement = rated(a_contract(prices=[minutes_at("1")], commitments=[pool]), used("14"))
    (line,) = of_kind(statement, LineKind.OVERAGE)
    assert again(line) == line.amount == D("5.00")
    assert "overage multiplier of p" in line.explanation.steps[1].text


def test_a_line_names_clause_version_source_rate_and_events() -> None:
    statement = rated(
        a_contract(prices=[price("llm.*", kind="pass_through", markup="0.08")]),
        used("1000", meter="llm.in", events=3, model="gpt-4o"),
        used("500", "2026-10-16T00:00:00Z", "llm.in", events=2, source="posthog", model="gpt-4o"),
        rates=[a_rate("llm.in", "2.50", per="1000000", model="gpt-4o")],
    )
    (line,) = statement.lines
    told = line.explanation
    assert (told.clause, told.contract_version) == ("llm.*", "acme-2026@2026-01-01")
    assert (told.source, told.events) == ("clickhouse+posthog", 5)
    assert told.rate_version == "list/llm.in[model=gpt-4o]@2026-01-01T00:00:00Z"
    assert told.rate_source == "notice of 2026-01-01, checked 2026-01-02"
    assert told.sentence == "1,500 llm.in by llm.*: 0.00 USD."


def test_every_unit_price_is_shown_with_all_its_digits() -> None:
    # lago #325: the unit price was shown rounded while the total was right
    statement = rated(a_contract(prices=[minutes_at("0.000000123456789")]), used("1000000"))
    assert "0.000000123456789" in statement.lines[0].explanation.steps[0].text


def test_a_draw_shows_the_pool_before_and_after() -> None:
    pool = {"id": "p", "amount": "10.00", "every": "year", "billing": "advance"}
    statement = rated(a_contract(prices=[minutes_at("1")], commitments=[pool]), used("4"))
    (draw,) = of_kind(statement, LineKind.POOL_DRAW)
    assert [step.text for step in draw.explanation.steps if step.amount is None] == [
        "p before: 10 opening + 0 granted",
        "p after: 0 expired, 6 left",
    ]
    assert again(draw) == -4
    assert total(part.amount for part in draw.applied) == 4


def test_line_ids_are_stable_from_month_to_month_and_tell_slices_apart() -> None:
    contract = a_contract(
        prices=[price(MINUTES, {"model": "a"}, kind="graduated", tiers=tiers(("10", "2"), (None, "1")))],
        commitments=[{"id": "p", "amount": "21.00", "every": "year", "billing": "advance"}],
    )
    ids = [line.id for line in of_kind(rated(contract, used("15", model="a")), LineKind.USAGE)]
    assert ids == [
        "usage/call.minutes/model/a/2026-01-01/t1/covered/p",
        "usage/call.minutes/model/a/2026-01-01/t2/covered/p",
        "usage/call.minutes/model/a/2026-01-01/t2",
    ]


def test_a_key_that_an_identifier_cannot_hold_is_told_apart_by_its_hash() -> None:
    assert key_of("usage", "model/GPT 4") != key_of("usage", "model/GPT-4")
    assert len(key_of("usage", "x" * 500)) == 128
    assert key_of("usage", "x" * 500) != key_of("usage", "x" * 501)


def test_many_dimensions_never_share_a_line_id() -> None:
    contract = a_contract(prices=[minutes_at("1")], invoice={"group_by": ["meter", "model"]})
    usage = [used("1", model=model) for model in ("a b", "a-b", "a/b", "é", "è", "x" * 200, "x" * 201)]
    assert len(rated(contract, *usage).lines) == 7


def test_three_thirds_are_one_before_they_are_rounded() -> None:
    """0.5815 in three parts of forty digits: their sum ends in nines; half away from zero it is 0.582 all the same."""
    third = "0.1938333333333333333333333333333333333333"
    rows = [(f"part {number}", third) for number in range(3)]
    assert recomputed([*rows, ("rounded once, half away from zero, to the minor unit of KWD", "0.582")]) == D("0.582")
