"""Webhooks: a TLS server on this machine that keeps every event it is sent as a file; `python -m devstack.webhooks`.

It answers 200, or what its address asks for: /status/503 answers 503.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from devstack.certificates import LASTS, Certificates, files_in, make
from devstack.children import Command, bare_environment
from devstack.services import Service

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 65_536


class Webhooks(Service):
    """A customer's own system, as far as it listens: it keeps what it is told."""

    name = "webhooks"

    @property
    def url(self) -> str:
        """Return its address: its certificate is good for this name, to who trusts its authority."""
        return f"https://localhost:{self._port()}/tieout"

    @property
    def authority(self) -> Path:
        """Return whose certificates count in this stack."""
        return files_in(self._state.folder(self.name)).authority

    @property
    def key(self) -> str:
        """Return the key that seals the secrets of endpoints in this stack."""
        digest = hashlib.sha256(self._state.secret(self.name, "key").encode()).digest()
        return base64.urlsafe_b64encode(digest).decode()

    @property
    def secret(self) -> str | None:
        """Return the secret of its endpoint, once it was told one."""
        kept = self._state.recall(self.name).get("secret")
        return kept if isinstance(kept, str) else None

    def keep_secret(self, secret: str) -> None:
        """Keep the secret of its endpoint, as a receiver does, to check events by."""
        self._state.remember(self.name, {"secret": secret})

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return what it was told, in the order it came."""
        return received(self._state.folder(self.name))

    def prepare(self) -> None:
        """Make its certificates, unless there are some that last."""
        folder = self._state.folder(self.name)
        found = files_in(folder)
        if not found.complete or found.certificate.stat().st_mtime < time.time() - LASTS.total_seconds() / 2:
            make(folder)

    def command(self) -> Command:
        """Return the process."""
        folder = self._state.folder(self.name)
        return Command(
            argv=(sys.executable, "-m", "devstack.webhooks"),
            cwd=ROOT,
            environment=bare_environment(
                folder, {"PYTHONPATH": str(ROOT), "WEBHOOKS_PORT": str(self._port()), "WEBHOOKS_FOLDER": str(folder)}
            ),
        )

    def answers(self) -> bool:
        """Return whether it shows its certificate."""
        tls = ssl.create_default_context(cafile=str(self.authority))
        try:
            with socket.create_connection(("127.0.0.1", self._port()), timeout=2) as one:
                tls.wrap_socket(one, server_hostname="localhost").close()
        except OSError:
            return False
        return True


def is_signed(event: dict[str, Any], secret: str) -> bool:
    """Return whether an event is signed by a secret, worked out as its receiver does by the specification."""
    headers, key = event["headers"], base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{event['body']}"
    expected = base64.b64encode(hmac.new(key, said.encode(), hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split(" ")


class Keeper(ThreadingHTTPServer):
    """A TLS server that keeps what is posted to it: headers and body, in the order it came."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int, certificates: Certificates) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.certificate, certificates.key)
        # The handshake is made by the thread of a connection: one that never begins it holds nobody else.
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who hangs up: a client that does not like our certificate does."""

    def keep(self, path: str, headers: dict[str, str], body: str) -> None:
        """Keep one request whole under the next number."""
        with self.lock:
            number = len(list(self.folder.glob("*.json"))) + 1
            part = self.folder / f"{number:06}.part"
            part.write_text(json.dumps({"path": path, "headers": headers, "body": body}))
            part.rename(part.with_suffix(".json"))


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Keeper
    timeout = 20

    def do_POST(self) -> None:
        """Keep an event and answer."""
        length = min(int(self.headers.get("content-length", "0")), MOST_BYTES)
        body = self.rfile.read(length).decode()
        self.server.keep(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        asked = re.fullmatch(r"/status/(\d{3})", self.path)
        self.send_response(int(asked[1]) if asked else 200)
        if asked and asked[1].startswith("3"):
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: what came is in the folder."""


def received(folder: Path) -> list[dict[str, Any]]:
    """Return what was posted, in the order it came: path, headers by lower-case name, body."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    folder = Path(os.environ["WEBHOOKS_FOLDER"])
    keeper = Keeper(folder, int(os.environ["WEBHOOKS_PORT"]), files_in(folder))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=keeper.shutdown).start())
    keeper.serve_forever()
    sys.exit(0)


if __name__ == "__main__":
    main()
