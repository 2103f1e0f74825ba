"""Prices: each kind, worked out by hand."""

import pytest

from billing.rating.rates import NoRate, OverlappingRates
from billing.rating.usage import BucketStraddlesCut, EventsNeeded
from models.statement import LineKind
from tests.billing.rating.builders import (
    MINUTES,
    D,
    a_contract,
    a_rate,
    amounts,
    by_kind,
    minutes_at,
    of_kind,
    price,
    rated,
    tiers,
    used,
)

GRADUATED = price(MINUTES, kind="graduated", tiers=tiers(("1000", "0.02"), (None, "0.01")))


def test_a_unit_price_is_an_amount_for_so_many_units() -> None:
    contract = a_contract(prices=[price("stt.seconds", kind="unit", amount="1.02", per="3600")])
    assert amounts(rated(contract, used("5400", meter="stt.seconds"))) == ["1.53"]  # 5,400 / 3,600 x 1.02


def test_the_rated_line_is_rounded_not_each_of_its_hours() -> None:
    # 744 hours of 3.16 / 744 each: rounded by the hour it would be 744 x 0.00 or 2.99; it is 3.16.
    hours = [used("1", f"2026-10-{day:02}T{hour:02}:00:00Z") for day in range(1, 32) for hour in range(24)]
    contract = a_contract(prices=[price(MINUTES, kind="unit", amount="3.16", per="744")])
    assert amounts(rated(contract, *hours)) == ["3.16"]


@pytest.mark.parametrize(("currency", "expected"), [("JPY", "3"), ("USD", "2.50"), ("KWD", "2.500")])
def test_rounding_is_half_away_from_zero_to_the_currencys_minor_unit(currency: str, expected: str) -> None:
    contract = a_contract(currency=currency, prices=[minutes_at("2.5")])
    assert amounts(rated(contract, used("1"))) == [expected]  # half a yen goes up


def test_half_a_cent_goes_up_however_the_quantity_was_split() -> None:
    contract = a_contract(prices=[price(MINUTES, kind="unit", amount="0.005", per="3")])
    whole = rated(contract, used("3"))
    thirds = rated(contract, *(used("1", f"2026-10-0{day}T00:00:00Z") for day in (1, 2, 3)))
    assert amounts(whole) == amounts(thirds) == ["0.01"]  # 3 / 3 x 0.005 = 0.005


def test_graduated_prices_each_slice() -> None:
    statement = rated(a_contract(prices=[GRADUATED]), used("1500"))
    assert amounts(statement) == ["20.00", "5.00"]  # 1,000 x 0.02 and 500 x 0.01


def test_usage_exactly_at_the_bound_stays_in_the_lower_tier() -> None:
    statement = rated(a_contract(prices=[GRADUATED]), used("1000"))
    assert amounts(statement) == ["20.00"]


def test_a_quantity_between_integer_bounds_belongs_to_the_upper_tier() -> None:
    statement = rated(a_contract(prices=[GRADUATED]), used("1000.5"))
    assert amounts(statement) == ["20.00", "0.01"]  # 0.5 x 0.01 = 0.005, half away from zero


def test_volume_prices_all_units_at_the_tier_reached() -> None:
    clause = price("sms", kind="volume", tiers=tiers(("1000", "0.01"), (None, "0.008")))
    contract = a_contract(prices=[clause])
    assert amounts(rated(contract, used("1000", meter="sms"))) == ["10.00"]
    assert amounts(rated(contract, used("1001", meter="sms"))) == ["8.01"]  # 1,001 x 0.008 = 8.008


def test_package_counts_started_packages_whole() -> None:
    clause = price("numbers", kind="package", amount="5.00", size="10")
    statement = rated(
        a_contract(prices=[clause]),
        used("4", "2026-10-02T00:00:00Z", "numbers"),
        used("7", "2026-10-20T00:00:00Z", "numbers"),
    )
    assert amounts(statement) == ["10.00"]  # 11 units are 2 packages, not 1 + 1
    assert [line.billed_quantity for line in of_kind(statement, LineKind.USAGE)] == [2]


