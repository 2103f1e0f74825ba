"""Sources: the demo month written into a real ClickHouse table, a PostHog batch export and a spreadsheet."""

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import clickhouse_connect
import httpx
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from billing.rating.rates import RateBook
from devstack.book import faults, seed
from devstack.book.calls import HABITS, Usage
from devstack.book.faults import Reported
from models.period import local_day
from models.value import decimal_text

TABLE = """
CREATE TABLE IF NOT EXISTS usage_events (
    id String, account LowCardinality(String), meter LowCardinality(String), quantity Decimal(38, 12),
    timestamp DateTime64(6, 'UTC'), received_at DateTime64(6, 'UTC'), dimensions Map(String, String)
) ENGINE = MergeTree ORDER BY (account, meter, timestamp)
"""
COLUMNS = ("id", "account", "meter", "quantity", "timestamp", "received_at", "dimensions")
LATENCY = timedelta(seconds=20)
SHEET_ZONE = "America/Los_Angeles"


def write_clickhouse(dsn: str, usage: Sequence[Usage]) -> int:
    """Write the events into ClickHouse and return how many rows it holds."""
    with clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False) as client:
        client.command(TABLE)
        rows = [
            (
                x.usage.id,
                x.account,
                x.usage.meter,
                x.usage.quantity,
                x.usage.at,
                x.usage.at + LATENCY,
                dict(x.usage.dimensions),
            )
            for x in faults.as_clickhouse(usage)
            for _ in range(x.deliveries)
        ]
        client.insert("usage_events", rows, column_names=list(COLUMNS))
        return len(rows)


def write_posthog(s3: Any, bucket: str, usage: Sequence[Usage], double: str | None, prefix: str = "posthog/") -> int:
    """Write daily export files named by their interval, as PostHog does, and return how many.

    `double`: the address of the stack's PostHog, which is told each event once and answers for its own totals; None
    where the project is a real one.

    Odd days are Parquet, even days JSON lines (zstd or gzip); a run delivered twice stands in two files; a day
    without events has none; fields we do not know are there.
    """
    by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
    again: dict[date, list[dict[str, Any]]] = defaultdict(list)
    captured: list[dict[str, Any]] = []
    for event, deliveries, ingested in _events(list(faults.as_posthog(usage))):
        captured.append(event)
        by_day[ingested.date()].append(event)
        if deliveries > 1:
            again[ingested.date()].append(event)
    files = 0
    for day, events in sorted(by_day.items()):
        for part, rows in enumerate((events, again[day])):
            if rows:
                name, body = _part(day, part, rows)
                s3.put_object(Bucket=bucket, Key=f"{prefix}{day:%Y/%m/%d}/events/{name}", Body=body)
                files += 1
    if double is not None:
        httpx.post(f"{double}/_load", content=_lines(captured), timeout=60).raise_for_status()
    return files


