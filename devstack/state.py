"""The folder a stack keeps its state in: data, logs, and what each service must find again."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from devstack.failure import StackAlreadyRunning

# A stack that was killed leaves its guards behind for as long as they take to stop their children.
WAIT_FOR_GUARDS_SECONDS = 30
ENVIRONMENT = "environment.json"


class State:
    """A stack's folder, held by one stack at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock: int | None = None

    def log(self, service: str) -> Path:
        """Return where `service` writes its log."""
        return self.root / "logs" / f"{service}.log"

    def folder(self, service: str, mode: int = 0o700) -> Path:
        """Return the data folder of `service`, made if need be."""
        folder = self.root / service
        folder.mkdir(mode=mode, exist_ok=True)
        return folder

    def recall(self, service: str) -> dict[str, str | int]:
        """Return what `service` had remembered, or nothing."""
        path = self.root / "remembered" / f"{service}.json"
        if not path.exists():
            return {}
        remembered: dict[str, str | int] = json.loads(path.read_text())
        return remembered

    def remember(self, service: str, facts: Mapping[str, str | int]) -> None:
        """Keep ports, passwords and places for the next run, readable by us alone."""
        write_private(self.root / "remembered" / f"{service}.json", {**self.recall(service), **facts})

    def secret(self, service: str, name: str, prefix: str = "") -> str:
        """Return the secret called `name`: 48 hex digits after `prefix`, made on first use and kept for later runs."""
        known = self.recall(service).get(name)
        if isinstance(known, str):
            return known
        made = prefix + secrets.token_hex(24)
        self.remember(service, {name: made})
        return made

    def hold(self) -> int:
        """Return the descriptor of the lock on this folder, taken now.

        Guards inherit it, so the folder counts as held until the last child of a killed stack is gone.

        Raises:
            StackAlreadyRunning: a live stack holds it.
        """
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + WAIT_FOR_GUARDS_SECONDS
        while not _locked(lock):
            owner = int(os.pread(lock, 32, 0) or b"0")
            if _alive(owner) or time.monotonic() > deadline:
                os.close(lock)
                raise StackAlreadyRunning(self.root, owner)
            time.sleep(0.05)  # flock has no form with a time limit
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock
        return lock

    def release(self) -> None:
        """Let another stack have this folder. Does nothing when it is not held."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def running_environment(state_dir: Path) -> dict[str, str] | None:
    """Return the settings of the stack that runs on `state_dir`, or None when none does.

    The file that a killed stack left behind is not believed.
    """
    path, lock_path = state_dir / ENVIRONMENT, state_dir / "lock"
    if not path.exists() or not lock_path.exists():
        return None
    lock = os.open(lock_path, os.O_RDWR)
    try:
        owner = int(os.pread(lock, 32, 0) or b"0")
        if _locked(lock) or not _alive(owner):
            return None
    finally:
        os.close(lock)
    settings: dict[str, str] = json.loads(path.read_text())
    return settings


def write_private(path: Path, content: Mapping[str, str | int]) -> None:
    """Write JSON readable by its owner alone, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # made 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    os.replace(temporary, path)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
