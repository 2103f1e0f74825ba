"""Exports of random lives: bean-check and hledger, with their strict switches, accept every journal the laws draw."""

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters.general_ledger.beancount import write_beancount
from adapters.general_ledger.hledger import write_hledger
from billing.functional import functional_book
from models.entity import DEFAULT
from models.journal import JournalEntry
from runtime import exports
from tests.billing.test_functional import fx
from tests.laws.drawn import drawn_of
from tests.laws.test_journal_laws import Life, all_of, booked, lives

LIVES = drawn_of(60)
EUROS = [fx("2025-12-31", "1.05"), fx("2026-02-10", "1.10"), fx("2026-05-01", "0.97")]


def test_18_every_journal_the_laws_draw_passes_both_checkers_in_both_books(tmp_path: Path) -> None:
    """One ledger of many lives, half of them invoiced late and a third in euros: a checker starts once a book."""
    drawn: list[JournalEntry] = []

    @settings(
        max_examples=LIVES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
        derandomize=True,
    )
    @given(lives, st.booleans())
    def draw(life: Life, late: bool) -> None:
        name = f"life-{len({entry.contract for entry in drawn}) + 1}"
        euros = len(drawn) % 3 == 0
        drawn.extend(
            entry.model_copy(
                update={
                    "key": f"{name}/{entry.key}",
                    "contract": name,
                    "customer": name,
                    "currency": "EUR" if euros else "USD",
                    "invoice": f"{name}/{entry.invoice}" if entry.invoice else None,
                }
            )
            for entry in all_of(booked(life, late=late))
        )

    draw()
    assert len({entry.contract for entry in drawn}) >= LIVES // 2
    assert {entry.currency for entry in drawn} == {"EUR", "USD"}
    book = functional_book(drawn, DEFAULT, EUROS)
    for label, entries in (("drawn", drawn), ("functional", book)):
        for one in exports.check(
            [write_beancount(tmp_path, entries, name=label), write_hledger(tmp_path, entries, label)]
        ):
            assert one.accepted in (True, None), one.words
            assert one.accepted or one.checker == "hledger", "bean-check is a dependency of the tests"