def _lines(events: Sequence[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(one, default=lambda at: at.isoformat()) for one in events).encode()


def _events(reported: Sequence[Reported]) -> Iterable[tuple[dict[str, Any], int, datetime]]:
    """Yield events as PostHog has them: a call's meters are properties of one event, its model's of another."""
    catalog = Catalog()
    grouped: dict[str, list[Reported]] = defaultdict(list)
    for one in reported:
        grouped[one.usage.id].append(one)
    for uuid, parts in grouped.items():
        first = parts[0]
        values = {x.usage.meter: x.usage for x in parts}
        ingested = first.usage.at + LATENCY
        properties: dict[str, Any] = {"organization": first.account, "$lib": "posthog-python"}
        if "call.minutes" in values:
            name = "call_completed"
            stt, tts = values["stt.minutes"], values["tts.characters"]
            properties |= {
                "minutes": _number(values["call.minutes"].quantity),
                "transport_minutes": _number(values["transport.minutes"].quantity),
                "transport_provider": values["transport.minutes"].dimensions["provider"],
                "transcriber_minutes": _number(stt.quantity),
                "transcriber_provider": stt.dimensions["provider"],
                "transcriber_model": stt.dimensions["model"],
                "voice_characters": int(tts.quantity),
                "voice_provider": tts.dimensions["provider"],
                "voice_model": tts.dimensions["model"],
            }
        else:
            name = "$ai_generation"
            model = values["llm.input_tokens"]
            properties |= {
                "$ai_provider": model.dimensions["provider"],
                "$ai_model": model.dimensions["model"],
                "$ai_input_tokens": int(model.quantity),
                "$ai_cache_read_input_tokens": int(values["llm.cached_tokens"].quantity),
                "$ai_output_tokens": int(values["llm.output_tokens"].quantity),
            }
            if "own_key" in model.dimensions:
                properties["own_key"] = True
            else:
                right = catalog.cost([x.usage for x in parts])
                cost = faults.own_cost(model.dimensions["provider"], model.dimensions["model"], first.usage.at, right)
                properties["$ai_total_cost_usd"] = _number(cost)
        event = {
            "uuid": uuid,
            "event": name,
            "distinct_id": first.account,
            "properties": properties,
            "timestamp": first.usage.at,
            "_inserted_at": ingested,
            "person_id": None,
        }
        yield event, first.deliveries, ingested


def double_of(url: str) -> str | None:
    """Return the address of the stack's PostHog double, or None where it is a real one."""
    return url if url.startswith("http://127.0.0.1:") else None


class Catalog:
    """What the catalog says usage costs: PostHog's own model table, right but for the planted drift."""

    def __init__(self) -> None:
        self._rates = RateBook.of(seed.rates())

    def cost(self, usage: Iterable[Usage]) -> Decimal:
        """Return the list price of some meters of one event, at its instant."""
        whole = Decimal(0)
        for one in usage:
            version = self._rates.rate_in_force(seed.CARD, one.meter, dict(one.dimensions), one.at)
            whole += one.quantity * version.amount / version.per
        return whole


def _number(quantity: Decimal) -> float:
    """Return a quantity as JSON has it; its shortest text is the decimal again."""
    number = float(decimal_text(quantity))
    if Decimal(repr(number)) != quantity:
        raise ValueError(f"{quantity} does not survive JSON")
    return number


def _part(day: date, part: int, rows: list[dict[str, Any]]) -> tuple[str, bytes]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    stem = f"{start.isoformat()}-{(start + timedelta(days=1)).isoformat()}" + (f"-{part}" if part else "")
    if day.day % 2:
        table = pa.table(
            {
                "uuid": [row["uuid"] for row in rows],
                "event": [row["event"] for row in rows],
                "distinct_id": [row["distinct_id"] for row in rows],
                "properties": [json.dumps(row["properties"]) for row in rows],
                "timestamp": pa.array([row["timestamp"] for row in rows], pa.timestamp("us", tz="UTC")),
                "_inserted_at": pa.array([row["_inserted_at"] for row in rows], pa.timestamp("us", tz="UTC")),
                "team_id": [1] * len(rows),
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return f"{stem}.parquet", sink.getvalue()
    text = _lines(rows)
    if day.day % 4:
        return f"{stem}.jsonl.zst", zstandard.compress(text)
    return f"{stem}.jsonl.gz", gzip.compress(text, mtime=0)


def write_sheet(s3: Any, bucket: str, month: str, usage: Sequence[Usage], prefix: str = "sheets/") -> int:
    """Write the team's workbook: minutes and messages a day, phone numbers on the 1st; return its rows."""
    book = openpyxl.Workbook(write_only=True)
    rows = 0
    through = _last_day(month)
    for title, meter in (("Minutes", "call.minutes"), ("Messages", "sms.segments")):
        sheet = book.create_sheet(title)
        sheet.append([f"{title} {month}, kept by operations"])
        sheet.append(["Complete through", through])
        sheet.append([])
        sheet.append(["Customer", "Meter", "Date", "Qty"])
        for (customer, day), quantity in sorted(_daily(usage, meter).items()):
            if day.strftime("%Y-%m") == month:
                sheet.append([customer, meter, day, _number(faults.sheet_quantity(customer, meter, quantity))])
                rows += 1
        sheet.append(["Total", None, None, f"=SUM(D5:D{rows + 4})"])
    numbers = book.create_sheet("Numbers")
    numbers.append(["Client", "Usage", "Day", "Units"])
    for customer, habit in sorted(HABITS.items()):
        if habit.numbers:
            numbers.append([customer, "numbers", date.fromisoformat(f"{month}-01"), habit.numbers])
            rows += 1
    sink = io.BytesIO()
    book.save(sink)
    s3.put_object(Bucket=bucket, Key=f"{prefix}{month}.xlsx", Body=sink.getvalue())
    return rows


def _daily(usage: Sequence[Usage], meter: str) -> dict[tuple[str, date], Decimal]:
    sums: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for one in usage:
        if one.meter == meter:
            sums[one.customer, local_day(one.at, faults.sheet_zone(one.customer, SHEET_ZONE))] += one.quantity
    return sums


def _last_day(month: str) -> date:
    return (date.fromisoformat(f"{month}-28") + timedelta(days=4)).replace(day=1) - timedelta(days=1)
