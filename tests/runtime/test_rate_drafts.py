"""A rate as a form says it: one difference to the catalog, or a refusal that names the field."""

from decimal import Decimal

import pytest

from models.rate_change import ChangeKind
from runtime.rate_drafts import NotARate, SaidAlready, proposal_of
from tests.adapters.postgres.rows import a_rate

SAID = {
    "rate": "list",
    "meter": "call.minutes",
    "where": "",
    "from": "2026-10-01T00:00:00Z",
    "amount": "0.05",
    "per": "1",
    "currency": "USD",
    "source": "https://example.com/prices",
    "checked_on": "2026-10-02",
}


def test_a_draft_is_shown_beside_what_the_catalog_says_there() -> None:
    before, same = a_rate("2026-09-01", "0.04"), a_rate("2026-10-01", "0.04")
    assert proposal_of(SAID, []).kind is ChangeKind.FIRST
    assert proposal_of(SAID, [before]).kind is ChangeKind.LATER
    correction = proposal_of(SAID, [before, same])
    assert (correction.kind, correction.known) == (ChangeKind.CORRECTION, same.bare())
    assert correction.version.amount == Decimal("0.05")


def test_dimensions_are_names_and_values() -> None:
    drafted = proposal_of({**SAID, "where": " provider=openai, model=gpt-4o "}, [])
    assert drafted.version.where == {"provider": "openai", "model": "gpt-4o"}


def test_an_instant_that_a_browser_gives_is_meant_in_utc() -> None:
    assert proposal_of({**SAID, "from": "2026-10-01T00:00"}, []).version.id.endswith("@2026-10-01T00:00:00Z")


def test_what_the_catalog_says_already_is_not_proposed() -> None:
    with pytest.raises(SaidAlready, match=r"rate=list/call\.minutes@2026-10-01"):
        proposal_of({**SAID, "amount": "50", "per": "1000"}, [a_rate("2026-10-01", "0.05")])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("rate", ""),
        ("meter", "a meter"),
        ("where", "provider"),
        ("where", "a=1, a=2"),
        ("from", "yesterday"),
        ("amount", "-1"),
        ("amount", "1,000"),
        ("amount", "NaN"),
        ("per", "0"),
        ("currency", "dollars"),
        ("source", " "),
        ("checked_on", "2026-13-01"),
    ],
)
def test_a_field_that_is_wrong_is_named(field: str, text: str) -> None:
    with pytest.raises(NotARate, match=rf"^{field}: .* Correct the field") as refused:
        proposal_of({**SAID, field: text}, [])
    assert refused.value.what
