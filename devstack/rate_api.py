"""The rate API of the embedded stack: one process, supervised like the other components."""

import sys
from collections.abc import Mapping

import httpx

from devstack import ports
from devstack.children import Child, Command, bare_environment
from devstack.state import State
from devstack.workers import ROOT

NAME = "rate-api"
READY_WITHIN_SECONDS = 30


class RateApi:
    """A process that serves the catalog on a port it keeps over restarts. The database is migrated by then."""

    def __init__(self, state: State, environment: Mapping[str, str]) -> None:
        wanted = state.recall(NAME).get("port")
        self.port = ports.choose(wanted if isinstance(wanted, int) else None)
        state.remember(NAME, {"port": self.port})
        self._state = state
        self._environment = environment
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process, and return when it answers from the books.

        Raises:
            ServiceFailed: it ended, or did not answer in time.
        """
        command = Command(
            argv=(sys.executable, "-m", "api", "--port", str(self.port)),
            cwd=ROOT,
            environment=bare_environment(self._state.root, {"PYTHONPATH": str(ROOT), **self._environment}),
        )
        self._child = Child(NAME, command, self._state.log(NAME))
        self._child.wait_until(self._answers, READY_WITHIN_SECONDS)

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.running

    def stop(self) -> None:
        """Ask the process to end, and return when it has."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False
