"""The outbox: each notice is kept and sent once, and none that can't be sent holds up another."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.invoices import PostgresInvoices
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.portal import PostgresPortal
from adapters.postgres.watches import PostgresWatches
from billing.notices import invoice_ready, watch_notice
from models.notice import Notice, NoticeKind
from models.visitor import Alert
from models.watch import Watch
from tests.billing.test_notices import a_night_alert, an_issued
from tests.postgres_fixture import Books
from tests.statement_builders import a_statement, usage

pytestmark = pytest.mark.stack

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
LONG_AGO = AT - timedelta(days=31)


def a_notice(number: int, at: datetime = AT) -> Notice:
    """Return a notice."""
    return Notice(
        id=f"invoice_ready/{number:03}",
        kind=NoticeKind.INVOICE_READY,
        customer="acme",
        period="2026-10",
        subject="Invoice",
        sentences=("Due.",),
        path="/invoices",
        written_at=at,
    )


@pytest.fixture
def notices(fresh_database: Books) -> PostgresNotices:
    """The outbox of a database of this test alone."""
    return PostgresNotices(fresh_database.as_role("worker"))


def test_what_can_not_be_sent_holds_up_nothing_that_came_later(notices: PostgresNotices) -> None:
    for number in range(4):
        notices.keep(a_notice(number))
    first = notices.unsent(2, LONG_AGO)
    assert first == ("invoice_ready/000", "invoice_ready/001")
    for number, one in enumerate(first):  # nobody to send them to
        notices.tried(one, AT + timedelta(minutes=number))
    assert notices.unsent(2, LONG_AGO) == ("invoice_ready/002", "invoice_ready/003")
    notices.sent("invoice_ready/002", "<id>", AT)
    notices.tried("invoice_ready/003", AT + timedelta(minutes=5))
    assert notices.unsent(9, LONG_AGO) == ("invoice_ready/000", "invoice_ready/001", "invoice_ready/003")
    notices.tried("invoice_ready/000", AT + timedelta(minutes=9))  # the longest untried first
    assert notices.unsent(2, LONG_AGO) == ("invoice_ready/001", "invoice_ready/003")


def test_after_a_month_a_notice_is_no_news_and_is_given_up(notices: PostgresNotices) -> None:
    notices.keep(a_notice(1, LONG_AGO - timedelta(seconds=1)))
    notices.keep(a_notice(2))
    assert notices.unsent(9, LONG_AGO) == ("invoice_ready/002",)


def test_a_night_with_something_new_is_to_be_told_until_its_notice_is_written(
    notices: PostgresNotices, fresh_database: Books
) -> None:
    watches = PostgresWatches(fresh_database.as_role("worker"))
    for night, new in ((14, []), (15, [a_night_alert(1).concern, a_night_alert(2).concern])):
        watch = Watch(month="2026-10", night=date(2026, 10, night), up_to=AT, compared=(), customers=1, concerns=())
        watches.keep(watch, new, AT)
    assert notices.unwatched(LONG_AGO) == (("2026-10", date(2026, 10, 15)),)
    assert notices.unwatched(AT + timedelta(seconds=1)) == ()
    notices.keep(watch_notice(watches.alerts("2026-10", date(2026, 10, 15)), AT))
    assert notices.unwatched(LONG_AGO) == ()


@pytest.mark.parametrize("customer", ["acme", "c" * 101, "c" * 110])
def test_an_invoice_of_a_customer_with_a_long_name_is_to_be_told_until_its_notice_is_written(
    notices: PostgresNotices, fresh_database: Books, customer: str
) -> None:
    worker = fresh_database.as_role("worker")
    statement = a_statement(usage("a", "10.00"), customer=customer)
    invoice, issued = an_issued(statement)
    PostgresEvidence(worker).keep_statement(statement, 1, AT)
    PostgresInvoices(worker).reserve(invoice, AT)
    PostgresInvoices(worker).issued(issued, AT)
    with fresh_database.connect() as owner:
        owner.execute(
            "INSERT INTO tieout.customer_closes"
            " (period, revision, customer, stage, state, detail, refs, began_at, moved_at)"
            " VALUES ('2026-10', 1, %s, 'publish', 'done', '', %s, %s, %s)",
            (customer, json.dumps({"invoice": invoice.reference}), AT, AT),
        )
    assert notices.unannounced(LONG_AGO) == (invoice.reference,)
    notices.keep(invoice_ready(statement, None, invoice, issued, AT))
    assert notices.unannounced(LONG_AGO) == ()


def test_the_alerts_of_a_customer_are_those_not_ended(notices: PostgresNotices, fresh_database: Books) -> None:
    for customer in ("acme", "bolt"):
        portal = PostgresPortal(fresh_database.as_role("portal"), customer)
        for number in range(2):
            portal.keep_alert(
                Alert(
                    id=f"{customer}{number}", customer=customer, kind="total", subject="", threshold=Decimal(5),
                    currency="USD", made_by="u", made_at=AT + timedelta(minutes=number),
                ),
                9,
            )  # fmt: skip
        portal.end_alert(f"{customer}0", AT)
    assert [one.id for one in notices.alerts("acme")] == ["acme1"]
