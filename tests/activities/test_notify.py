"""notify: an invoice is told of last, so that a round that dies before it writes the rest again."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from activities.notify import Notify
from models.notice import NoticeKind
from tests.billing.test_notices import an_issued
from tests.statement_builders import a_pool, a_statement, usage


def test_the_notice_that_marks_an_invoice_as_told_is_written_after_all_others_of_its_month() -> None:
    pool = a_pool("year", "prepaid", granted="1000", drawn="800")
    statement = a_statement(usage("a", "800.00"), pools=(pool,))
    outside = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: datetime(2026, 11, 2, tzinfo=UTC)),
        notices=SimpleNamespace(
            unannounced=lambda _since: ("2026-10@1/acme/USD",),
            uncorrected=lambda _since: (),
            expiring=lambda _after, _until: (),
        ),
        invoices=SimpleNamespace(invoice=lambda _reference: an_issued(statement)),
        evidence=SimpleNamespace(
            statement=lambda _fingerprint: statement, issued_statements=lambda _contract, _before: ()
        ),
    )
    kinds = [one.kind for one in Notify(cast(Any, outside))._due()]
    assert kinds == [NoticeKind.POOL_USED, NoticeKind.INVOICE_READY]