def test_package_rounds_down_when_it_says_so_and_leaves_free_units_out() -> None:
    down = price("numbers", kind="package", amount="5.00", size="10", round="down")
    assert amounts(rated(a_contract(prices=[down]), used("19", meter="numbers"))) == ["5.00"]
    free = price("numbers", kind="package", amount="5.00", size="10", free="10")
    assert amounts(rated(a_contract(prices=[free]), used("21", meter="numbers"))) == ["10.00"]  # 11 paid: 2 packages


def test_percentage_has_a_rate_and_a_fixed_part_for_each_event() -> None:
    clause = price("payments", kind="percentage", rate="0.029", fixed="0.30")
    statement = rated(a_contract(prices=[clause]), used("1000", meter="payments", events=4))
    assert amounts(statement) == ["30.20"]  # 1,000 x 0.029 + 4 x 0.30


def test_percentage_bounds_hold_for_each_event_its_fixed_part_included() -> None:
    clause = price("payments", kind="percentage", rate="0.10", fixed="0.50", min="1.00", max="5.00")
    events = (used(value, f"2026-10-0{day}T00:00:00Z", "payments") for day, value in ((1, "2"), (2, "20"), (3, "200")))
    # 0.70 is lifted to 1.00; 2.50 stays; 20.50 is lowered to 5.00
    assert amounts(rated(a_contract(prices=[clause]), *events)) == ["8.50"]


def test_free_events_pay_neither_part_and_are_the_first_in_time() -> None:
    clause = price("payments", kind="percentage", rate="0.10", fixed="1.00", free_events=1)
    late, early = used("50", "2026-10-09T00:00:00Z", "payments"), used("100", "2026-10-02T00:00:00Z", "payments")
    assert amounts(rated(a_contract(prices=[clause]), late, early)) == ["6.00"]  # 50 x 0.10 + 1.00


def test_a_price_for_single_events_refuses_a_bucket_of_several() -> None:
    clause = price("payments", kind="percentage", rate="0.10", min="1.00")
    with pytest.raises(EventsNeeded):
        rated(a_contract(prices=[clause]), used("50", meter="payments", events=2))


def test_cliffs_price_all_units_of_one_request_at_its_step() -> None:
    clause = price("llm.tokens", kind="cliffs", tiers=tiers(("200000", "1"), (None, "2"), per="1000000"))
    short = used("200000", "2026-10-01T00:00:00Z", "llm.tokens")
    long = used("300000", "2026-10-01T00:00:00Z", "llm.tokens")
    # 0.2 M x 1 and 0.3 M x 2; graduated tiers would give 0.2 + 0.2 + ...
    assert sorted(amounts(rated(a_contract(prices=[clause]), short, long))) == ["0.20", "0.60"]


def test_flat_is_one_amount_for_the_period_however_much_is_used() -> None:
    contract = a_contract(prices=[price("sso", kind="flat", amount="99.00")])
    usage = used("3", "2026-10-02T00:00:00Z", "sso"), used("9", "2026-10-21T00:00:00Z", "sso")
    assert amounts(rated(contract, *usage)) == ["99.00"]
    assert rated(contract).lines == ()  # no usage, no line


def test_units_are_converted_on_the_total_not_on_each_line() -> None:
    clause = minutes_at("0.10", convert={"divide": "60", "round": "up"})
    seconds = [used("30", f"2026-10-{day:02}T00:00:00Z") for day in range(1, 6)]
    # 150 s are 2.5 minutes, up to 3; rounded one by one they would be 5
    assert amounts(rated(a_contract(prices=[clause]), *seconds)) == ["0.30"]


def test_free_units_come_first_and_do_not_move_the_tiers() -> None:
    clause = price(MINUTES, kind="graduated", free="100", tiers=tiers(("10", "1"), (None, "0.5")))
    # 115 - 100 free = 15: 10 x 1 + 5 x 0.5
    assert amounts(rated(a_contract(prices=[clause]), used("115"))) == ["10.00", "2.50"]


