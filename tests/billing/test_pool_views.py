"""How much of a pool is used, how long it lasts between the fastest and the slowest month, and when alerts fire."""

from datetime import date
from decimal import Decimal

from billing.alerting import AlertKind, firings
from billing.pool_views import views_of
from billing.pools import ledger_of
from models.statement import Statement
from tests.statement_builders import a_pool, a_statement, an_alert, usage

D = Decimal
YEAR = ("2026-01-01", "2027-01-01")


def months(*drawn: str, granted: str = "1200") -> list[Statement]:
    """Return a statement a month from January on, each drawing so much of a pool of the year."""
    left, found = D(0), []
    for number, amount in enumerate(drawn, 1):
        added = granted if number == 1 else "0"
        pool = a_pool("p", "prepaid", opening=str(left), granted=added, drawn=amount, window=YEAR)
        month = f"2026-{number:02}"
        found.append(a_statement(usage("u", amount, month=month), month=month, pools=(pool,)))
        left = pool.closing
    return found


def test_a_pool_says_what_was_used_and_what_is_left() -> None:
    [view] = views_of(ledger_of(months("100", "299.99")))
    assert (view.committed, view.used, view.left) == (D(1200), D("399.99"), D("800.01"))
    assert view.percent_used == 33  # 33.3325 %, cut
    # Evenly over 365 days: after 31 days 1,098.08 of 1,200 are left, after 59 days 1,006.03.
    assert view.straight == (D("1098.08"), D("1006.03"))


def test_two_months_are_not_enough_to_say_how_long_it_lasts() -> None:
    [view] = views_of(ledger_of(months("100", "100")))
    assert view.outlook is None


def test_the_range_is_between_the_fastest_and_the_slowest_month() -> None:
    [view] = views_of(ledger_of(months("100", "200", "300")))
    told = view.outlook
    assert told is not None
    assert (told.fastest, told.slowest, told.months) == (D(300), D(100), 3)
    # 600 left on 1 April: at 300 a month (365/12 days) 60 days, at 100 a month 182 days.
    assert (told.earliest, told.latest) == (date(2026, 5, 31), date(2026, 9, 30))
    assert told.low == (D(600), D(300), D(0))
    assert told.high == (D(600), D(500), D(400), D(300), D(200), D(100), D(0))


def test_a_pool_that_outlasts_its_window_has_no_end() -> None:
    [view] = views_of(ledger_of(months("10", "10", "10")))
    assert view.outlook is not None
    assert (view.outlook.earliest, view.outlook.latest) == (None, None)


def test_a_pool_that_is_used_up_has_no_outlook() -> None:
    [view] = views_of(ledger_of(months("400", "400", "400")))
    assert (view.percent_used, view.left, view.outlook) == (100, D(0), None)


def test_an_alert_of_a_pool_fires_once_in_the_month_it_is_reached() -> None:
    issued = months("500", "100", "300")
    pools = views_of(ledger_of(issued))
    told = firings(an_alert(AlertKind.POOL, "50", "p"), issued, pools)
    assert [(one.month, one.value) for one in told] == [("2026-02", D(600))]  # 600 of 1,200 are 50 %
    assert firings(an_alert(AlertKind.POOL, "90", "p"), issued, pools) == ()
    assert firings(an_alert(AlertKind.POOL, "1", "other"), issued, pools) == ()


def test_an_alert_of_the_total_fires_in_each_month_that_reaches_it() -> None:
    issued = months("500", "100", "300")
    told = firings(an_alert(AlertKind.TOTAL, "300", ""), issued, ())
    assert [one.month for one in told] == ["2026-01", "2026-03"]
