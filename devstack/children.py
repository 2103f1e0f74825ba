"""One supervised child process: started under its guard, stopped in order, killed on request, never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from devstack import guard
from devstack.failure import ServiceFailed

PROBE_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Account:
    """The unprivileged account a child runs as, when we are root and the program refuses root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """What to execute and how it likes to be stopped."""

    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: int = 10
    account: Account | None = None


def bare_environment(home: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return a small environment for a child; `extra` wins. None of our AWS_*, PG* or proxy variables gets in."""
    return {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": tempfile.gettempdir(), **extra}


class Child:
    """A child process of the stack. Its output, and its guard's, go to `log`, appended.

    `keep_open` are descriptors the guard holds until the child has ended (the stack's lock on its state folder).
    """

    def __init__(self, name: str, command: Command, log: Path, keep_open: tuple[int, ...] = ()) -> None:
        self.name = name
        self.log = log
        self._grace_seconds = command.grace_seconds
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_from = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=command.cwd,
                start_new_session=True,
                pass_fds=keep_open,
            )
        self._tell(json.dumps(_order(command)))
        self.pid = self._read_pid()
        if self.pid == 0:
            self._ended()
            raise self.failed(f"could not execute {command.argv[0]}")

    @property
    def running(self) -> bool:
        """Return whether the child still runs."""
        return self._guard.poll() is None

    def failed(self, reason: str) -> ServiceFailed:
        """Return the failure that shows what this child wrote since it was started."""
        return ServiceFailed(self.name, reason, self.log, self._log_from)

    def wait_until(self, ready: Callable[[], bool], within_seconds: float) -> None:
        """Return once `ready()` is true; it is asked every 20 ms.

        Raises:
            ServiceFailed: the child ended first, or `within_seconds` went by.
        """
        deadline = time.monotonic() + within_seconds
        while not ready():
            try:
                status = self._guard.wait(PROBE_EVERY_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise self.failed(f"not ready within {within_seconds:.0f} s") from None
            else:
                raise self.failed(f"ended with status {status} before it was ready")

    def stop(self) -> None:
        """Ask the child to end, and return when it has. What outlasts its grace is killed."""
        descendants = self._descendants()
        self._tell("stop")
        self._ended()
        _gone(descendants, self._grace_seconds)

    def kill(self) -> None:
        """End the child by SIGKILL, and return when it and its own children are gone."""
        descendants = self._descendants()
        self._tell("kill")
        self._ended()
        _gone(descendants, 0)
        _gone(descendants, 5)

    def _tell(self, line: str) -> None:
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(line.encode() + b"\n")
            self._guard.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._guard.poll()  # the guard has ended already, and with it the child

    def _read_pid(self) -> int:
        assert self._guard.stdout is not None
        line = self._guard.stdout.readline()
        if not line:
            raise self.failed("its guard did not start")
        return int(line)

    def _ended(self) -> None:
        """Wait for the guard, which ends only after the child; then close both pipes."""
        self._guard.wait()
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # an unread "stop" was still buffered; nobody is left to read it

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True) if self.running else []
        except psutil.NoSuchProcess:
            return []


def _order(command: Command) -> dict[str, object]:
    account = command.account
    return {
        "argv": list(command.argv),
        "environment": dict(command.environment),
        "cwd": str(command.cwd),
        "stop_signal": int(command.stop_signal),
        "grace_seconds": command.grace_seconds,
        "account": None if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []},
    }


def _gone(processes: list[psutil.Process], within_seconds: float) -> None:
    """Wait for processes that end when their parent does (PostgreSQL's backends); kill what stays."""
    deadline = time.monotonic() + within_seconds
    while alive := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(PROBE_EVERY_SECONDS)  # they are not our children, so there is nothing to wait on
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _lives(process: psutil.Process) -> bool:
    """Return whether a process still does anything. A zombie does not; without an init nobody buries it."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
