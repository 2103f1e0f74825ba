"""notify: an invoice is told of last, so that a round that dies before it writes the rest again; nobody waits."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from activities.messages import SendNotice
from activities.notify import NobodyToTell, Notify
from billing.notices import watch_notice
from models.notice import Addressed, Notice, NoticeKind
from models.visitor import Alert
from tests.billing.test_notices import a_night_alert, an_issued
from tests.statement_builders import a_pool, a_statement, usage

NOW = datetime(2026, 11, 3, tzinfo=UTC)


class Outbox(SimpleNamespace):
    """Notices in memory; nothing happened unless a test says so."""

    def __init__(self, **more: Any) -> None:
        nothing: dict[str, Any] = dict.fromkeys(("unannounced", "uncorrected", "unwatched"), lambda _since: ())
        super().__init__(
            **{
                **nothing,
                "expiring": lambda _after, _until: (),
                "alerts": lambda _customer: (),
                "contacts": lambda _customer: (),
                **more,
            }
        )
        self.tries: list[str] = []
        self.told: dict[str, str] = {}

    def message_of(self, notice: str) -> str | None:
        return self.told.get(notice)

    def tried(self, notice: str, _at: datetime) -> None:
        self.tries.append(notice)

    def sent(self, notice: str, message: str, _at: datetime) -> None:
        self.told[notice] = message


def an_outside(notices: Outbox, **more: Any) -> Any:
    """Return the outside of a round in November."""
    return SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW), notices=notices, **{"finance": (), **more})


def test_the_notice_that_marks_an_invoice_as_told_is_written_after_all_others_of_its_month() -> None:
    pool = a_pool("year", "prepaid", granted="1000", drawn="800")
    statement = a_statement(usage("a", "800.00"), pools=(pool,))
    asked = Alert(
        id="a1", customer="acme", kind="total", subject="", threshold=Decimal(800), currency="USD", made_by="u",
        made_at=NOW,
    )  # fmt: skip
    early = asked.model_copy(update={"id": "a0", "made_at": NOW - timedelta(days=9)})
    outside = an_outside(
        Outbox(unannounced=lambda _since: ("2026-10@1/acme/USD",), alerts=lambda _customer: (early, asked)),
        invoices=SimpleNamespace(invoice=lambda _reference: an_issued(statement)),
        evidence=SimpleNamespace(
            statement=lambda _fingerprint: statement, issued_statements=lambda _contract, _before: ()
        ),
        terms=SimpleNamespace(contracts=lambda _customer: (), opening=lambda _contract: None),
    )
    told = [one.id for one in Notify(cast(Any, outside))._due()]
    # The alert that was set after the invoice was issued tells nothing of it.
    assert told == ["pool_used/acme-2026/year/2026-10-01/75", "alert/a0/2026-10", "invoice_ready/2026-10@1/acme/USD"]


def test_pools_that_can_not_be_read_hold_up_no_invoice() -> None:
    def refuse(_contract: str) -> None:
        raise NobodyToTell("an opening that does not add up")

    statement = a_statement(usage("a", "800.00"))
    outside = an_outside(
        Outbox(unannounced=lambda _since: ("2026-10@1/acme/USD",)),
        invoices=SimpleNamespace(invoice=lambda _reference: an_issued(statement)),
        evidence=SimpleNamespace(
            statement=lambda _fingerprint: statement, issued_statements=lambda _contract, _before: ()
        ),
        terms=SimpleNamespace(contracts=lambda _customer: (), opening=refuse),
    )
    assert [one.kind for one in Notify(outside)._due()] == [NoticeKind.INVOICE_READY]


def test_the_nights_are_told_where_finance_has_an_address_and_nowhere_else() -> None:
    nights = Outbox(unwatched=lambda _since: (("2026-10", date(2026, 10, 15)),))
    watches = SimpleNamespace(alerts=lambda _month, _night: (a_night_alert(),))
    told = Notify(an_outside(nights, watches=watches, finance=("fin@lumen.example",)))._due()
    assert [one.kind for one in told] == [NoticeKind.WATCH_ALERT]
    assert list(Notify(an_outside(nights, watches=watches))._due()) == []


def test_a_night_goes_to_all_of_finance_in_one_message() -> None:
    notice, sent = watch_notice([a_night_alert()], NOW), list[Addressed]()

    def send(addressed: Addressed) -> str:
        sent.append(addressed)
        return "<id>"

    outbox = Outbox(notice=lambda _id: notice)
    outside = an_outside(outbox, mailer=SimpleNamespace(send=send), finance=("fin@lumen.example", "cfo@lumen.example"))
    for _ in range(2):
        assert Notify(outside).send(SendNotice(notice=notice.id)).sent
    assert [one.to for one in sent] == ["fin@lumen.example, cfo@lumen.example"]


def test_a_notice_goes_to_the_contracts_address_and_to_the_contacts_in_one_message() -> None:
    notice = Notice(
        id="invoice_ready/1", kind=NoticeKind.INVOICE_READY, customer="acme", period="2026-10", subject="s",
        sentences=("s",), path="/", written_at=NOW,
    )  # fmt: skip
    sent = list[str]()

    def send(addressed: Addressed) -> str:
        sent.append(addressed.to)
        return "<id>"

    for contract, to in (("AP@acme.example", "AP@acme.example, cfo@acme.example"),
                         (None, "ap@acme.example, cfo@acme.example")):  # fmt: skip
        outbox = Outbox(notice=lambda _id: notice, contacts=lambda _customer: ("ap@acme.example", "cfo@acme.example"))
        terms = SimpleNamespace(contracts=lambda _customer, email=contract: (SimpleNamespace(email=email),))
        mailer = SimpleNamespace(send=send)
        assert Notify(an_outside(outbox, mailer=mailer, terms=terms)).send(SendNotice(notice=notice.id)).sent
        assert sent.pop() == to


def test_a_notice_without_an_address_is_counted_as_tried_so_that_others_go_first() -> None:
    notice = Notice(
        id="invoice_ready/1", kind=NoticeKind.INVOICE_READY, customer="acme", period="2026-10", subject="s",
        sentences=("s",), path="/", written_at=NOW,
    )  # fmt: skip
    outbox = Outbox(notice=lambda _id: notice)
    outside = an_outside(outbox, mailer=SimpleNamespace(), terms=SimpleNamespace(contracts=lambda _customer: ()))
    with pytest.raises(NobodyToTell):
        Notify(outside).send(SendNotice(notice=notice.id))
    assert (outbox.tries, outbox.told) == ([notice.id], {})
