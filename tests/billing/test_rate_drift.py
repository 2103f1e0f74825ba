"""Drift: a table's prices against the catalog's, as proposals with both values."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from billing import rate_drift
from models.price_table import Listing
from models.rate_card import RateVersion
from models.rate_change import ChangeKind, RateProposal

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
AS_OF = datetime(2026, 11, 24, tzinfo=UTC)


def a_version(start: str, amount: str, per: str = "1000000", meter: str = "llm.input_tokens") -> RateVersion:
    return RateVersion(
        rate="list",
        meter=meter,
        where={"model": "m"},
        starts_at=datetime.fromisoformat(f"{start}T00:00:00Z"),
        amount=Decimal(amount),
        per=Decimal(per),
        currency="USD",
        source="somewhere",
        checked_on=date(2026, 11, 24),
    )


def listing(*versions: RateVersion, dated: bool = True) -> Listing:
    return Listing(table="t", dated=dated, as_of=AS_OF, versions=versions)


def found(catalog: list[RateVersion], table: Listing) -> list[tuple[str, str, ChangeKind, str | None]]:
    return [
        (
            one.version.starts_at.date().isoformat(),
            str(one.version.amount),
            one.kind,
            str(one.known.amount) if one.known else None,
        )
        for one in rate_drift.proposals(catalog, table, SINCE)
    ]


def test_one_price_in_two_units_is_no_difference() -> None:
    per_token = a_version("2026-01-01", "0.0000025", per="1")
    assert found([a_version("2026-01-01", "2.5")], listing(per_token)) == []


def test_the_last_digit_of_a_float_is_a_difference_and_survives() -> None:
    listed = a_version("2026-01-01", "0.00000012999000000000001", per="1")
    (one,) = rate_drift.proposals([a_version("2026-01-01", "0.12999")], listing(listed), SINCE)
    assert RateProposal.from_text(one.canonical()).version.amount == Decimal("0.00000012999000000000001")


def test_a_later_start_in_the_table_is_proposed_beside_what_is_in_force() -> None:
    table = listing(a_version("2026-01-01", "2"), a_version("2026-06-01", "3"))
    assert found([a_version("2026-01-01", "2")], table) == [("2026-06-01", "3", ChangeKind.LATER, "2")]


def test_another_price_at_the_same_start_is_a_correction_of_that_version() -> None:
    assert found([a_version("2026-01-01", "2")], listing(a_version("2026-01-01", "8"))) == [
        ("2026-01-01", "8", ChangeKind.CORRECTION, "2")
    ]


def test_a_version_the_table_never_had_is_seen_at_its_own_start() -> None:
    ours = [a_version("2026-01-01", "2"), a_version("2026-06-01", "3")]
    assert found(ours, listing(a_version("2025-01-01", "2"))) == [("2026-06-01", "2", ChangeKind.CORRECTION, "3")]


def test_a_start_before_the_catalog_counts_from_where_the_catalog_begins_the_last_one_first() -> None:
    table = listing(a_version("2025-01-01", "9"), a_version("2025-06-01", "5"))
    assert found([a_version("2026-01-01", "2")], table) == [("2026-01-01", "5", ChangeKind.CORRECTION, "2")]
    assert found([a_version("2026-01-01", "5")], table) == []


def test_a_table_without_dates_is_compared_at_the_instant_it_was_read() -> None:
    ours = [a_version("2026-01-01", "2"), a_version("2026-06-01", "3")]
    said = a_version("2026-11-24", "2")
    assert found(ours, listing(said, dated=False)) == [("2026-11-24", "2", ChangeKind.LATER, "3")]
    later = said.model_copy(update={"starts_at": datetime(2026, 12, 24, tzinfo=UTC)})
    december = Listing(table="t", dated=False, as_of=later.starts_at, versions=(later,))
    (first,), (again,) = (rate_drift.proposals(ours, one, SINCE) for one in (listing(said, dated=False), december))
    assert first.id == again.id  # the same difference read a month later is the same item


def test_a_rate_the_catalog_does_not_have_is_a_first_one() -> None:
    output = a_version("2026-01-01", "10", meter="llm.output_tokens")
    assert found([a_version("2026-01-01", "2")], listing(output)) == [("2026-01-01", "10", ChangeKind.FIRST, None)]


def test_two_tables_that_disagree_are_two_items_with_a_value_each() -> None:
    ours = [a_version("2026-01-01", "2")]
    one = rate_drift.proposals(ours, listing(a_version("2026-01-01", "3")), SINCE)[0]
    other_table = Listing(table="other", dated=True, as_of=AS_OF, versions=(a_version("2026-01-01", "4"),))
    other = rate_drift.proposals(ours, other_table, SINCE)[0]
    assert one.id != other.id
    assert {one.version.amount, other.version.amount} == {Decimal(3), Decimal(4)}  # never 3.5


def test_what_the_catalog_says_already_is_no_proposal() -> None:
    with pytest.raises(ValidationError, match="says so already"):
        RateProposal(table="t", version=a_version("2026-06-01", "2"), known=a_version("2026-01-01", "2"))


def test_beside_replaces_the_version_of_the_same_key() -> None:
    first, second = a_version("2026-01-01", "2"), a_version("2026-06-01", "3")
    right = a_version("2026-01-01", "8")
    assert {one.amount for one in rate_drift.beside([first, second], right)} == {Decimal(8), Decimal(3)}
    assert rate_drift.known_beside([first, second], a_version("2026-07-01", "1")) == second
    assert rate_drift.known_beside([first], a_version("2025-07-01", "1")) is None
