"""Portal: what a customer keeps (share links, keys, alerts, exports, who looked), and the terms they show.

Every transaction names the customer, and the database shows and takes no other's rows: no query here repeats it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from adapters.postgres.sessions import Database, one_at_a_time
from models.access import CustomerKey
from models.contract import Contract
from models.correction import Correction
from models.reconciliation import Reconciliation
from models.snapshot import Artifact
from models.visitor import Alert, Contact, Export, PortalUser, Share, StandingExport

_EXPORTS = """
    SELECT e.id, e.customer, e.period, e.kind, e.format, e.statement, e.rows_written, e.sha256, e.made_by, e.made_at,
        s.total, s.currency
    FROM exports e JOIN statements s ON s.fingerprint = e.statement
    WHERE (CAST(:id AS text) IS NULL OR e.id = :id) ORDER BY e.position DESC LIMIT :most
"""
_NEW_CONTACT = """
    INSERT INTO billing_contacts (id, customer, email, made_by, made_at)
    SELECT :id, :customer, :email, :made_by, :made_at
    WHERE :most > (SELECT count(*) FROM billing_contacts WHERE ended_at IS NULL)
    ON CONFLICT DO NOTHING
"""
_NEW_ALERT = """
    INSERT INTO alerts (id, customer, kind, subject, threshold, currency, made_by, made_at)
    SELECT :id, :customer, :kind, :subject, :threshold, :currency, :made_by, :made_at
    WHERE :most > (SELECT count(*) FROM alerts WHERE ended_at IS NULL)
    ON CONFLICT (id) DO NOTHING
"""
_CORRECTIONS = """
    SELECT c.body, max(s.recorded_at) AS at FROM corrections c
    JOIN correction_steps s ON s.correction = c.id AND s.step = 'settled'
    GROUP BY c.id, c.body, c.position ORDER BY c.position DESC
