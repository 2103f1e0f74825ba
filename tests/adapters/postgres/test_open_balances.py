"""What is still open with a customer: journal accounts, and pools the last issued statement left over."""

from decimal import Decimal

import pytest

from models.reports import OpenBalance
from tests.activities.test_taking_over import POSITION, World, issue
from tests.billing.rating.builders import a_contract, through, used
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack

GIFT = {"id": "gift", "kind": "promotional", "amount": "20.00", "effective": "2026-01-01"}
LATER = {"id": "later", "kind": "promotional", "amount": "9.00", "effective": "2026-12-01"}


def test_what_the_last_statement_left_in_credits_is_open_and_what_is_used_up_is_not(fresh_database: Books) -> None:
    world = World(fresh_database)
    months = {f"2026-0{n}": [used("100", f"2026-0{n}-10T00:00:00Z")] for n in (1, 2, 3, 4)}
    for statement in through(a_contract(credits=[GIFT, LATER]), months):  # 5.00 a month
        issue(world, statement)
    evidence = world.outside.evidence
    left = OpenBalance(customer="acme", what="pool gift", unit="USD", amount=Decimal(5))
    assert evidence.open_pools("2026-04", ()) == evidence.open_pools("2026-04", (), "acme") == (left,)
    assert left.words == "pool gift 5 USD"
    assert evidence.open_pools("2026-05", ()) == ()  # April used the rest; a credit not yet in force is not open
    assert evidence.open_pools("2026-04", ("acme",)) == ()
    assert evidence.open_pools("2026-01", ()) == ()


def test_accounts_that_settle_are_open_from_their_month_on_and_the_counter_account_never(fresh_database: Books) -> None:
    world = World(fresh_database)
    world.take_over(world.signed(POSITION))
    journal = world.outside.journal
    assert [one.words for one in journal.open_balances("2026-09", "acme")] == [
        "1100 500 USD",
        "1110 40 USD",
        "2110 -300 USD",
    ]
    assert journal.open_balances("2026-08") == ()
    assert journal.open_balances("2026-09", "bolt") == ()
