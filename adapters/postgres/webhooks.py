"""Webhooks: endpoints, what is on its way to them, every try, and how each delivery ended. All but ends are appended.

A door for one customer names it in every transaction, and the database shows and takes no other's rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from adapters.postgres.sessions import Database, one_at_a_time
from models.notice import Notice
from models.webhook import (
    ENDPOINTS,
    TYPES,
    Answer,
    Attempt,
    Delivery,
    DeliveryView,
    Endpoint,
    EndpointView,
    EventType,
    Outcome,
    Sealed,
)

_NEW = """
    INSERT INTO webhook_deliveries (endpoint, customer, notice, number, asked_at)
    SELECT e.id, e.customer, n.id, 1, :at
    FROM webhook_endpoints e
    JOIN notices n ON n.customer = e.customer AND n.recorded_at >= e.made_at
    JOIN unnest(CAST(:kinds AS text[]), CAST(:types AS text[])) AS t (kind, type) ON t.kind = n.kind
    WHERE e.ended_at IS NULL AND t.type = ANY (e.types) AND n.recorded_at >= :since
    ORDER BY n.position, e.id
    ON CONFLICT (endpoint, notice, number) DO NOTHING
"""
_DUE = """
    SELECT d.endpoint, d.notice, d.number FROM webhook_deliveries d
    CROSS JOIN LATERAL (
        SELECT max(a.tried_at) AS at FROM webhook_attempts a
        WHERE (a.endpoint, a.notice, a.number) = (d.endpoint, d.notice, d.number)
    ) last
    WHERE d.asked_at >= :since AND (last.at IS NULL OR last.at < :quiet_since) AND NOT EXISTS (
            SELECT FROM webhook_outcomes o
            WHERE (o.endpoint, o.notice, o.number) = (d.endpoint, d.notice, d.number)
        )
    ORDER BY last.at NULLS FIRST, d.position LIMIT :most
"""
_ENDPOINTS = """
    SELECT id, customer, url, types, made_by, made_at, ended_at, ended_by FROM webhook_endpoints
    WHERE (CAST(:id AS text) IS NULL OR id = :id) AND (CAST(:customer AS text) IS NULL OR customer = :customer)
    ORDER BY made_at, id
"""
_SECRETS_SINCE = "SELECT endpoint, max(made_at) AS made_at FROM webhook_secrets GROUP BY endpoint"
_SHOWN = """
    SELECT endpoint, notice, number, asked_by, asked_at, position FROM webhook_deliveries
    WHERE endpoint = :endpoint AND (CAST(:notice AS text) IS NULL OR position < (
        SELECT b.position FROM webhook_deliveries b
        WHERE (b.endpoint, b.notice, b.number) = (:endpoint, :notice, CAST(:number AS integer))
    ))
    ORDER BY position DESC LIMIT :most
"""
_DELIVERIES = f"""
    SELECT d.endpoint, d.notice, d.number, d.asked_by, d.asked_at, n.body, o.outcome, NOT EXISTS (
        SELECT FROM webhook_deliveries l
        WHERE (l.endpoint, l.notice) = (d.endpoint, d.notice) AND l.number > d.number
    ) AS newest
    FROM ({_SHOWN}) d
    JOIN notices n ON n.id = d.notice
    LEFT JOIN webhook_outcomes o ON (o.endpoint, o.notice, o.number) = (d.endpoint, d.notice, d.number)
    ORDER BY d.position DESC
"""
_ATTEMPTS = f"""
    SELECT a.endpoint, a.notice, a.number, a.status, a.milliseconds, a.detail, a.tried_at
    FROM webhook_attempts a
    JOIN ({_SHOWN}) d USING (endpoint, notice, number)
    ORDER BY a.position
"""
_LAST = """
    SELECT DISTINCT ON (endpoint) endpoint, notice, number, status, milliseconds, detail, tried_at
    FROM webhook_attempts ORDER BY endpoint, position DESC
"""
_REPLAY = """
    INSERT INTO webhook_deliveries (endpoint, customer, notice, number, asked_by, asked_at)
    SELECT d.endpoint, d.customer, d.notice, d.number + 1, :by, :at
    FROM webhook_deliveries d
    JOIN webhook_endpoints e ON e.id = d.endpoint AND e.ended_at IS NULL
    JOIN webhook_outcomes o ON (o.endpoint, o.notice, o.number) = (d.endpoint, d.notice, d.number)
    WHERE d.endpoint = :endpoint AND d.notice = :notice
    ORDER BY d.number DESC LIMIT 1
    ON CONFLICT (endpoint, notice, number) DO NOTHING
    RETURNING number
