"""The customer's desk: what a customer makes of their own, by a page or by a program's key: files and alerts."""

from decimal import Decimal

from activities.ports import Clock
from billing.alerting import AlertKind
from models.refusal import Refusal
from models.visitor import Alert, Export
from runtime.customer_exports import FORMATS, KINDS, File, NotAsMade, file_of
from runtime.portal import CustomerBooks

MOST_ALERTS = 50


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

    def add_alert(self, alert_id: str, kind: AlertKind, subject: str, threshold: Decimal) -> Alert | None:
        """Keep an alert, once for its id; None where there is no such pool. A month's total has no subject.

        Raises:
            TooManyAlerts: there are MOST_ALERTS in force.
        """
        pools = {view.pool for view in self._books.pools()} if kind is not AlertKind.TOTAL else {""}
        if subject not in pools:
            return None
        there = {one.id: one for one in self._books.kept.alerts()}
        if alert_id in there:
            return there[alert_id]
        if len(there) >= MOST_ALERTS:
            raise TooManyAlerts(f"there are {MOST_ALERTS} alerts already")
        alert = Alert(
            id=alert_id,
            customer=self._books.customer,
            kind=kind.value,
            subject=subject,
            threshold=threshold,
            made_by=self._who,
            made_at=self._clock.now(),
        )
        self._books.kept.keep_alert(alert)
        return alert
