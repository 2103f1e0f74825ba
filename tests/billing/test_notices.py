"""Notices: what a letter says is worked by hand, each mark is spoken of once."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.notices import MOST_CONCERNS, credit_notices, invoice_ready, pool_notices, watch_notice
from models.invoice import Invoice, InvoiceLine, IssuedInvoice
from models.notice import NoticeKind
from models.statement import Pool, Statement
from models.watch import Concern, ConcernKind, NightAlert
from tests.statement_builders import a_pool, a_statement, bought, usage

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def an_issued(statement: Statement) -> tuple[Invoice, IssuedInvoice]:
    """Return the statement's invoice, as asked for and as issued."""
    reference = f"{statement.period}@1/{statement.customer}/{statement.currency}"
    line = InvoiceLine(position=1, description="all", amount=statement.total, rated_lines=("a",))
    invoice = Invoice(
        reference=reference,
        customer=statement.customer,
        contract=statement.contract,
        period=statement.period,
        currency=statement.currency,
        statement=statement.fingerprint(),
        net_days=30,
        lines=(line,),
        total=statement.total,
    )
    issued = IssuedInvoice(
        reference=reference,
        stripe_id="in_1",
        number="TIE-0001",
        status="open",
        currency=statement.currency,
        total=statement.total,
        lines=1,
        issued_at=AT,
        due_on=date(2026, 12, 2),
    )
    return invoice, issued


def test_an_invoice_says_its_total_the_change_and_the_three_largest_reasons() -> None:
    prior = a_statement(
        usage("a", "100.00", month="2026-09"),
        usage("b", "40.00", meter="stt.minutes", month="2026-09"),
        usage("c", "5.00", meter="sms.segments", month="2026-09"),
        month="2026-09",
    )
    this = a_statement(
        usage("a", "1150.00"),
        usage("b", "30.00", meter="stt.minutes"),
        usage("c", "5.50", meter="sms.segments"),
        usage("d", "2.00", meter="numbers"),
    )
    notice = invoice_ready(this, prior, *an_issued(this), AT)
    assert notice.id == "invoice_ready/2026-10@1/acme/USD"
    assert notice.subject == "Invoice TIE-0001: 1,187.50 USD for October 2026"
    assert notice.sentences == (
        "Invoice TIE-0001 for October 2026: 1,187.50 USD, due on 2026-12-02.",
        "That is 1,042.50 USD more than September 2026.",  # 1,187.50 less 145.00
        "call.minutes: +1,050.00 USD (price +1,050.00 USD).",
        "stt.minutes: -10.00 USD (price -10.00 USD).",
        "numbers: +2.00 USD (new +2.00 USD).",
    )
    assert notice.path == "/invoices/2026-10@1/acme/USD"


def test_a_first_invoice_is_compared_with_nothing() -> None:
    this = a_statement(usage("a", "10.00"))
    assert len(invoice_ready(this, None, *an_issued(this), AT).sentences) == 1


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, "490", []),  # 49 %
        (None, "500", [50]),
        (None, "760", [75]),  # past two marks: the higher one is said
        ("760", "890", []),
        ("760", "900", [90]),
        ("900", "1000", [100]),
        ("1000", "1000", []),
    ],
)
def test_a_pool_is_spoken_of_at_the_highest_mark_it_passed(before: str | None, now: str, told: list[int]) -> None:
    def with_pool(drawn: str, month: str) -> Statement:
        return a_statement(
            bought("p", "year", "10.00", commitment=True),
            month=month,
            pools=(a_pool("year", "prepaid", granted="1000", drawn=drawn),),
        )

    prior = with_pool(before, "2026-09") if before else None
    notices = list(pool_notices(with_pool(now, "2026-10"), prior, AT))
    assert [int(notice.id.rpartition("/")[2]) for notice in notices] == told
    assert all(notice.kind is NoticeKind.POOL_USED for notice in notices)


def test_a_pool_of_the_next_term_starts_again() -> None:
    old = a_pool("year", "prepaid", granted="1000", drawn="1000", window=("2025-10-01", "2026-10-01"))
    new = a_pool("year", "prepaid", granted="1000", drawn="600")
    prior = a_statement(usage("a", "1.00", month="2026-09"), month="2026-09", pools=(old,))
    (notice,) = pool_notices(a_statement(usage("a", "1.00"), pools=(new,)), prior, AT)
    assert notice.id.endswith("/year/2026-10-01/50")
    assert notice.sentences[1] == "Left: 400.00 USD."


def test_an_entitlement_is_counted_in_its_own_month() -> None:
    pool = a_pool("minutes", "entitlement", granted="100", drawn="80", unit="call.minutes")
    (notice,) = pool_notices(a_statement(usage("a", "1.00"), pools=(pool,)), None, AT)
    assert notice.sentences[1] == "Left: 20 call.minutes."
    assert (notice.kind, notice.id.rpartition("/")[2]) == (NoticeKind.ENTITLEMENT_USED, "80")


