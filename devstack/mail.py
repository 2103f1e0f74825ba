"""Mail: an SMTP server that keeps every message as a file and delivers none; run as `python -m devstack.mail`."""

from __future__ import annotations

import os
import signal
import smtplib
import sys
import threading
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack.children import Command, bare_environment
from devstack.services import Service

ROOT = Path(__file__).resolve().parents[1]


class Mail(Service):
    """A mail server that keeps to itself."""

    name = "mail"

    @property
    def url(self) -> str:
        """Return its address."""
        return f"smtp://127.0.0.1:{self._port()}"

    @property
    def messages(self) -> tuple[EmailMessage, ...]:
        """Return what was handed to it, in the order it came."""
        return tuple(
            BytesParser(policy=default).parsebytes(path.read_bytes())
            for path in sorted(self._state.folder(self.name).glob("*.eml"))
        )

    def command(self) -> Command:
        """Return the process."""
        folder = self._state.folder(self.name)
        return Command(
            argv=(sys.executable, "-m", "devstack.mail"),
            cwd=ROOT,
            environment=bare_environment(
                folder, {"PYTHONPATH": str(ROOT), "MAIL_PORT": str(self._port()), "MAIL_FOLDER": str(folder)}
            ),
        )

    def answers(self) -> bool:
        """Return whether it says it is ready."""
        try:
            with smtplib.SMTP("127.0.0.1", self._port(), timeout=2) as server:
                return server.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False


class Keep:
    """What is done with a message: it is kept whole under the next number before the sender hears yes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a message and answer that it is accepted."""
        content = envelope.content or b""
        body = content if isinstance(content, bytes) else content.encode()
        with self._lock:
            number = len(list(self._folder.glob("*.eml"))) + 1
            part = self._folder / f"{number:06}.part"
            part.write_bytes(body)
            part.rename(part.with_suffix(".eml"))
        return "250 kept"


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    controller = Controller(
        Keep(Path(os.environ["MAIL_FOLDER"])), hostname="127.0.0.1", port=int(os.environ["MAIL_PORT"])
    )
    controller.start()
    over.wait()
    controller.stop()


if __name__ == "__main__":
    main()
