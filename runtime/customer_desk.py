"""The customer's desk: what a customer makes of their own, by a page or by a program's key: files and alerts."""

from collections.abc import Sequence
from decimal import Decimal

from activities.ports import Clock
from billing.alerting import AlertKind, Firing, firings
from billing.customer_files import FORMATS, KINDS, File, NotAsMade, file_of
from billing.pool_views import PoolView, Running
from models.refusal import Refusal
from models.visitor import Alert, Contact, Export
from runtime.portal import CustomerBooks

MOST_ALERTS = 50
HIGHEST = {
    AlertKind.TOTAL: Decimal(10) ** 12,
    AlertKind.POOL: Decimal(100),
    AlertKind.DEPLETES: Decimal(366),
    AlertKind.EXPIRES: Decimal(366),
}
"""The highest threshold an alert may have: an amount, a percentage, or days."""


MOST_CONTACTS = 10


class TooManyContacts(Refusal):
    """A customer has as many billing contacts as one may have."""

    remedy = "Take one off first, or use an address that reaches several people."


class TooManyAlerts(Refusal):
    """A customer has as many alerts as one may have."""

    remedy = "End one first."


class CustomerDesk:
    """Keeps what somebody of a customer makes. `issuer` is who bills, `who` the word for who does it."""

    def __init__(self, books: CustomerBooks, issuer: str, who: str, clock: Clock) -> None:
        self._books = books
        self._issuer = issuer
        self._who = who
        self._clock = clock

    def make_export(self, export_id: str, month: str, kind: str, form: str) -> Export | None:
        """Keep what a file of a closed month is (its statement, rows, bytes' hash), once for its id, and return that.

        None where there is no such month, kind or format.
        """
        if kind not in KINDS or form not in FORMATS or month not in self._books.closed_months():
            return None
        newest = self._books.newest(month)
        if newest is None or newest.draft:
            return None
        statement = newest.statement
        made = file_of(kind, form, statement, lambda: self._books.usage(statement), self._issuer)
        self._books.kept.keep_export(
            Export(
                id=export_id,
                customer=self._books.customer,
                period=month,
                kind=kind,
                format=form,
                statement=newest.kept_as,
                rows_written=made.rows,
                sha256=made.sha256,
                made_by=self._who,
                made_at=self._clock.now(),
            )
        )
        return self._books.kept.export(export_id)

    def add_contact(self, contact_id: str, email: str) -> Contact:
        """Have an address mailed beside the contract's, once for its id and once for the address; return it.

        Raises:
            TooManyContacts: there are MOST_CONTACTS.
        """
        contact = Contact(
            id=contact_id,
            customer=self._books.customer,
            email=email.lower(),
            made_by=self._who,
            made_at=self._clock.now(),
        )
        if not self._books.kept.keep_contact(contact, MOST_CONTACTS):
            raise TooManyContacts(f"there are {MOST_CONTACTS} contacts already")
        self._books.kept.looked(self._who, f"billing contact {contact.email}", self._clock.now())
        return next((one for one in self._books.kept.contacts() if one.email == contact.email), contact)

    def choose_export(self, kind: str, form: str, wanted: bool) -> bool:
        """Keep whether a file is made of every month whose invoice is issued from now on; False: there is none such."""
        if kind not in KINDS or form not in FORMATS:
            return False
        self._books.kept.choose_export(kind, form, wanted, self._who, self._clock.now())
        return True

    def file(self, export_id: str) -> tuple[Export, File] | None:
        """Return a file made again of the same statement, and log who took it; None where there is no such file.

        Raises:
            NotAsMade: it does not come out as the same bytes.
        """
        export = self._books.kept.export(export_id)
        statement = self._books.statement(export.statement) if export else None
        if export is None or statement is None:
            return None
        made = file_of(export.kind, export.format, statement, lambda: self._books.usage(statement), self._issuer)
        if made.sha256 != export.sha256:
            raise NotAsMade("the file comes out otherwise than it was made", made=export.made_at, export=export.id)
        what = f"export {export.id}: {export.kind} of {export.period} as {export.format}, {export.rows_written} rows"
        self._books.kept.looked(self._who, what, self._clock.now())
        return export, made

    def alerts(self) -> tuple[tuple[Alert, tuple[Firing, ...]], ...]:
        """Return the alerts in force, oldest first, each with when it fired: over what is issued, and what runs."""
        return self._fired(self._books.kept.alerts())

    def currencies(self) -> tuple[str, ...]:
        """Return the currencies a month's total may be watched in: the newest month's first, and the contract's."""
        newest, contract = self._books.newest(), self._books.contract()
        issued = self._books.issued(newest.statement.contract) if newest else ()
        found = [one.currency for one in (*([newest.statement] if newest else ()), *reversed(issued))]
        if contract is not None:
            found.append(contract.fx.invoice_currency if contract.fx else contract.currency)
        return tuple(dict.fromkeys(found))

    def preview(
        self, kind: AlertKind, subject: str, threshold: Decimal, currency: str | None = None
    ) -> tuple[Alert, tuple[Firing, ...]] | None:
        """Return an alert that is not kept, with when it would have fired; None as for `add_alert`."""
        alert = self._alert("preview", kind, subject, threshold, currency)
        return next(iter(self._fired([alert]))) if alert is not None else None

    def add_alert(
        self, alert_id: str, kind: AlertKind, subject: str, threshold: Decimal, currency: str | None = None
    ) -> Alert | None:
        """Keep an alert, once for its id; None where there is no such pool, or no such currency, to watch.

        A month's total has no subject, and a currency: the newest month's where none is named.

        Raises:
            TooManyAlerts: there are MOST_ALERTS in force.
        """
        there = {one.id: one for one in self._books.kept.alerts()}
        if alert_id in there:
            return there[alert_id]
        alert = self._alert(alert_id, kind, subject, threshold, currency)
        if alert is not None and not self._books.kept.keep_alert(alert, MOST_ALERTS):
            raise TooManyAlerts(f"there are {MOST_ALERTS} alerts already")
        return alert

    def _alert(
        self, alert_id: str, kind: AlertKind, subject: str, threshold: Decimal, currency: str | None
    ) -> Alert | None:
        if kind is AlertKind.TOTAL:
            known = self.currencies()
            currency = currency or next(iter(known), None)
            if subject or currency not in known:
                return None
        elif currency is not None or (kind, subject) not in watched(self._books.pools()):
            return None
        return Alert(
            id=alert_id,
            customer=self._books.customer,
            kind=kind.value,
            subject=subject,
            threshold=threshold,
            currency=currency,
            made_by=self._who,
            made_at=self._clock.now(),
        )

    def _fired(self, alerts: Sequence[Alert]) -> tuple[tuple[Alert, tuple[Firing, ...]], ...]:
        newest, pools = self._books.newest(), self._books.pools()
        rated = self._books.issued(newest.statement.contract) if newest else ()
        running = None
        if newest is not None and newest.complete_up_to is not None:
            rated = (*rated, newest.statement)
            running = Running(month=newest.statement.period, on=newest.complete_up_to.date())
        return tuple((one, firings(one, rated, pools, running)) for one in alerts)


def watched(pools: Sequence[PoolView]) -> list[tuple[AlertKind, str]]:
    """Return what an alert may be set for beside a month's total: its kind and the pool."""
    return sorted({(kind, view.pool) for view in pools for kind in AlertKind if view.kind in kind.watches})


def fits(kind: AlertKind, threshold: Decimal) -> bool:
    """Return whether a threshold is one of its kind: above zero, at most HIGHEST, and days whole."""
    if not threshold.is_finite() or not 0 < threshold <= HIGHEST[kind]:
        return False
    return kind in (AlertKind.TOTAL, AlertKind.POOL) or threshold == threshold.to_integral_value()
