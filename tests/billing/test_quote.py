"""Quotes: exact, rounded once, by the version in force at the instant; what is unknown is named."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import quote
from billing.quote import Asked, Unpriced
from billing.rating.rates import RateBook
from models.rate_card import RateVersion

BOOK = RateBook.of(
    RateVersion.model_validate({"rate": "list", "currency": "USD", "source": "s", "checked_on": "2026-01-01", **more})
    for more in (
        {"meter": "m.seconds", "from": "2026-01-01T00:00:00Z", "amount": "1.02", "per": "3600"},
        {"meter": "m.tokens", "where": {"model": "a"}, "from": "2026-01-01T00:00:00Z", "amount": "2.5", "per": 1000000},
        {"meter": "m.tokens", "where": {"model": "a"}, "from": "2026-10-20T10:17:00Z", "amount": "3", "per": 1000000},
    )
)


def asked(
    meter: str = "m.tokens", quantity: str = "1000", at: str = "2026-10-01T00:00:00Z", **dimensions: str
) -> Asked:
    return Asked(meter=meter, dimensions=dimensions, quantity=Decimal(quantity), at=datetime.fromisoformat(at))


def test_a_line_is_exact_and_rounded_once() -> None:
    (line,) = quote.quote(BOOK, "list", [asked("m.seconds", "1000")])
    # 1000 x 1.02 / 3600 = 0.28333…
    assert line.exact == Decimal("0.2833333333333333333333333333333333333333")
    assert line.amount == Decimal("0.28")
    (half,) = quote.quote(BOOK, "list", [asked(quantity="2000", model="a")])
    assert (half.exact, half.amount) == (Decimal("0.005"), Decimal("0.01"))  # 2000 x 2.5 / 1e6, half away from zero
    assert quote.amount_of([line, half]) == {"USD": Decimal("0.29")}


def test_the_version_is_the_one_at_the_instant() -> None:
    before, after = quote.quote(
        BOOK, "list", [asked(at=f"2026-10-20T10:{minute}:00Z", model="a", quantity="1000000") for minute in (16, 17)]
    )
    assert (before.amount, after.amount) == (Decimal("2.50"), Decimal("3.00"))
    assert before.version.starts_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("card", "line", "named"),
    [
        ("other", asked(model="a"), (None, "card")),
        ("list", asked("m.calls"), (1, "meter")),
        ("list", asked(model="b"), (1, "dimensions")),
        ("list", asked(), (1, "dimensions")),
        ("list", asked(at="2025-12-31T23:59:59Z", model="a"), (1, "at")),
    ],
)
def test_what_the_card_does_not_know_is_named(card: str, line: Asked, named: tuple[int | None, str]) -> None:
    with pytest.raises(Unpriced) as refusal:
        quote.quote(BOOK, card, [asked(model="a"), line])
    assert (refusal.value.line, refusal.value.field) == named