"""
_REPLAYING = """
    SELECT d.number FROM webhook_deliveries d
    JOIN webhook_endpoints e ON e.id = d.endpoint AND e.ended_at IS NULL
    WHERE d.endpoint = :endpoint AND d.notice = :notice AND d.asked_by = :by AND NOT EXISTS (
        SELECT FROM webhook_outcomes o WHERE (o.endpoint, o.notice, o.number) = (d.endpoint, d.notice, d.number)
    )
    ORDER BY d.number DESC LIMIT 1
"""
_CONCLUDE = """
    INSERT INTO webhook_outcomes (endpoint, customer, notice, number, outcome, concluded_at)
    SELECT endpoint, customer, notice, number, :outcome, :at FROM webhook_deliveries
    WHERE endpoint = :endpoint AND notice = :notice AND number = :number
    ON CONFLICT (endpoint, notice, number) DO NOTHING
"""


class PostgresWebhooks:
    """`activities.ports.WebhookBook`, and what an endpoint's owner sees and changes."""

    def __init__(self, database: Database, customer: str | None = None) -> None:
        self.database = database
        self.customer = customer

    def due(self, since: datetime, quiet_since: datetime, most: int, at: datetime) -> tuple[Delivery, ...]:
        """Write which notices since go to which endpoints, and return the deliveries nobody is at.

        First those never tried, in order; then those that go on and were not tried since `quiet_since`, quietest first.
        """
        named = {"kinds": [kind.value for kind in TYPES], "types": [one.value for one in TYPES.values()]}
        self._write(_NEW, **named, since=since, at=at)
        return tuple(
            Delivery(**row._mapping) for row in self._rows(_DUE, since=since, quiet_since=quiet_since, most=most)
        )

    def endpoint(self, endpoint: str) -> Endpoint | None:
        """Return an endpoint, or None."""
        found = self._endpoints(endpoint)
        return found[0] if found else None

    def secrets(self, endpoint: str) -> tuple[Sealed, ...]:
        """Return what signs and signed for an endpoint; for the worker alone."""
        rows = self._rows(
            "SELECT sealed, made_at FROM webhook_secrets WHERE endpoint = :it ORDER BY position", it=endpoint
        )
        return tuple(Sealed(**row._mapping) for row in rows)

    def outcome(self, delivery: Delivery) -> Outcome | None:
        """Return how a delivery ended, or None where it goes on."""
        rows = self._rows(
            "SELECT outcome FROM webhook_outcomes WHERE endpoint = :endpoint AND notice = :notice AND number = :number",
            **delivery.model_dump(),
        )
        return Outcome(rows[0].outcome) if rows else None

    def attempted(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Append a try, and how the delivery ended by it, if it did."""
        with self.database.writing(self.customer) as session:
            connection = session.connection()
            connection.execute(
                text(
                    "INSERT INTO webhook_attempts"
                    " (endpoint, customer, notice, number, status, milliseconds, detail, tried_at)"
                    " SELECT endpoint, customer, notice, number, :status, :milliseconds, :detail, :at"
                    " FROM webhook_deliveries WHERE endpoint = :endpoint AND notice = :notice AND number = :number"
                ),
                {**attempt.delivery.model_dump(), **attempt.answer.model_dump(), "at": attempt.tried_at},
            )
            if outcome is not None:
                named = {**attempt.delivery.model_dump(), "outcome": outcome.value, "at": attempt.tried_at}
                connection.execute(text(_CONCLUDE), named)

    def conclude(self, delivery: Delivery, outcome: Outcome, at: datetime) -> None:
        """Keep how a delivery ended; the first that is kept stands."""
        self._write(_CONCLUDE, **delivery.model_dump(), outcome=outcome.value, at=at)

    def end(self, endpoint: str, by: str, at: datetime) -> bool:
        """End an endpoint, and return whether there is one of this id."""
        self._write(
            "UPDATE webhook_endpoints SET ended_at = :at, ended_by = :by WHERE id = :it AND ended_at IS NULL",
            it=endpoint, by=by, at=at,
        )  # fmt: skip
        return self.endpoint(endpoint) is not None

    def add(self, endpoint: Endpoint, sealed: str, most: int = ENDPOINTS) -> bool:
        """Keep an endpoint with its first secret; return False where its address is told already, or `most` are.

        Counted and kept as one: of two added at once, the second counts the first.
        """
        named = {**endpoint.model_dump(exclude={"ended_at", "ended_by"}), "types": [str(one) for one in endpoint.types]}
        named["most"] = most
        with self.database.writing(self.customer) as session:
            one_at_a_time(session, f"webhook_endpoints {endpoint.customer}")
            made = session.connection().execute(
                text(
                    "INSERT INTO webhook_endpoints (id, customer, url, types, made_by, made_at)"
                    " SELECT :id, :customer, :url, :types, :made_by, :made_at WHERE :most > ("
                    "SELECT count(*) FROM webhook_endpoints WHERE customer = :customer AND ended_at IS NULL)"
                    " ON CONFLICT (customer, url) WHERE ended_at IS NULL DO NOTHING RETURNING id"
                ),
                named,
            )
            if made.first() is None:
                return False
            session.connection().execute(text(_SECRET), {**named, "endpoint": endpoint.id, "sealed": sealed})
        return True

    def add_secret(self, endpoint: Endpoint, sealed: str, by: str, at: datetime) -> None:
        """Append a secret that signs from now on; the one before signs beside it for a day."""
        self._write(_SECRET, endpoint=endpoint.id, customer=endpoint.customer, sealed=sealed, made_by=by, made_at=at)

    def replay(self, endpoint: str, notice: str, by: str, at: datetime) -> Delivery | None:
        """Ask for a delivery that has ended once more; None where none has, or the endpoint is ended itself.

        What the same one asked for and goes on still is not asked for a second time, and returned.
        """
        with self.database.writing(self.customer) as session:
            named = {"endpoint": endpoint, "notice": notice, "by": by, "at": at}
            connection = session.connection()
            row = (
                connection.execute(text(_REPLAY), named).first() or connection.execute(text(_REPLAYING), named).first()
            )
        return Delivery(endpoint=endpoint, notice=notice, number=row.number) if row is not None else None

    def views(self) -> tuple[EndpointView, ...]:
        """Return the endpoints, the oldest first, each with its newest secret's instant and its last try."""
        found = self._endpoints()  # first: one that is added meanwhile has its secret in what is read next
        since = {row.endpoint: row.made_at for row in self._rows(_SECRETS_SINCE)}
        last = {row.endpoint: _attempt(row) for row in self._rows(_LAST)}
        return tuple(EndpointView(endpoint=one, secret_since=since[one.id], last=last.get(one.id)) for one in found)

    def deliveries(self, endpoint: str, most: int, before: Delivery | None = None) -> tuple[DeliveryView, ...]:
        """Return the newest deliveries to an endpoint (asked for before another), newest first, with every try."""
        named = {"notice": before.notice if before else None, "number": before.number if before else None}
        tries: dict[Delivery, list[Attempt]] = defaultdict(list)
        for row in self._rows(_ATTEMPTS, endpoint=endpoint, most=most, **named):
            one = _attempt(row)
            tries[one.delivery].append(one)
        return tuple(_view(row, tries) for row in self._rows(_DELIVERIES, endpoint=endpoint, most=most, **named))

    def _endpoints(self, endpoint: str | None = None) -> tuple[Endpoint, ...]:
        rows = self._rows(_ENDPOINTS, id=endpoint, customer=self.customer)
        return tuple(Endpoint(**{**row._mapping, "types": tuple(EventType(one) for one in row.types)}) for row in rows)

    def _rows(self, sql: str, **named: Any) -> Sequence[Any]:
        with self.database.reading(self.customer) as session:
            return session.connection().execute(text(sql), named).all()

    def _write(self, sql: str, **named: Any) -> None:
        with self.database.writing(self.customer) as session:
            session.connection().execute(text(sql), named)


_SECRET = """
    INSERT INTO webhook_secrets (endpoint, customer, sealed, made_by, made_at)
    VALUES (:endpoint, :customer, :sealed, :made_by, :made_at)
"""


def _attempt(row: Any) -> Attempt:
    return Attempt(
        delivery=Delivery(endpoint=row.endpoint, notice=row.notice, number=row.number),
        answer=Answer(status=row.status, milliseconds=row.milliseconds, detail=row.detail),
        tried_at=row.tried_at,
    )


def _view(row: Any, tries: dict[Delivery, list[Attempt]]) -> DeliveryView:
    delivery, notice = Delivery(endpoint=row.endpoint, notice=row.notice, number=row.number), Notice.from_text(row.body)
    return DeliveryView(
        delivery=delivery,
        type=TYPES[notice.kind],
        subject=notice.subject,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        attempts=tuple(tries.get(delivery, ())),
        outcome=Outcome(row.outcome) if row.outcome else None,
        newest=row.newest,
    )
