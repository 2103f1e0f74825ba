"""What every service of the stack can do, and starting several at once."""

from __future__ import annotations

import http.client
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from devstack import ports
from devstack.children import Child, Command
from devstack.failure import ServiceFailed
from devstack.state import State


class Service(ABC):
    """One component with its process, port, data and log. It keeps port and data over stop, kill and start."""

    name: str
    ready_within_seconds: float = 30

    def __init__(self, state: State, keep_open: tuple[int, ...] = ()) -> None:
        self._state = state
        self._keep_open = keep_open
        self._child: Child | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._ports: dict[str, int] = {}

    @property
    def running(self) -> bool:
        """Return whether its process runs."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Return the id of its process (not of the guard).

        Raises:
            ServiceFailed: it does not run.
        """
        if self._child is None or not self._child.running:
            raise ServiceFailed(self.name, "does not run", self._state.log(self.name))
        return self._child.pid

    def start(self) -> None:
        """Start it, and return when it answers. Does nothing while it runs.

        Raises:
            ServiceFailed: it ended, or did not answer in time; the tail of its log is in the message.
        """
        if self.running:
            return
        self.prepare()
        with self._lock:
            if self._closed:
                raise ServiceFailed(self.name, "the stack is stopping")
            self._child = child = Child(self.name, self.command(), self._state.log(self.name), self._keep_open)
        try:
            child.wait_until(self.answers, self.ready_within_seconds)
            self.furnish()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it in order, and return when its process is gone. Does nothing when it does not run."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.stop()

    def kill(self) -> None:
        """End it by SIGKILL, as a power cut would, and return when it is gone.

        `start` brings it back on the same port and data.
        """
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def close(self) -> None:
        """Stop it and let no later `start` succeed: the stack is going away."""
        self._closed = True
        self.stop()

    def prepare(self) -> None:
        """Make what the process needs before it runs; nothing, unless a service says otherwise. Safe to repeat."""
        return

    @abstractmethod
    def command(self) -> Command:
        """Return what to execute."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it is ready for its clients."""

    def furnish(self) -> None:
        """Make what clients expect to find, once it answers; nothing, unless a service says so. Safe to repeat."""
        return

    def _port(self, name: str = "port", also: int = 0) -> int:
        """Return the port called `name`: that of the last run while it is free, else a new one; fixed for this run."""
        if name not in self._ports:
            known = self._state.recall(self.name).get(name)
            self._ports[name] = ports.choose(known if isinstance(known, int) else None, also)
            self._state.remember(self.name, {name: self._ports[name]})
        return self._ports[name]


def stop_together(services: Sequence[Service]) -> None:
    """Close services at the same time, and return when every process is gone."""
    with ThreadPoolExecutor(max_workers=max(1, len(services)), thread_name_prefix="stop") as pool:
        for closing in [pool.submit(service.close) for service in services]:
            closing.result()


def start_together(services: Sequence[Service]) -> None:
    """Start independent services at the same time, and return when all are ready.

    Raises:
        ServiceFailed: the first one that failed; every other is stopped by then.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(services)), thread_name_prefix="start") as pool:
        starts = [pool.submit(service.start) for service in services]
        try:
            wait(starts, return_when=FIRST_EXCEPTION)
            for start in starts:
                if start.done():
                    start.result()
        except BaseException:
            # Closing stops those under way, so that the pool can end; what is about to start finds itself closed.
            stop_together(services)
            raise


def program(distribution: str, name: str) -> Path:
    """Return the program called `name` that the installed `distribution` brought along.

    Raises:
        ServiceFailed: it is not installed (the `demo` extra has it).
    """
    try:
        found = [file.locate() for file in files(distribution) or () if file.name == name]
    except PackageNotFoundError:
        found = []
    for path in found:
        resolved = Path(os.path.abspath(str(path)))
        if os.access(resolved, os.X_OK):
            return resolved
    raise ServiceFailed(name, f"{distribution} is not installed; install the `demo` extra")


def says_ok(port: int, path: str) -> bool:
    """Return whether a GET of `path` on 127.0.0.1:`port` is answered 200 within two seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
