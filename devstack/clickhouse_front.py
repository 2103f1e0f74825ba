"""Serve the ClickHouse engine over ClickHouse's HTTP interface, for the genuine clickhouse-connect.

Run as `python -m devstack.clickhouse_front` with FRONT_PORT, FRONT_USER, FRONT_PASSWORD and FRONT_DATA set.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import re
import secrets
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from devstack.clickhouse_engine import Statement
from devstack.clickhouse_request import Query, Unserved, read

BUFFER_BYTES = 32 * 1024 * 1024  # what a waiting result may take in memory; the rest goes to a temporary file
ERROR_CODE = re.compile(r"Code: (\d+)")


class Front:
    """The HTTP interface over one data path. Only `user` with `password` gets in."""

    def __init__(self, data_path: str, user: str, password: str) -> None:
        self._data_path = data_path
        self._user = user
        self._password = password

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/ping", self.ping, methods=["GET"]),
                Route("/", self.query, methods=["GET", "POST"]),
            ]
        )

    async def ping(self, _request: Request) -> Response:
        """Answer that the engine is there; asks for no password, as the server does not."""
        return PlainTextResponse("Ok.\n")

    async def query(self, request: Request) -> Response:
        """Run one statement. An error before the first byte has an HTTP status; a later one ends the body, tagged."""
        if not self._let_in(request):
            return _error(
                "Code: 516. DB::Exception: Authentication failed: wrong user or password. (AUTHENTICATION_FAILED)", 401
            )
        try:
            query = await read(request)
            statement = Statement(self._data_path, query.statement, query.parameters)
        except Unserved as refusal:
            return _error(str(refusal), 501)
        except RuntimeError as error:
            return _error(str(error), 500)
        try:
            await asyncio.to_thread(statement.prepare, query.database, query.settings)
            answer = await (self._insert(statement, query) if query.insert_format else self._select(statement, query))
        except RuntimeError as error:  # the engine's errors, each with its code in the text
            await asyncio.to_thread(statement.close)
            return _error(str(error), 500)
        except BaseException:
            await asyncio.to_thread(statement.close)
            raise
        return answer

    async def _insert(self, statement: Statement, query: Query) -> Response:
        assert query.insert_format is not None
        await asyncio.to_thread(statement.open_insert, query.insert_format)
        async for part in query.data:
            if part:
                await asyncio.to_thread(statement.append, part)
        rows = await asyncio.to_thread(statement.commit_insert)
        await asyncio.to_thread(statement.close)
        return Response(headers=_headers({"X-ClickHouse-Summary": json.dumps({"written_rows": str(rows)})}))

    async def _select(self, statement: Statement, query: Query) -> Response:
        chunks = statement.chunks()
        tag = secrets.token_hex(8)
        headers = _headers({"X-ClickHouse-Exception-Tag": tag})
        if statement.yields_rows:
            headers |= {"X-ClickHouse-Format": statement.format, "X-ClickHouse-Timezone": "UTC"}
        if query.waits_for_end:
            return await self._whole(statement, chunks, headers)
        first = await asyncio.to_thread(next, chunks, b"")
        return StreamingResponse(
            _body(statement, first, chunks, tag), headers=headers, media_type="application/octet-stream"
        )

    async def _whole(self, statement: Statement, chunks: Iterator[bytes], headers: dict[str, str]) -> Response:
        """Answer only when the last row is there, so that every error has its HTTP status."""
        kept = tempfile.SpooledTemporaryFile(max_size=BUFFER_BYTES)  # noqa: SIM115 (closed by the response's iterator)
        try:
            while chunk := await asyncio.to_thread(next, chunks, b""):
                kept.write(chunk)
        except BaseException:
            kept.close()
            raise
        await asyncio.to_thread(statement.close)
        size = kept.tell()
        kept.seek(0)

        def pieces() -> Iterator[bytes]:
            with kept:
                while piece := kept.read(1024 * 1024):
                    yield piece

        headers |= {"Content-Length": str(size)}
        return StreamingResponse(pieces(), headers=headers, media_type="application/octet-stream")

    def _let_in(self, request: Request) -> bool:
        user, password = request.headers.get("x-clickhouse-user", ""), request.headers.get("x-clickhouse-key", "")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return False
        expected = f"{self._user}:{self._password}"
        return secrets.compare_digest(f"{user}:{password}".encode(), expected.encode())


async def _body(statement: Statement, first: bytes, chunks: Iterator[bytes], tag: str) -> AsyncIterator[bytes]:
    try:
        chunk = first
        while chunk:
            yield chunk
            chunk = await asyncio.to_thread(next, chunks, b"")
    except RuntimeError as error:
        # The status line is long gone. This is how a server says it (25.11 and later), and what clients look for.
        message = f"{error}\n".removeprefix("Streaming query failed: ").encode()
        yield b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (
            tag.encode(),
            message,
            len(message),
            tag.encode(),
        )
    finally:
        # Not awaited: after a client went away this runs in a cancelled task, while a thread may still fetch.
        asyncio.get_running_loop().run_in_executor(None, statement.close)


def _headers(more: dict[str, str]) -> dict[str, str]:
    return {"X-ClickHouse-Query-Id": str(uuid.uuid4()), "X-ClickHouse-Server-Display-Name": "tieout-devstack", **more}


def _error(message: str, status: int) -> Response:
    message = message.removeprefix("Streaming query failed: ")
    code = ERROR_CODE.search(message)
    return PlainTextResponse(
        f"{message}\n", status, headers=_headers({"X-ClickHouse-Exception-Code": code[1] if code else "1000"})
    )


def main() -> None:
    """Serve until SIGTERM. The event loop's sockets have Nagle's algorithm off: a query takes 1 ms instead of 40."""
    front = Front(os.environ["FRONT_DATA"], os.environ["FRONT_USER"], os.environ["FRONT_PASSWORD"])
    config = uvicorn.Config(
        front.app(),
        host="127.0.0.1",
        port=int(os.environ["FRONT_PORT"]),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