def test_a_tier_sold_in_blocks_counts_started_blocks() -> None:
    steps = [{"up_to": "100", "amount": "3", "size": "30"}, {"up_to": None, "amount": "1"}]
    contract = a_contract(prices=[price(MINUTES, kind="graduated", tiers=steps)])
    assert amounts(rated(contract, used("31"))) == ["6.00"]  # 2 blocks of 30


def test_the_first_tiers_flat_part_is_owed_at_zero_usage() -> None:
    steps = [{"up_to": "10", "amount": "1", "flat": "7"}, {"up_to": None, "amount": "0.5", "flat": "2"}]
    contract = a_contract(prices=[price(MINUTES, kind="graduated", tiers=steps)])
    assert amounts(rated(contract)) == ["7.00"]
    assert amounts(rated(contract, used("0"))) == ["7.00"]
    assert amounts(rated(contract, used("4"))) == ["11.00"]  # 4 x 1 + 7
    assert amounts(rated(contract, used("12"))) == ["17.00", "3.00"]  # 10 x 1 + 7, then 2 x 0.5 + 2


def test_the_first_tiers_flat_part_is_not_owed_at_zero_when_the_contract_says_so() -> None:
    steps = [{"up_to": None, "amount": "1", "flat": "7"}]
    contract = a_contract(prices=[price(MINUTES, kind="graduated", tiers=steps, charge_flat_at_zero=False)])
    assert rated(contract).lines == ()
    assert amounts(rated(contract, used("1"))) == ["8.00"]


def test_volume_has_the_flat_part_of_the_tier_it_reaches() -> None:
    steps = [{"up_to": "10", "amount": "1", "flat": "7"}, {"up_to": None, "amount": "0.5", "flat": "2"}]
    contract = a_contract(prices=[price(MINUTES, kind="volume", tiers=steps)])
    assert amounts(rated(contract, used("12"))) == ["8.00"]  # 12 x 0.5 + 2
    assert amounts(rated(contract)) == ["7.00"]


def test_pass_through_is_the_list_price_at_the_instant_times_one_plus_the_markup() -> None:
    contract = a_contract(prices=[price("llm.*", kind="pass_through", markup="0.08")])
    rates = [a_rate("llm.input_tokens", "2.50", per="1000000", provider="openai", model="gpt-4o")]
    usage = used("2000000", meter="llm.input_tokens", provider="openai", model="gpt-4o")
    (line,) = rated(contract, usage, rates=rates).lines
    assert line.amount == D("5.40")  # 2 x 2.50 x 1.08
    assert line.explanation.rate_version == rates[0].id
    assert "notice of 2026-01-01" in str(line.explanation.rate_source)


def test_a_usage_without_a_clause_costs_the_list_price_of_the_contracts_card() -> None:
    contract = a_contract(rate_card="list-2026", prices=[])
    rates = [a_rate("tts.characters", "0.03", per="1000", card="list-2026"), a_rate("tts.characters", "99")]
    assert amounts(rated(contract, used("10000", meter="tts.characters"), rates=rates)) == ["0.30"]


def test_custom_prices_of_one_model_leave_the_other_models_at_list() -> None:
    where = {"provider": "openai", "model": "gpt-4o"}
    contract = a_contract(
        prices=[
            price("llm.input_tokens", where, kind="unit", amount="2.10", per="1000000"),
            price("llm.*", kind="pass_through", markup="0"),
        ]
    )
    rates = [a_rate("llm.*", "3", per="1000000")]
    custom = used("1000000", meter="llm.input_tokens", provider="openai", model="gpt-4o")
    other = used("1000000", meter="llm.input_tokens", provider="openai", model="gpt-4.1")
    assert amounts(rated(contract, custom, other, rates=rates)) == ["3.00", "2.10"]


def test_the_clause_with_most_dimensions_then_the_longest_pattern_then_the_latest_then_the_last_wins() -> None:
    def paid(*clauses: dict[str, object]) -> list[str]:
        return amounts(rated(a_contract(prices=list(clauses)), used("1", meter="llm.input", model="m", tier="x")))

    wide = price("llm.*", kind="unit", amount="1")
    assert paid(
        price("llm.*", {"model": "m"}, kind="unit", amount="2"), price("llm.input", kind="unit", amount="3")
    ) == ["2.00"]
    assert paid(price("llm.input", kind="unit", amount="3"), wide) == ["3.00"]
    assert paid(
        price("llm.input", None, "2026-09-01", kind="unit", amount="4"), price("llm.input", kind="unit", amount="3")
    ) == ["4.00"]
    assert paid(wide, price("llm.*", kind="unit", amount="5")) == ["5.00"]


