"""A mailbox for the embedded stack: takes every mail by SMTP and keeps it as a file; none leaves the machine.

python -m devstack.mail --port 2525 --folder .tieout/mail
"""

import secrets
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """Writes each mail as a file of its own, whole or not at all, in the order of arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = len(list(folder.glob("*.eml")))

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a mail."""
        self._count += 1
        made = self._folder / f"{secrets.token_hex(8)}.part"
        made.write_bytes(envelope.content if isinstance(envelope.content, bytes) else b"")
        made.rename(self._folder / f"{self._count:05d}.eml")
        return "250 kept"


def main(
    port: Annotated[int, typer.Option(help="On which port.")],
    folder: Annotated[Path, typer.Option(help="Where mail is kept.")],
) -> None:
    """Take mail until SIGINT or SIGTERM."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: over.set())
    controller = Controller(Mailbox(folder), hostname="127.0.0.1", port=port)
    controller.start()
    over.wait()
    controller.stop()


if __name__ == "__main__":
    typer.run(main)