"""


class PostgresPortal:
    """Reads and writes as the portal, for one customer."""

    def __init__(self, database: Database, customer: str) -> None:
        self.database = database
        self.customer = customer

    def contracts(self) -> tuple[Contract, ...]:
        """Return the versions of the customer's contracts, newest first."""
        rows = self._rows("SELECT body FROM contracts ORDER BY effective_on DESC, position DESC")
        return tuple(Contract.from_text(row.body) for row in rows)

    def reconciliation(self, fingerprint: str) -> Reconciliation | None:
        """Return a reconciliation of the customer's, or None."""
        rows = self._rows("SELECT body FROM reconciliations WHERE fingerprint = :it", it=fingerprint)
        return Reconciliation.from_text(rows[0].body) if rows else None

    def sealed(self, reconciliation: str) -> dict[str, Artifact]:
        """Return by source where the rows are that a reconciliation of the customer's was made from."""
        rows = self._rows("SELECT source, rows FROM sealed_rows WHERE reconciliation = :it", it=reconciliation)
        return {row.source: Artifact.model_validate(row.rows) for row in rows}

    def corrections(self) -> tuple[tuple[Correction, datetime], ...]:
        """Return what was corrected of the customer's invoices, newest first, with when it was settled."""
        return tuple((Correction.from_text(row.body), row.at) for row in self._rows(_CORRECTIONS))

    def users(self) -> tuple[PortalUser, ...]:
        """Return who may see these pages, by id."""
        rows = self._rows("SELECT id, customer, email, name, role, zone FROM portal_users WHERE active ORDER BY id")
        return tuple(PortalUser.model_validate(dict(row._mapping), strict=False) for row in rows)

    def show_times_in(self, user: str, zone: str | None) -> None:
        """Keep the zone that times are shown to a user in; None: none of their own."""
        self._write("UPDATE portal_users SET zone = :zone WHERE id = :user", user=user, zone=zone)

    def contacts(self) -> tuple[Contact, ...]:
        """Return who is mailed beside the contract's address, oldest first."""
        rows = self._rows(
            "SELECT id, customer, email, made_by, made_at FROM billing_contacts WHERE ended_at IS NULL"
            " ORDER BY made_at, id"
        )
        return tuple(Contact(**row._mapping) for row in rows)

    def keep_contact(self, contact: Contact, most: int) -> bool:
        """Keep a contact, once for its id and its address; return False where it was not: there are `most` in force."""
        with self.database.writing(self.customer) as session:
            one_at_a_time(session, f"billing_contacts {self.customer}")
            session.connection().execute(text(_NEW_CONTACT), {**contact.model_dump(), "most": most})
            known = text("SELECT id FROM billing_contacts WHERE id = :id OR (email = :email AND ended_at IS NULL)")
            return session.connection().execute(known, contact.model_dump()).first() is not None

    def end_contact(self, contact: str, at: datetime) -> bool:
        """Mail a contact no more and return whether there is one of this id; a second time changes nothing."""
        self._write("UPDATE billing_contacts SET ended_at = :at WHERE id = :id AND ended_at IS NULL", id=contact, at=at)
        return bool(self._rows("SELECT id FROM billing_contacts WHERE id = :id", id=contact))

    def shares(self) -> tuple[Share, ...]:
        """Return the share links, newest first."""
        rows = self._rows(
            "SELECT id, customer, scope, made_by, made_at, expires_at, revoked_at FROM share_links"
            " ORDER BY made_at DESC, id"
        )
        return tuple(Share(**row._mapping) for row in rows)

    def share(self, share: Share, token: str) -> None:
        """Keep a share link; of its token only the hash."""
        self._write(
            "INSERT INTO share_links (id, link_sha256, customer, scope, made_by, made_at, expires_at)"
            " VALUES (:id, tieout.fingerprint_of(:token), :customer, :scope, :made_by, :made_at, :expires_at)",
            **share.model_dump(exclude={"revoked_at"}),
            token=token,
        )

    def revoke(self, share: str, at: datetime) -> bool:
        """Revoke a share link and return whether there is one of this id."""
        self._write("UPDATE share_links SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL", id=share, at=at)
        return bool(self._rows("SELECT id FROM share_links WHERE id = :id", id=share))

    def exports(self, most: int | None = 200) -> tuple[Export, ...]:
        """Return the files that were made last, newest first; None: all."""
        return tuple(Export(**row._mapping) for row in self._rows(_EXPORTS, id=None, most=most))

    def export(self, export_id: str) -> Export | None:
        """Return a file that was made, or None."""
        rows = self._rows(_EXPORTS, id=export_id, most=1)
        return Export(**rows[0]._mapping) if rows else None

    def keep_export(self, export: Export) -> None:
        """Keep that a file was made; once for its id."""
        self._write(
            "INSERT INTO exports"
            " (id, customer, period, kind, format, statement, rows_written, sha256, made_by, made_at)"
            " VALUES (:id, :customer, :period, :kind, :format, :statement, :rows_written, :sha256, :made_by, :made_at)"
            " ON CONFLICT (id) DO NOTHING",
            **export.model_dump(exclude={"total", "currency"}),
        )

    def standing_exports(self) -> tuple[StandingExport, ...]:
        """Return the files that are made of every month, by kind and format; the newest choice of each counts."""
        rows = self._rows(
            "SELECT DISTINCT ON (kind, format) customer, kind, format, wanted, chosen_by, recorded_at AS chosen_at"
            " FROM standing_exports ORDER BY kind, format, position DESC"
        )
        found = [dict(row._mapping) for row in rows]
        return tuple(StandingExport(**one) for one in found if one.pop("wanted"))

    def choose_export(self, kind: str, form: str, wanted: bool, by: str, at: datetime) -> None:
        """Append a choice whether a file is made of every month from now on."""
        self._write(
            "INSERT INTO standing_exports (customer, kind, format, wanted, chosen_by, recorded_at)"
            " VALUES (:customer, :kind, :format, :wanted, :by, :at)",
            customer=self.customer, kind=kind, format=form, wanted=wanted, by=by, at=at,
        )  # fmt: skip

    def alerts(self) -> tuple[Alert, ...]:
        """Return the alerts in force, oldest first."""
        rows = self._rows(
            "SELECT id, customer, kind, subject, threshold, currency, made_by, made_at, ended_at FROM alerts"
            " WHERE ended_at IS NULL ORDER BY made_at, id"
        )
        return tuple(Alert(**row._mapping) for row in rows)

    def keep_alert(self, alert: Alert, most: int) -> bool:
        """Keep an alert, once for its id; return False where it was not, as there are `most` in force.

        Counted and kept as one: of two set at once, the second counts the first.
        """
        with self.database.writing(self.customer) as session:
            one_at_a_time(session, f"alerts {self.customer}")
            session.connection().execute(text(_NEW_ALERT), {**alert.model_dump(exclude={"ended_at"}), "most": most})
            known = text("SELECT id FROM alerts WHERE id = :id")
            return session.connection().execute(known, {"id": alert.id}).first() is not None

    def end_alert(self, alert: str, at: datetime) -> bool:
        """End an alert and return whether there is one of this id."""
        self._write("UPDATE alerts SET ended_at = :at WHERE id = :id AND ended_at IS NULL", id=alert, at=at)
        return bool(self._rows("SELECT id FROM alerts WHERE id = :id", id=alert))

    def program_keys(self) -> tuple[CustomerKey, ...]:
        """Return the keys of the customer's programs, newest first; none shows its secret."""
        rows = self._rows(
            "SELECT id, customer, name, scopes, made_by, made_at, revoked_at FROM customer_keys"
            " ORDER BY made_at DESC, id"
        )
        return tuple(
            CustomerKey.model_validate({**row._mapping, "scopes": tuple(row.scopes)}, strict=False) for row in rows
        )

    def keep_key(self, key: CustomerKey, secret: str) -> None:
        """Keep a new key; its secret is told once and kept nowhere."""
        self._write(
            "INSERT INTO customer_keys (id, customer, name, key_sha256, scopes, made_by, made_at)"
            " VALUES (:id, :customer, :name, tieout.fingerprint_of(:secret), :scopes, :made_by, :made_at)",
            **{**key.model_dump(exclude={"revoked_at"}), "scopes": [scope.value for scope in key.scopes]},
            secret=secret,
        )

    def revoke_key(self, key: str, at: datetime) -> bool:
        """Revoke a key and return whether there is one of this id; a second time changes nothing."""
        self._write("UPDATE customer_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL", id=key, at=at)
        return bool(self._rows("SELECT id FROM customer_keys WHERE id = :id", id=key))

    def looked(self, who: str, what: str, at: datetime) -> None:
        """Log who looked at what."""
        self._write(
            "INSERT INTO views (face, customer, who, what, recorded_at) VALUES ('portal', :customer, :who, :what, :at)",
            customer=self.customer,
            who=who,
            what=what,
            at=at,
        )

    def _rows(self, sql: str, **named: Any) -> Sequence[Any]:
        with self.database.reading(self.customer) as session:
            return session.connection().execute(text(sql), named).all()

    def _write(self, sql: str, **named: Any) -> None:
        with self.database.writing(self.customer) as session:
            session.connection().execute(text(sql), named)
