"""Alerts: they fire as the page says they would have, once for an alert and month, and say what was asked and found."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.alerting import AlertKind, alert_notices, firings
from billing.notices import depletion_notices
from billing.pool_views import Running, runway, views_of
from billing.pools import ledger_of
from models.notice import Notice, NoticeKind
from models.statement import Statement
from models.visitor import Alert
from tests.billing.test_pool_views import months
from tests.statement_builders import a_pool, a_statement, an_alert, usage

AT = datetime(2026, 4, 2, 12, tzinfo=UTC)
MIDDLE = Running(month="2026-04", on=date(2026, 4, 11))
D = Decimal


def told(alert: Alert, statements: list[Statement], running: Running | None = None) -> list[Notice]:
    """Return what an alert tells of the last of these statements."""
    pools = views_of(ledger_of(statements))
    return list(alert_notices([alert], statements[-1], pools, AT, running))


@pytest.mark.parametrize(
    ("alert", "statements", "subject", "asked"),
    [
        (
            an_alert(AlertKind.TOTAL, "300", ""),
            months("100", "1050.50"),
            "Alert: the total is 1,050.50 USD",
            "You asked to be told when a month's total reaches 300.00 USD.",
        ),
        (
            an_alert(AlertKind.POOL, "50"),
            months("500", "100"),  # 600 of 1,200
            "Alert: 600.00 USD of p is used",
            "You asked to be told when 50 % of p is used.",
        ),
        (
            an_alert(AlertKind.DEPLETES, "60"),
            months("100", "200", "300"),  # 600 left: 2 months of 365/12 days at 300
            "Alert: p lasts 60 days at its fastest recent month",
            "You asked to be told when p lasts 60 days or fewer.",
        ),
    ],
)
def test_an_alert_says_what_was_asked_and_what_was_found(
    alert: Alert, statements: list[Statement], subject: str, asked: str
) -> None:
    [notice] = told(alert, statements)
    assert (notice.kind, notice.id) == (NoticeKind.ALERT, f"alert/a1/{statements[-1].period}")
    assert (notice.subject, notice.sentences[0]) == (subject, asked)
    assert notice.sentences[1].endswith(f"{subject.removeprefix('Alert: ')}.")


def test_an_alert_is_silent_below_its_threshold_and_in_months_after_the_one_it_fired_in() -> None:
    assert told(an_alert(AlertKind.TOTAL, "300.01", ""), months("100", "300")) == []
    assert told(an_alert(AlertKind.POOL, "50.01"), months("500", "100")) == []
    assert told(an_alert(AlertKind.POOL, "50"), months("700", "100")) == []  # fired in January
    assert told(an_alert(AlertKind.DEPLETES, "59"), months("100", "200", "300")) == []


def test_of_a_running_month_it_says_so_far_under_the_key_of_the_whole_month() -> None:
    running = months("100", "200", "300", "400")
    [draft] = told(an_alert(AlertKind.TOTAL, "400", ""), running, MIDDLE)
    [whole] = told(an_alert(AlertKind.TOTAL, "400", ""), running)
    assert draft.id == whole.id
    assert draft.sentences[1] == "April 2026 so far: the total is 400.00 USD."


def test_a_pace_is_judged_by_whole_months_and_counts_from_today() -> None:
    [view] = views_of(ledger_of(months("100", "200", "300", "50")))
    found = runway(view.rows, MIDDLE)
    assert found is not None
    # 550 left on 11 April: at 300 a month 55 days (550 x 365 / 3,600 = 55.7), at 100 a month 167 days.
    assert (found.months, found.earliest, found.latest) == (3, date(2026, 6, 5), date(2026, 9, 25))


@pytest.mark.parametrize(("days", "fires"), [("50", False), ("51", True)])
def test_a_credit_is_spoken_of_so_many_days_before_it_ends(days: str, fires: bool) -> None:
    credit = a_pool("trial", "promotional", granted="50", drawn="20", window=("2026-01-01", "2026-06-01"))
    april = a_statement(usage("a", "1.00", month="2026-04"), month="2026-04", pools=(credit,))
    pools = views_of(ledger_of([april]))
    # From 11 April to 1 June: 19 days of April, 31 of May and the first of June.
    assert bool(firings(an_alert(AlertKind.EXPIRES, str(days), "trial"), [april], pools, MIDDLE)) is fires
    [after] = firings(an_alert(AlertKind.EXPIRES, "31", "trial"), [april], pools)  # at April's end 31 days are left
    assert (after.month, after.value) == ("2026-04", D(31))


def test_a_total_is_compared_with_months_of_its_own_currency() -> None:
    dollars = a_statement(usage("a", "900.00", month="2026-03"), month="2026-03")
    yen = a_statement(usage("a", "90000", month="2026-04"), month="2026-04", currency="JPY")
    for currency, found in (("USD", []), ("JPY", ["2026-04"])):
        alert = an_alert(AlertKind.TOTAL, "1000", "", currency)
        assert [one.month for one in firings(alert, [dollars, yen], ())] == found
        assert [one.period for one in alert_notices([alert], yen, (), AT)] == found


def test_a_credit_that_is_used_up_expires_in_silence() -> None:
    credit = a_pool("trial", "promotional", granted="50", drawn="50", window=("2026-01-01", "2026-06-01"))
    april = a_statement(usage("a", "1.00", month="2026-04"), month="2026-04", pools=(credit,))
    assert firings(an_alert(AlertKind.EXPIRES, "366", "trial"), [april], views_of(ledger_of([april]))) == ()


def test_a_pool_that_may_be_used_up_within_thirty_days_is_told_once_a_month() -> None:
    statements = months("100", "400", "400")  # 300 left on 1 April: 22 days at 400 a month, 91 at 100
    [notice] = depletion_notices(statements[-1], views_of(ledger_of(statements)), AT)
    assert notice.id == "pool_depletes/acme-2026/p/2026-03"
    assert notice.sentences == (
        "Left of p on 2026-04-01: 300.00 USD.",
        "At the fastest of the last 3 whole months it is used up on 2026-04-23; at the slowest, 2026-07-01.",
    )


@pytest.mark.parametrize("drawn", [("400", "400"), ("100", "100", "100"), ("400", "400", "400")])
def test_no_projection_or_a_long_one_or_nothing_left_tells_nothing(drawn: tuple[str, ...]) -> None:
    statements = months(*drawn)
    assert list(depletion_notices(statements[-1], views_of(ledger_of(statements)), AT)) == []
