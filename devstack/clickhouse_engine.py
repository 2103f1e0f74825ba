"""Run one statement on the engine (chdb), and give its result as bytes in the format asked for."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import chdb
import pyarrow as pa

# The engine hands out each block as a self-contained encoding. Laid end to end these are valid in formats without a
# global head or foot only; ArrowStream is built from record batches; every other format is made in one piece.
STREAMED = frozenset({"native", "tabseparated", "tsv", "csv", "rowbinary", "jsoneachrow"})
STREAMABLE = re.compile(r"\s*\(*\s*(SELECT|WITH|FROM)\b", re.IGNORECASE)  # the engine streams nothing else
FORMAT_AT_THE_END = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
YIELDS_ROWS = re.compile(r"\s*\(*\s*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXPLAIN|EXISTS|CHECK|FROM)\b", re.IGNORECASE)
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Statement:
    """A statement on a connection of its own, closed at its end, so that nothing of it reaches another request.

    Methods may be called from changing threads, one at a time; `close` waits for a call under way.
    """

    def __init__(self, data_path: str, sql: str, parameters: Mapping[str, str]) -> None:
        self.sql = sql
        self._parameters = dict(parameters)
        self._lock = threading.Lock()
        self._connection = chdb.connect(data_path)
        self._inserter: Any = None  # chdb has no types for it
        found = FORMAT_AT_THE_END.search(sql)
        self.format = found[1] if found else "TabSeparated"
        self.yields_rows = YIELDS_ROWS.match(sql) is not None

    def prepare(self, database: str | None, settings: Mapping[str, str]) -> None:
        """Enter a database and apply settings.

        Raises:
            RuntimeError: the engine knows no such database or setting.
        """
        with self._lock:
            if database is not None:
                self._connection.query(f"USE {_identifier(database)}")
            for name, value in settings.items():
                if not SETTING_NAME.fullmatch(name):
                    raise RuntimeError(f"Code: 115. DB::Exception: Unknown setting '{name}' (UNKNOWN_SETTING)")
                self._connection.query(f"SET {name} = {_literal(value)}")

    def chunks(self) -> Iterator[bytes]:
        """Yield the result piece by piece.

        Raises:
            RuntimeError: the engine refused, or failed on the way; the message starts with `Code:`.
        """
        kind = self.format.lower()
        if STREAMABLE.match(self.sql) is None or kind not in STREAMED | {"arrowstream"}:
            yield self._all()
        elif kind == "arrowstream":
            yield from self._arrow()
        else:
            yield from self._blocks(kind)

    def open_insert(self, input_format: str) -> None:
        """Begin an INSERT whose rows follow as bytes in `input_format`."""
        with self._lock:
            self._inserter = self._connection.send_insert(self.sql, input_format)

    def append(self, data: bytes) -> None:
        """Add bytes to the INSERT."""
        assert self._inserter is not None
        with self._lock:
            self._inserter.append(data)

    def commit_insert(self) -> int:
        """Finish the INSERT, and return how many rows were written."""
        assert self._inserter is not None
        with self._lock:
            rows: int = self._inserter.finish().rows_written
        return rows

    def close(self) -> None:
        """Abandon what is under way and give the connection back. Safe to repeat."""
        with self._lock:
            if self._inserter is not None:
                self._inserter.cancel()
            self._connection.close()

    def _all(self) -> bytes:
        with self._lock:
            result: bytes = self._connection.query(self.sql, self.format, params=self._parameters).bytes()
        return result

    def _blocks(self, kind: str) -> Iterator[bytes]:
        with self._lock:
            stream: Any = self._connection.send_query(self.sql, self.format, params=self._parameters)
        rows = 0
        try:
            while True:
                with self._lock:
                    block = stream.fetch()
                if block is None:
                    break
                rows += block.rows_read()
                yield block.bytes()
        finally:
            with self._lock:
                stream.close()
        if rows == 0 and kind == "native":
            yield self._native_head()

    def _arrow(self) -> Iterator[bytes]:
        sink = io.BytesIO()
        with self._lock:
            stream: Any = self._connection.send_query(
                FORMAT_AT_THE_END.sub("", self.sql), "Arrow", params=self._parameters
            )
            reader = stream.record_batch(rows_per_batch=65_536)
            writer = pa.ipc.new_stream(sink, reader.schema)
        try:
            while True:
                with self._lock:
                    batch = next(reader, None)
                if batch is None:
                    break
                writer.write_batch(batch)
                yield sink.getvalue()
                sink.seek(0)
                sink.truncate()
        finally:
            with self._lock:
                stream.close()
        writer.close()
        yield sink.getvalue()

    def _native_head(self) -> bytes:
        """Return the block of no rows that a server sends for an empty result, and the engine leaves out."""
        described = FORMAT_AT_THE_END.sub("", self.sql).strip().rstrip(";")
        with self._lock:
            answer = self._connection.query(f"DESCRIBE ({described})", "JSONEachRow", params=self._parameters).bytes()
        columns = [json.loads(line) for line in answer.splitlines()]
        texts = [text for column in columns for text in (column["name"], column["type"])]
        return (
            _varint(len(columns))
            + _varint(0)
            + b"".join(_varint(len(raw)) + raw for raw in (text.encode() for text in texts))
        )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(text: str) -> str:
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"