@pytest.mark.parametrize(
    ("today", "told"), [((2026, 9, 1), []), ((2026, 9, 2), ["30"]), ((2026, 9, 25), ["7"]), ((2026, 10, 3), [])]
)
def test_a_credit_is_spoken_of_thirty_and_seven_days_before(today: tuple[int, int, int], told: list[str]) -> None:
    credit = a_pool("trial", "promotional", granted="50", drawn="20", window=("2026-01-01", "2026-10-02"))
    statement = a_statement(usage("a", "1.00", month="2026-08"), month="2026-08", pools=(credit,))
    found = list(credit_notices(statement, date(*today), AT))
    assert [notice.id.rpartition("/")[2] for notice in found] == told


def test_a_credit_that_is_renewed_under_its_name_is_spoken_of_again() -> None:
    def told(ends: str, today: date) -> set[str]:
        credit = a_pool("trial", "promotional", granted="50", drawn="20", window=("2026-01-01", ends))
        statement = a_statement(usage("a", "1.00", month="2026-08"), month="2026-08", pools=(credit,))
        return {notice.id for notice in credit_notices(statement, today, AT)}

    first, renewed = told("2026-10-02", date(2026, 9, 25)), told("2026-11-02", date(2026, 10, 27))
    assert len(first) == len(renewed) == 1
    assert not first & renewed
    assert told("2026-10-02", date(2026, 9, 29)) == first  # of the same window, once


@pytest.mark.parametrize("pool", [{"in_force": False}, {"drawn": "50"}])
def test_a_credit_with_nothing_left_expires_in_silence(pool: dict[str, object]) -> None:
    credit: Pool = a_pool("t", "promotional", granted="50", window=("2026-01-01", "2026-10-02"), **pool)  # type: ignore[arg-type]
    statement = a_statement(usage("a", "1.00", month="2026-08"), month="2026-08", pools=(credit,))
    assert list(credit_notices(statement, date(2026, 9, 25), AT)) == []


def test_of_long_names_each_notice_has_a_key_of_its_own_and_the_same_again() -> None:
    def keys(pool_id: str) -> list[str]:
        credit = a_pool(pool_id, "promotional", granted="50", drawn="40", window=("2026-01-01", "2026-11-02"))
        statement = a_statement(usage("a", "1.00"), pools=(credit,), contract="c" * 70)
        told = (*pool_notices(statement, None, AT), *credit_notices(statement, date(2026, 10, 30), AT))
        return [notice.id for notice in told]

    found = keys("p" * 60), keys("q" * 60)
    assert [one.partition("/")[0] for one in found[0]] == ["pool_used", "credit_expires"]
    assert len({*found[0], *found[1]}) == 4
    assert found == (keys("p" * 60), keys("q" * 60))


def test_no_amount_of_a_letter_is_a_float() -> None:
    this = a_statement(usage("a", "0.10"))
    assert Decimal("0.10") == an_issued(this)[1].total
    assert "0.10 USD" in invoice_ready(this, None, *an_issued(this), AT).sentences[0]


def a_night_alert(number: int = 1) -> NightAlert:
    """Return something new that a night found."""
    concern = Concern(
        kind=ConcernKind.HOLE,
        subject=f"f{number}",
        customer="acme",
        words=f"batch {number} is missing",
        size=Decimal(1),
    )
    return NightAlert(month="2026-10", night=date(2026, 10, 15), concern=concern, recorded_at=AT)


def test_finance_is_told_of_a_night_once_with_all_that_was_new() -> None:
    notice = watch_notice([a_night_alert(1), a_night_alert(2)], AT)
    assert (notice.id, notice.kind) == ("watch_alert/2026-10/2026-10-15", NoticeKind.WATCH_ALERT)
    assert notice.subject == "Watch of 2026-10: 2 new on 2026-10-15"
    assert notice.sentences[1:] == ("acme, hole: batch 1 is missing.", "acme, hole: batch 2 is missing.")


def test_a_concern_says_the_money_at_risk_and_none_of_nobodys() -> None:
    night = a_night_alert()
    risky = night.concern.model_copy(update={"amount": Decimal("12.345"), "currency": "USD"})
    nobodys = night.concern.model_copy(update={"kind": ConcernKind.COST_DRIFT, "customer": None})
    alerts = [night.model_copy(update={"concern": one}) for one in (risky, nobodys)]
    assert watch_notice(alerts, AT).sentences[1:] == (
        "acme, hole: batch 1 is missing. At risk: 12.35 USD.",
        "cost drift: batch 1 is missing.",
    )


def test_a_night_with_very_much_is_counted_not_listed() -> None:
    notice = watch_notice([a_night_alert(number) for number in range(MOST_CONCERNS + 3)], AT)
    assert len(notice.sentences) == MOST_CONCERNS + 2
    assert notice.sentences[-1] == "And 3 more."
