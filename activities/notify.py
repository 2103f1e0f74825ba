"""notify: write what customers and finance are to be told, and send each notice once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from temporalio import activity

from activities.deeds import Outside
from activities.messages import NoticesDue, NoticeSent, SendNotice
from activities.telling import told_of
from billing import notices
from models.notice import CHOICES, FOR_FINANCE, Addressed, Notice
from models.refusal import Refusal

NEWS = timedelta(days=31)
"""How long something is told after it happened: mail switched on later tells nothing of the past."""

OPTED_OUT = "opted out"
"""What stands for the message id of a notice that its customer does not want."""

AT_ONCE = 200
"""Notices a run sends: the rest is the next run's."""


class NobodyToTell(Refusal):
    """A contract has no address for its customer, or nobody of finance is named."""

    remedy = "Amend the contract with an email, or set TIEOUT_FINANCE_MAIL; the notice is sent by a later round."


class Notify:
    """The deeds of the mail."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="notify.write")
    def write(self) -> NoticesDue:
        """Write the notices of what happened since, and return those to be mailed; nothing where nobody is told."""
        outside = self.outside
        if outside.tells:
            for notice in self._due():
                outside.notices.keep(notice)
        if outside.mailer is None:
            return NoticesDue(notices=())
        return NoticesDue(notices=outside.notices.unsent(AT_ONCE, outside.clock.now() - NEWS))

    @activity.defn(name="notify.send")
    def send(self, task: SendNotice) -> NoticeSent:
        """Send a notice unless it is sent, or its customer opted out of its kind.

        Between the server's yes and ours a copy may be sent again: it has the same Message-ID.

        Raises:
            NobodyToTell: the customer, or finance, has no address.
        """
        outside = self.outside
        notice = outside.notices.notice(task.notice)
        before = outside.notices.message_of(task.notice)
        if outside.mailer is None or before is not None:
            return NoticeSent(notice=task.notice, sent=before not in (None, OPTED_OUT))
        if notice.kind in CHOICES and outside.notices.opted_out(notice.customer, notice.kind):
            outside.notices.sent(task.notice, OPTED_OUT, outside.clock.now())
            return NoticeSent(notice=task.notice, sent=False)
        outside.notices.tried(task.notice, outside.clock.now())
        to = self._address(notice)
        if not to:
            raise NobodyToTell("there is no address", customer=notice.customer)
        message_id = outside.mailer.send(Addressed(notice=notice, to=to))
        outside.notices.sent(task.notice, message_id, outside.clock.now())
        return NoticeSent(notice=task.notice, sent=True)

    def _address(self, notice: Notice) -> str:
        if notice.kind in FOR_FINANCE:
            return ", ".join(self.outside.finance)
        contracts = self.outside.terms.contracts(notice.customer)
        own = contracts[-1].email if contracts else None
        others = [one for one in self.outside.notices.contacts(notice.customer) if one != (own or "").lower()]
        return ", ".join([*([own] if own else []), *others])

    def _due(self) -> Iterator[Notice]:
        outside, now = self.outside, self.outside.clock.now()
        for reference in outside.notices.unannounced(now - NEWS):
            yield from self._of_invoice(reference, now)
        for correction in outside.notices.uncorrected(now - NEWS):
            yield notices.correction_issued(correction, now)
        for fingerprint in outside.notices.expiring(now, now + timedelta(days=max(notices.DAYS_BEFORE))):
            yield from notices.credit_notices(outside.evidence.statement(fingerprint), now.date(), now)
        if outside.finance:
            for month, night in outside.notices.unwatched(now - NEWS):
                yield notices.watch_notice(outside.watches.alerts(month, night), now)

    def _of_invoice(self, reference: str, now: datetime) -> Iterator[Notice]:
        outside = self.outside
        found = outside.invoices.invoice(reference)
        invoice, issued = found if found is not None else (None, None)
        if invoice is None or issued is None:
            return
        statement = outside.evidence.statement(invoice.statement)
        before = outside.evidence.issued_statements(statement.contract, statement.period)
        prior = before[-1] if before else None
        alerts = [one for one in outside.notices.alerts(invoice.customer) if one.made_at <= issued.issued_at]
        yield from notices.pool_notices(statement, prior, now)
        try:
            yield from told_of(outside, statement, before, alerts, now)
        except Refusal as refused:  # one customer's pools are told of no more than they can be read; the invoice is
            activity.logger.warning("notice.not_written", extra={"customer": invoice.customer, "cause": str(refused)})
        yield notices.invoice_ready(statement, prior, invoice, issued, now)  # last: it marks the month as told