def test_a_usage_nobody_prices_is_refused() -> None:
    with pytest.raises(NoRate, match="no rate version"):
        rated(a_contract(), used("1", meter="unknown"))


def test_a_rate_that_starts_later_does_not_price_earlier_usage() -> None:
    with pytest.raises(NoRate):
        rated(a_contract(prices=[]), used("1"), rates=[a_rate(MINUTES, "1", "2026-11-01T00:00:00Z")])


def test_two_rates_that_claim_one_usage_are_refused() -> None:
    rivals = [a_rate("llm", "1", provider="openai"), a_rate("llm", "2", model="gpt-4o")]
    with pytest.raises(OverlappingRates):
        rated(a_contract(prices=[]), used("1", meter="llm", provider="openai", model="gpt-4o"), rates=rivals)


def test_a_rate_change_in_the_month_gives_one_line_a_version_cut_at_its_instant() -> None:
    rates = [a_rate(MINUTES, "0.10"), a_rate(MINUTES, "0.08", "2026-10-14T10:17:00Z")]
    before = used("100", "2026-10-14T10:00:00Z", hours=17 / 60)
    after = used("100", "2026-10-14T10:17:00Z", hours=43 / 60)
    statement = rated(a_contract(prices=[]), before, after, rates=rates)
    assert amounts(statement) == ["10.00", "8.00"]
    assert [line.explanation.rate_version for line in statement.lines] == [rate.id for rate in rates]
    assert [(line.service_from.day, line.service_until.day) for line in statement.lines] == [(1, 15), (14, 1)]


def test_a_bucket_that_straddles_a_rate_change_is_refused() -> None:
    rates = [a_rate(MINUTES, "0.10"), a_rate(MINUTES, "0.08", "2026-10-14T10:17:00Z")]
    with pytest.raises(BucketStraddlesCut, match="straddles"):
        rated(a_contract(prices=[]), used("1", "2026-10-14T10:00:00Z"), rates=rates)


def test_the_tier_position_continues_over_a_price_change() -> None:
    old = price(MINUTES, kind="graduated", tiers=tiers(("1000", "0.02"), (None, "0.01")))
    new = price(MINUTES, None, "2026-10-16", kind="graduated", tiers=tiers(("1000", "0.03"), (None, "0.005")))
    statement = rated(
        a_contract(prices=[old, new]), used("600", "2026-10-10T00:00:00Z"), used("600", "2026-10-20T00:00:00Z")
    )
    # 600 x 0.02; then 400 x 0.03 up to the bound and 200 x 0.005 past it. A restart would price 600 x 0.03.
    assert amounts(statement) == ["12.00", "12.00", "1.00"]


def test_tiers_restart_at_a_price_change_only_when_the_contract_says_so() -> None:
    old = price(MINUTES, kind="graduated", tiers=tiers(("1000", "0.02"), (None, "0.01")))
    new = price(
        MINUTES,
        None,
        "2026-10-16",
        kind="graduated",
        restart_tiers_on_change=True,
        tiers=tiers(("1000", "0.03"), (None, "0.005")),
    )
    statement = rated(
        a_contract(prices=[old, new]), used("600", "2026-10-10T00:00:00Z"), used("600", "2026-10-20T00:00:00Z")
    )
    assert amounts(statement) == ["12.00", "18.00"]  # 600 x 0.02, then 600 x 0.03


def test_the_flat_part_of_a_tier_is_not_charged_again_under_a_new_version() -> None:
    steps = [{"up_to": "10", "amount": "1", "flat": "7"}, {"up_to": None, "amount": "0.5"}]
    clauses = [price(MINUTES, None, since, kind="graduated", tiers=steps) for since in (None, "2026-10-16")]
    usage = used("4", "2026-10-10T00:00:00Z"), used("4", "2026-10-20T00:00:00Z")
    assert amounts(rated(a_contract(prices=clauses), *usage)) == ["11.00", "4.00"]  # 4 + 7, then 4 alone


