"""Read what a ClickHouse client asks over HTTP: statement, parameters, settings, and the bytes to insert."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]
import zstandard
from starlette.requests import Request

# Consumed by the HTTP layer of a ClickHouse server; the engine would refuse them as unknown settings.
TRANSPORT = frozenset(
    {
        "query",
        "database",
        "user",
        "password",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "quota_key",
        "compress",
        "decompress",
        "role",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
        "cancel_http_readonly_queries_on_client_close",
        "default_format",
    }
)
HEAD_BYTES = 65_536
INSERT_HEAD = re.compile(rb"\s*(INSERT\s+INTO\s.*?)\s+FORMAT\s+(\w+)[ \t]*(?:\r?\n|$)", re.IGNORECASE | re.DOTALL)
# Each request gets a connection of its own, so these would be forgotten at its end. Refused rather than silently lost.
OF_A_SESSION = re.compile(r"\s*(SET\s|USE\s|CREATE\s+(OR\s+REPLACE\s+)?TEMPORARY\s)", re.IGNORECASE)


class Unserved(Exception):
    """The request is well formed, and the front does not do it. Carries a ClickHouse error code and name."""

    def __init__(self, code: int, name: str, message: str) -> None:
        self.code = code
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")


@dataclass(frozen=True)
class Query:
    """A statement to run. `insert_format` is set when `data` carries the rows of an INSERT in that format."""

    statement: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    database: str | None
    waits_for_end: bool
    insert_format: str | None
    data: AsyncIterator[bytes]


async def read(request: Request) -> Query:
    """Return what `request` asks: the statement from the URL, the head of the body or a form, as ClickHouse takes it.

    Raises:
        Unserved: statements that need a session, files in forms, unknown content encodings.
    """
    asked = dict(request.query_params)
    body = _inflated(request)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        asked |= _form(request.headers["content-type"], b"".join([part async for part in body]))
        body = _nothing()
    statement, insert_format, data = await _statement(asked.get("query", ""), body)
    if OF_A_SESSION.match(statement):
        raise Unserved(
            48, "NOT_IMPLEMENTED", "This front keeps no sessions: SET, USE and temporary tables would be forgotten."
        )
    return Query(
        statement=statement,
        parameters={name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")},
        settings={
            name: value for name, value in asked.items() if name not in TRANSPORT and not name.startswith("param_")
        },
        database=asked.get("database"),
        waits_for_end=asked.get("wait_end_of_query") == "1",
        insert_format=insert_format,
        data=data,
    )


async def _statement(in_url: str, body: AsyncIterator[bytes]) -> tuple[str, str | None, AsyncIterator[bytes]]:
    if head := INSERT_HEAD.fullmatch(in_url.encode()):
        return head[1].decode(), head[2].decode(), body
    read_so_far = b""
    async for part in body:
        read_so_far += part
        head = INSERT_HEAD.match(read_so_far[:HEAD_BYTES]) if not in_url else None
        # A head that ends where the part does may be cut short ("FORMAT Nat"): only a line end is sure to end it.
        if head is not None and head[0].endswith(b"\n"):
            return head[1].decode(), head[2].decode(), _chained(read_so_far[head.end() :], body)
    text = read_so_far.decode(errors="surrogateescape")
    return (f"{in_url}\n{text}" if in_url and text else in_url or text), None, _nothing()


def _form(content_type: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=policy.HTTP)
    fields: dict[str, str] = {}
    assert isinstance(message, EmailMessage)
    for part in message.iter_parts():
        if part.get_filename() is not None:
            raise Unserved(48, "NOT_IMPLEMENTED", "This front takes no external tables.")
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        fields[str(name)] = payload.decode()
    return fields


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, /) -> bytes: ...


DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


async def _inflated(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it was before compression; clients compress each block as a frame of its own."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        async for part in request.stream():
            yield part
        return
    if encoding not in DECODERS:
        raise Unserved(432, "UNKNOWN_CODEC", f"Content-Encoding {encoding} is not served.")
    decoder = DECODERS[encoding]()
    async for part in request.stream():
        left: bytes | None = part
        while left:
            if decoder.eof:
                decoder = DECODERS[encoding]()
            yield decoder.decompress(left)
            left = decoder.unused_data if decoder.eof else None


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for part in rest:
        yield part


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
