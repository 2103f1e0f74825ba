"""PostHog's query endpoint: totals that do not come from the export, to hold it against.

https://posthog.com/docs/api/queries : answers are cached unless `refresh` says otherwise; a query may take 10 seconds;
240 a minute, 2,400 an hour, 3 at once. Right for a few sums, never for lines.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx

from adapters.posthog import Metered, PostHogMapping
from models.period import Period
from models.refusal import Refusal, RetryLater
from models.snapshot import Total

PROPERTY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$ -]*")
SMALLEST_HOURS = 1
"""A window of one hour that takes too long is not halved again."""

DEFAULT_WAIT = 60.0


class QueryRefused(Refusal):
    """PostHog would not answer, or its answer is not one to rely on."""

    remedy = "Correct the project's id or key (scope query:read), or leave the cross-check out; nothing was sealed."


class PostHogQuery:
    """The export's `CrossCheck`: one aggregate a meter, halved in time where it takes too long."""

    def __init__(self, client: httpx.Client, project: str, key: str, mapping: PostHogMapping) -> None:
        self._client = client
        self._path = f"/api/projects/{project}/query/"
        self._key = key
        self._mapping = mapping

    def totals(self, window: Period, ingested_before: datetime) -> Mapping[str, Total]:
        """Return, by meter, the events of a window that were ingested by an instant, each uuid once.

        Raises:
            QueryRefused: the key, the project or the query is refused, or an answer is cached, cut off or too slow.
            RetryLater: a limit is reached, or PostHog is not to be spoken to now.
        """
        found: dict[str, Total] = {}
        for metered in self._mapping.metered:
            one = self._total(metered, window, ingested_before)
            before = found.get(metered.meter)
            if before:
                one = Total(events=before.events + one.events, quantity=before.quantity + one.quantity)
            found[metered.meter] = one
        return found

    def _total(self, metered: Metered, window: Period, before: datetime) -> Total:
        answer = self._ask(hogql(metered, window, before))
        if answer is not None:
            events, quantity = answer
            return Total(events=int(events), quantity=Decimal(str(quantity or 0)))
        length = window.ends_at - window.starts_at
        if length.total_seconds() <= SMALLEST_HOURS * 3600:
            raise QueryRefused("an hour of events takes longer than a query may", hour=window.starts_at.isoformat())
        middle = window.starts_at + length / 2
        halves = (
            Period(starts_at=window.starts_at, ends_at=middle),
            Period(starts_at=middle, ends_at=window.ends_at),
        )
        first, second = (self._total(metered, half, before) for half in halves)
        return Total(events=first.events + second.events, quantity=first.quantity + second.quantity)

    def _ask(self, query: str) -> tuple[Any, Any] | None:
        """Return an aggregate's one row, or None where it took too long."""
        body = {"query": {"kind": "HogQLQuery", "query": query}, "refresh": "force_blocking"}
        try:
            reply = self._client.post(self._path, json=body, headers={"Authorization": f"Bearer {self._key}"})
        except httpx.TransportError as error:
            raise RetryLater(f"PostHog cannot be reached: {error}", DEFAULT_WAIT) from error
        if reply.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise RetryLater("PostHog's limit is reached", _seconds(reply.headers.get("Retry-After")))
        if reply.status_code == HTTPStatus.GATEWAY_TIMEOUT or "timed out" in reply.text[:500].lower():
            return None
        if reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RetryLater(f"PostHog answers {reply.status_code}", DEFAULT_WAIT)
        if reply.status_code != HTTPStatus.OK:
            raise QueryRefused(f"PostHog answers {reply.status_code}: {reply.text[:200]}", path=self._path)
        return _row(reply.json())


def hogql(metered: Metered, window: Period, before: datetime) -> str:
    """Return the aggregate of one meter: each uuid once, by its own time, as ingested by an instant."""
    if PROPERTY.fullmatch(metered.quantity) is None:
        raise QueryRefused("a property cannot be named in a query", property=metered.quantity)
    value = f"properties.`{metered.quantity}`"
    event = metered.event.replace("\\", "\\\\").replace("'", "\\'")
    return (
        "SELECT count(), sum(quantity) FROM"
        f" (SELECT uuid, any(toFloat({value})) AS quantity FROM events WHERE event = '{event}'"
        f" AND timestamp >= toDateTime('{_clock(window.starts_at)}', 'UTC')"
        f" AND timestamp < toDateTime('{_clock(window.ends_at)}', 'UTC')"
        f" AND created_at < toDateTime('{_clock(before)}', 'UTC')"
        f" AND {value} IS NOT NULL GROUP BY uuid)"
    )


def _row(answer: Any) -> tuple[Any, Any]:
    if answer.get("is_cached"):
        raise QueryRefused("the answer comes from a cache, although a fresh one was asked for")
    rows = answer.get("results")
    if answer.get("hasMore") or not isinstance(rows, list) or len(rows) != 1 or len(rows[0]) != 2:
        raise QueryRefused("the answer is not the one row of an aggregate", answer=str(rows)[:200])
    return rows[0][0], rows[0][1]


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else DEFAULT_WAIT
