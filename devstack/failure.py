"""What a component says when it does not start, with the end of its log."""

from __future__ import annotations

import os
from pathlib import Path

TAIL_BYTES = 8_192
TAIL_LINES = 20


class ServiceFailed(RuntimeError):
    """A component of the stack did not start, or ended while it was needed.

    Remedy: the tail of its log is in the message.
    """

    def __init__(self, service: str, reason: str, log: Path | None = None, log_from: int = 0) -> None:
        self.service = service
        self.reason = reason
        self.log = log
        self.tail = tail_of(log, log_from) if log is not None else ""
        where = f"\n--- the end of {log} ---\n{self.tail or '(nothing was written)'}" if log is not None else ""
        super().__init__(f"{service}: {reason}{where}")


class NotOurs(RuntimeError):
    """The environment names a real service in this one's place, so there is no process here to start, stop or kill."""

    def __init__(self, service: str, setting: str) -> None:
        self.service = service
        self.setting = setting
        super().__init__(f"{service} is the one named by {setting}; the stack did not start it and leaves it alone")


class StackAlreadyRunning(RuntimeError):
    """Another stack uses this state folder. Remedy: stop it, or give this one a folder of its own."""

    def __init__(self, state: Path, owner_pid: int) -> None:
        self.state = state
        self.owner_pid = owner_pid
        super().__init__(f"a stack already runs on {state} (process {owner_pid})")


def tail_of(log: Path, log_from: int = 0) -> str:
    """Return the last lines of a log, at most 20 lines and 8 KiB, none from before byte `log_from`.

    An absent log is empty.
    """
    if not log.exists():
        return ""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(log_from, size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-TAIL_LINES:])
