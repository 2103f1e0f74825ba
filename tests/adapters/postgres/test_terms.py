"""Terms in the database: rate versions in both times, contract versions, authorities."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from adapters.postgres.catalog import PostgresCatalog
from adapters.postgres.terms import PostgresTerms
from models.authority import Authority
from models.books import Conflict, FourEyes, OverlappingRates
from models.rate_card import RateVersion
from tests.adapters.postgres.rows import AT, a_contract, a_rate
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack


@pytest.fixture
def terms(fresh_database: Books) -> PostgresTerms:
    return PostgresTerms(fresh_database.as_role("worker"))


def spans(database: Books) -> list[tuple[str, str, bool]]:
    """Return every row of rate versions: start, end, and whether it is what is known now."""
    with database.connect("auditor") as connection:
        rows = connection.execute(
            "SELECT lower(effective)::date::text, coalesce(upper(effective)::date::text, '-'), upper_inf(recorded)"
            " FROM tieout.rate_versions ORDER BY position"
        ).fetchall()
    return [(str(start), str(end), bool(known)) for start, end, known in rows]


def bare(versions: tuple[RateVersion, ...]) -> tuple[RateVersion, ...]:
    """Return the versions without who approved them."""
    return tuple(one.bare() for one in versions)


def test_a_later_version_ends_the_one_before_it_and_what_was_known_stays(
    terms: PostgresTerms, fresh_database: Books
) -> None:
    march, june = a_rate("2026-03-01", "0.000123456789012345678901"), a_rate("2026-06-01", "2")
    assert terms.add_rates([march], "ann", "bob", AT) == 1
    assert terms.add_rates([march, june], "ann", "bob", AT + timedelta(days=1)) == 1
    assert bare(terms.rates()) == (march, june)
    assert bare(terms.rates(AT)) == (march,)
    assert terms.rates(AT - timedelta(days=1)) == ()
    assert spans(fresh_database) == [
        ("2026-03-01", "-", False),
        ("2026-03-01", "2026-06-01", True),
        ("2026-06-01", "-", True),
    ]


def test_a_version_between_two_ends_where_the_next_begins(terms: PostgresTerms, fresh_database: Books) -> None:
    terms.add_rates([a_rate("2026-01-01"), a_rate("2026-06-01")], "ann", "bob", AT)
    terms.add_rates([a_rate("2026-03-01", "3")], "ann", "bob", AT)  # the same instant: told apart by a microsecond
    assert [row[:2] for row in spans(fresh_database) if row[2]] == [
        ("2026-06-01", "-"),
        ("2026-01-01", "2026-03-01"),
        ("2026-03-01", "2026-06-01"),
    ]
    assert len(terms.rates(AT)) == 2


def test_another_version_of_the_same_start_is_refused(terms: PostgresTerms) -> None:
    terms.add_rates([a_rate("2026-03-01", "1")], "ann", "bob", AT)
    with pytest.raises(OverlappingRates):
        terms.add_rates([a_rate("2026-05-01"), a_rate("2026-03-01", "2")], "ann", "bob", AT)
    assert bare(terms.rates()) == (a_rate("2026-03-01", "1"),)
    assert terms.add_rates([a_rate("2026-03-01", "2", meter="sms.segments")], "ann", "bob", AT) == 1


def test_a_corrected_version_is_known_later_and_in_force_since_the_same_instant(
    terms: PostgresTerms, fresh_database: Books
) -> None:
    wrong, right = a_rate("2026-03-01", "0.0000025"), a_rate("2026-03-01", "0.00001")
    june = a_rate("2026-06-01", "1")
    terms.add_rates([wrong, june], "ann", "bob", AT)
    later = AT + timedelta(days=1)
    assert terms.add_rates([right], "cid", "dee", later, correcting=[wrong.fingerprint()]) == 1
    assert terms.add_rates([right], "cid", "dee", later + timedelta(days=1)) == 0  # the second time changes nothing
    assert bare(terms.rates()) == (right, june)
    assert bare(terms.rates(AT)) == (wrong, june)
    assert [one.approved_by for one in terms.rates()] == ["dee", "bob"]
    assert terms.proposers([], [right.id]) == {"ann", "cid"}  # whoever proposed the key, then or later
    catalog = PostgresCatalog(fresh_database.as_role("rates"))
    told = [
        (str(one.version.amount), one.recorded_until is None, one.approved_by)
        for one in catalog.timeline(right.subject)
    ]
    assert told == [("0.0000025", False, "bob"), ("0.00001", True, "dee"), ("1", True, "bob")]
    assert {one.effective_until for one in catalog.timeline(right.subject)} == {june.starts_at, None}
    assert [one.version for one in catalog.listed(at=wrong.starts_at)] == [right]
    assert [one.version for one in catalog.listed("list", wrong.starts_at, known_at=AT)] == [wrong]
    assert catalog.listed("other") == ()
    assert catalog.subject_of(right.id) == right.subject
    assert catalog.subject_of("nothing") is None


def test_only_the_version_that_was_seen_is_corrected(terms: PostgresTerms) -> None:
    terms.add_rates([a_rate("2026-03-01", "1")], "ann", "bob", AT)
    with pytest.raises(OverlappingRates):
        terms.add_rates(
            [a_rate("2026-03-01", "2")], "ann", "bob", AT, correcting=[a_rate("2026-03-01", "3").fingerprint()]
        )


def test_the_head_moves_with_every_change_and_tells_what_changed(terms: PostgresTerms, fresh_database: Books) -> None:
    catalog = PostgresCatalog(fresh_database.as_role("rates"))
    assert (catalog.head(), catalog.rows()) == (0, ())
    terms.add_rates([a_rate("2026-03-01"), a_rate("2026-03-01", meter="sms.segments")], "ann", "bob", AT)
    first = catalog.head()
    terms.add_rates([a_rate("2026-06-01", "2")], "ann", "bob", AT + timedelta(days=1))
    assert catalog.head() > first
    assert {one.version.meter for one in catalog.rows(first)} == {"call.minutes"}
    assert len(catalog.rows(first)) == 3  # as it was, its end, and the new one
    assert len(catalog.rows()) == 4


def test_the_database_refuses_overlaps_and_changes_by_itself(terms: PostgresTerms, fresh_database: Books) -> None:
    terms.add_rates([a_rate("2026-03-01")], "ann", "bob", AT)
    columns = (
        "version, subject, rate, meter, amount, per, currency, effective, recorded, fingerprint, body, proposed_by"
    )
    copy = (
        f"INSERT INTO tieout.rate_versions ({columns}, approved_by) SELECT {columns}, approved_by"
        " FROM tieout.rate_versions"
    )
    for statement, code in (
        (copy, "23P01"),
        ("UPDATE tieout.rate_versions SET amount = 0", "TIE01"),
        ("UPDATE tieout.rate_versions SET recorded = tstzrange('2020-01-01', NULL)", "TIE01"),
        ("DELETE FROM tieout.rate_versions", "TIE01"),
        ("TRUNCATE tieout.rate_versions", "TIE01"),
        ("TRUNCATE tieout.contracts", "TIE01"),
        ("TRUNCATE tieout.authorities", "TIE01"),
    ):
        with fresh_database.connect("owner") as connection, pytest.raises(psycopg.Error) as refusal:
            connection.execute(statement)
        assert refusal.value.sqlstate == code, statement


def test_19_nobody_approves_their_own_terms(terms: PostgresTerms, fresh_database: Books) -> None:
    with pytest.raises(FourEyes):
        terms.add_rates([a_rate("2026-03-01")], "ann", "ann", AT)
    with pytest.raises(FourEyes):
        terms.add_contract(a_contract(), "ann", "ann", AT)
    terms.add_contract(a_contract(), "ann", "bob", AT)
    with fresh_database.connect() as connection, pytest.raises(psycopg.errors.CheckViolation, match="four_eyes"):
        connection.execute(
            "INSERT INTO tieout.contracts (version, contract, customer, currency, effective_on, starts_on, ends_on,"
            " fingerprint, body, proposed_by, approved_by, recorded_at) SELECT 'v2', contract, customer, currency,"
            " effective_on, starts_on, ends_on, fingerprint, body, 'ann', 'ann', now() FROM tieout.contracts"
        )


def test_contract_versions_are_appended_once(terms: PostgresTerms) -> None:
    first, amended = a_contract(), a_contract(effective="2026-07-01")
    assert terms.add_contract(first, "ann", "bob", AT) == "acme-2026@2026-01-01"
    assert terms.add_contract(first, "eve", "bob", AT) == first.version
    terms.add_contract(amended, "ann", "bob", AT + timedelta(days=1))
    assert terms.contracts("acme") == (first, amended)
    assert terms.contracts("acme", AT) == (first,)
    with pytest.raises(Conflict):
        terms.add_contract(a_contract(name="Acme"), "ann", "bob", AT)


def test_the_population_is_who_has_a_contract_in_force_in_the_month(terms: PostgresTerms) -> None:
    terms.add_contract(a_contract("whole"), "ann", "bob", AT)
    terms.add_contract(a_contract("until-october", end="2026-10-01"), "ann", "bob", AT)
    terms.add_contract(a_contract("one-day", end="2026-10-02"), "ann", "bob", AT)
    terms.add_contract(a_contract("cut-short"), "ann", "bob", AT)
    terms.add_contract(a_contract("cut-short", effective="2026-05-01", end="2026-06-01"), "ann", "bob", AT)
    assert terms.population("2026-10") == ("one-day", "whole")
    assert terms.population("2025-12") == ()


def test_contracts_of_several_customers_are_read_at_once_as_each_alone(terms: PostgresTerms) -> None:
    first, later = a_contract(), a_contract(effective="2026-06-01")
    other = a_contract(contract="other-2026", customer="other")
    for one in (later, other, first):
        terms.add_contract(one, "ann", "bob", AT)
    asked = (first.customer, "other", "nobody")
    found = terms.contracts_by_customer(asked)
    assert found == {name: terms.contracts(name) for name in asked if name != "nobody"}
    assert [one.effective for one in found[first.customer]] == [first.effective, later.effective]


def test_an_added_contract_is_in_the_next_population(terms: PostgresTerms) -> None:
    assert terms.population("2026-10") == ()
    terms.add_contract(a_contract(), "ann", "bob", AT)
    assert terms.population("2026-10") == (a_contract().customer,)
    terms.add_contract(a_contract(contract="other-2026", customer="other"), "ann", "bob", AT)
    assert terms.population("2026-10") == tuple(sorted((a_contract().customer, "other")))


def test_a_contract_whose_appending_ends_after_a_later_one_s_is_in_the_next_population(
    terms: PostgresTerms, fresh_database: Books
) -> None:
    terms.add_contract(a_contract(), "ann", "bob", AT)
    columns = "currency, effective_on, starts_on, ends_on, fingerprint, body, proposed_by, approved_by, recorded_at"
    with fresh_database.connect("worker") as slow:
        slow.execute(
            f"INSERT INTO tieout.contracts (version, contract, customer, {columns})"
            f" SELECT 'slow-2026@1', 'slow-2026', 'slow', {columns} FROM tieout.contracts"
        )
        terms.add_contract(a_contract(contract="swift-2026", customer="swift"), "ann", "bob", AT)
        assert "slow" not in terms.population("2026-10")
        slow.commit()
    assert terms.population("2026-10") == tuple(sorted((a_contract().customer, "slow", "swift")))


def test_proposers_are_those_of_the_versions_and_of_the_authorities(terms: PostgresTerms) -> None:
    contract, rate = a_contract(), a_rate("2026-03-01")
    terms.add_contract(contract, "ann", "bob", AT)
    terms.add_rates([rate], "cid", "bob", AT)
    terms.declare(
        Authority.model_validate(
            {
                "order": ("clickhouse",),
                "tolerance": {"absolute": Decimal(0), "ratio": Decimal(0)},
                "declared_by": "dee",
                "reason": "table of record",
                "from": "2026-01-01",
            }
        ),
        AT,
    )
    assert terms.proposers([contract.version], [rate.id]) == {"ann", "cid", "dee"}
    assert terms.proposers([], []) == {"dee"}
    assert len(terms.authorities()) == 1
    assert terms.authorities(datetime(2026, 1, 1, tzinfo=UTC)) == ()
