"""The PostHog double: `/api/projects/ID/query/` over a list of events, with the limits its documentation names.

As a service of the stack (devstack/posthog_service.py) it is told its events by `/_load`, and keeps them in a file.

It answers one shape of HogQL, the aggregate that `adapters/posthog_query.py` asks, and refuses every other: the query
language itself is not rebuilt here. The batch export, the other surface, is files: `devstack/book/sources.py`.
"""

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

A_MINUTE, AN_HOUR = 240, 2_400
AT_ONCE = 3
SHAPE = re.compile(
    r"SELECT count\(\), sum\(quantity\) FROM"
    r" \(SELECT uuid, any\(toFloat\(properties\.`(?P<property>[^`]+)`\)\) AS quantity FROM events"
    r" WHERE event = '(?P<event>[^']+)'"
    r" AND timestamp >= toDateTime\('(?P<low>[^']+)', 'UTC'\) AND timestamp < toDateTime\('(?P<high>[^']+)', 'UTC'\)"
    r" AND created_at < toDateTime\('(?P<before>[^']+)', 'UTC'\)"
    r" AND properties\.`(?P=property)` IS NOT NULL GROUP BY uuid\)"
)


@dataclass
class PostHogDouble:
    """One project: its events as the export has them, and how many of them ten seconds are enough for."""

    events: list[dict[str, Any]]
    clock: Callable[[], float]  # seconds, of any origin
    project: str = "1"
    key: str = "phx_double"
    events_in_ten_seconds: int = 1_000_000
    file: Path | None = None  # where what is loaded is kept over a restart
    forgets_to_refresh: bool = False  # answers from its cache even where a fresh answer is asked for
    running: int = 0
    _asked: deque[float] = field(default_factory=deque)
    _cache: dict[str, list[Any]] = field(default_factory=dict)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/api/projects/{project}/query/", self.query, methods=["POST"]),
                Route("/_load", self.load, methods=["POST"]),
                Route("/_state", self.state, methods=["GET"]),
            ]
        )

    async def load(self, request: Request) -> Response:
        """Take events, one a line, as if they had been captured at their `_inserted_at`."""
        body = await request.body()
        self.events += _read(body.decode())
        if self.file is not None:
            with self.file.open("ab") as file:
                file.write(body.rstrip() + b"\n")
        return JSONResponse({"events": len(self.events)})

    async def state(self, _request: Request) -> Response:
        """Say how many events there are, and how many queries were answered freshly."""
        return JSONResponse({"events": len(self.events), "asked": len(self._asked)})

    async def query(self, request: Request) -> Response:
        """Answer one query, or refuse it as PostHog does."""
        signed = request.headers.get("Authorization", "")
        if not signed.startswith("Bearer "):
            return _refused(401, "authentication_error", "Authentication credentials were not provided.")
        if signed != f"Bearer {self.key}":
            return _refused(401, "authentication_error", "Invalid personal API key.")
        if request.path_params["project"] != self.project:
            return _refused(403, "permission_denied", "You do not have access to this project.")
        if (wait := self._wait()) > 0 or self.running >= AT_ONCE:
            headers = {"Retry-After": str(max(1, round(wait)))}
            return _refused(429, "throttled_error", "Request was throttled.", headers)
        body = await request.json()
        text = body.get("query", {}).get("query", "")
        shape = SHAPE.fullmatch(text)
        if body.get("query", {}).get("kind") != "HogQLQuery" or shape is None:
            return _refused(400, "validation_error", "The double answers one aggregate only.")
        fresh = body.get("refresh") == "force_blocking" and not self.forgets_to_refresh
        if text in self._cache and not fresh:
            return JSONResponse({"results": self._cache[text], "is_cached": True, "hasMore": False})
        row = self._aggregate(shape)
        if row is None:
            return _refused(504, "server_error", "Query timed out after 10 seconds.")
        self._cache[text] = [row]
        return JSONResponse({"results": [row], "is_cached": False, "hasMore": False})

    def _wait(self) -> float:
        """Return the seconds until another query is let in, and count this one where it is now."""
        now = self.clock()
        while self._asked and self._asked[0] <= now - 3600:
            self._asked.popleft()
        minute = [at for at in self._asked if at > now - 60]
        if len(minute) >= A_MINUTE:
            return minute[0] + 60 - now
        if len(self._asked) >= AN_HOUR:
            return self._asked[0] + 3600 - now
        self._asked.append(now)
        return 0

    def _aggregate(self, shape: re.Match[str]) -> list[Any] | None:
        low, high, before = (_clock(shape[name]) for name in ("low", "high", "before"))
        scanned = [event for event in self.events if low <= event["timestamp"] < high]
        if len(scanned) > self.events_in_ten_seconds:
            return None
        found = {
            event["uuid"]: float(event["properties"][shape["property"]])
            for event in scanned
            if event["event"] == shape["event"]
            and event["_inserted_at"] < before
            and event["properties"].get(shape["property"]) is not None
        }
        return [len(found), sum(found.values()) if found else None]


def _read(text: str) -> list[dict[str, Any]]:
    instants = ("timestamp", "_inserted_at")
    events: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line]
    return [one | {name: datetime.fromisoformat(one[name]) for name in instants} for one in events]


def _clock(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _refused(status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"type": kind, "code": kind, "detail": detail}, status, headers)


def main() -> None:
    """Serve until SIGTERM, with the events of the file."""
    file = Path(os.environ["DOUBLE_FILE"])
    events = _read(file.read_text()) if file.is_file() else []
    double = PostHogDouble(events, time.monotonic, os.environ["DOUBLE_PROJECT"], os.environ["DOUBLE_KEY"], file=file)
    port = int(os.environ["DOUBLE_PORT"])
    uvicorn.run(double.app(), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