def test_every_version_of_several_in_one_month_counts() -> None:
    # killbill #2291: only the oldest of several price versions applied, silently
    rates = [a_rate(MINUTES, str(day), f"2026-10-{day:02}T00:00:00Z") for day in (1, 5, 9, 20)]
    usage = [used("1", f"2026-10-{day:02}T12:00:00Z") for day in (1, 5, 9, 20)]
    assert amounts(rated(a_contract(prices=[]), *usage, rates=rates)) == ["1.00", "5.00", "9.00", "20.00"]


def test_an_override_survives_an_amendment_that_keeps_it() -> None:
    # killbill #2066: the usage price override was ignored on a plan change
    first = a_contract(prices=[minutes_at("0.02")])
    second = a_contract(prices=[minutes_at("0.02")], effective="2026-10-16", invoice={"net_days": 45})
    rates = [a_rate(MINUTES, "9")]
    usage = used("100", "2026-10-10T00:00:00Z"), used("100", "2026-10-20T00:00:00Z")
    assert amounts(rated([first, second], *usage, rates=rates)) == ["2.00", "2.00"]


def test_a_package_is_priced_by_the_version_that_opened_it() -> None:
    old = price("numbers", kind="package", amount="5", size="10")
    new = price("numbers", None, "2026-10-16", kind="package", amount="6", size="10")
    usage = used("8", "2026-10-10T00:00:00Z", "numbers"), used("6", "2026-10-20T00:00:00Z", "numbers")
    # 14 units are 2 packages: the first opened at 5, the second, by the 11th unit, at 6
    assert amounts(rated(a_contract(prices=[old, new]), *usage)) == ["5.00", "6.00"]


def test_volume_over_a_price_change_uses_the_tier_of_the_whole_period_in_each_version() -> None:
    old = price(MINUTES, kind="volume", tiers=tiers(("1000", "0.02"), (None, "0.01")))
    new = price(MINUTES, None, "2026-10-16", kind="volume", tiers=tiers(("1000", "0.04"), (None, "0.03")))
    usage = used("600", "2026-10-10T00:00:00Z"), used("600", "2026-10-20T00:00:00Z")
    assert amounts(rated(a_contract(prices=[old, new]), *usage)) == ["6.00", "18.00"]  # 600 x 0.01, 600 x 0.03


def test_own_key_usage_costs_nothing_and_says_why() -> None:
    contract = a_contract(prices=[price("llm.*", kind="unit", amount="1")])
    statement = rated(contract, used("5", meter="llm.in", own_key="true"), used("2", meter="llm.in", own_key="false"))
    assert by_kind(statement) == {"usage": "2.00", "excluded": "0.00"}
    (own,) = of_kind(statement, LineKind.EXCLUDED)
    assert own.quantity == 5
    assert "own key" in own.explanation.sentence


def test_a_price_in_another_currency_is_converted_exactly_at_period_end_and_rounded_once() -> None:
    contract = a_contract(prices=[minutes_at("0.333", currency="EUR")], fx={"source": "ecb", "invoice_currency": "USD"})
    rates = [
        a_rate("fx.EUR", "1.05", "2026-09-30T00:00:00Z", card="ecb"),
        a_rate("fx.EUR", "1.10", "2026-10-31T12:00:00Z", card="ecb"),
    ]
    assert amounts(rated(contract, used("10"), rates=rates)) == ["3.66"]  # 3.33 EUR x 1.10 = 3.663


def test_a_missing_exchange_rate_is_refused() -> None:
    contract = a_contract(prices=[minutes_at("1", currency="EUR")], fx={"source": "ecb", "invoice_currency": "USD"})
    with pytest.raises(NoRate):
        rated(contract, used("1"))
    with pytest.raises(NoRate, match="no fx source"):
        rated(a_contract(prices=[minutes_at("1", currency="EUR")]), used("1"))
