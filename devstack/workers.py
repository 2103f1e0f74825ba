"""Workers of the embedded stack: a process that serves every queue, or one of them, supervised like the rest."""

import sys
from collections.abc import Mapping
from pathlib import Path

from devstack.children import Child, Command, bare_environment

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED: Mapping[str, str] = {
    "TIEOUT_POLL_SECONDS": "2",  # a source that is behind is asked again soon: nobody waits a quarter of an hour here
    "TIEOUT_RETENTION_DAYS": "1",
    "TIEOUT_FINANCE_MAIL": "finance@lumen.example",
    "TIEOUT_GRACEFUL_SECONDS": "5",
}
"""What the embedded stack sets otherwise than production."""


class Workers:
    """A worker process for all queues, or for one role's; `kill` and `start` are what chaos does to it.

    `module` and its options are what runs, where that is not the product's own (benchmarks).
    """

    def __init__(
        self,
        state: Path,
        environment: Mapping[str, str],
        role: str = "all",
        module: tuple[str, ...] = ("workers.main",),
    ) -> None:
        self._state = state.resolve()
        self._role = role
        self._module = module
        self._environment = {**EMBEDDED, "TIEOUT_CACHE_FOLDER": str(self._state / "cache"), **environment}
        self._child: Child | None = None

    def start(self) -> None:
        """Start the process; what it needs is waited for by itself."""
        command = Command(
            argv=(sys.executable, "-m", *self._module, "--role", self._role),
            cwd=ROOT,
            environment=bare_environment(self._state, {"PYTHONPATH": str(ROOT), **self._environment}),
            grace_seconds=15,
        )
        name = "workers" if self._role == "all" else f"workers-{self._role}"
        self._child = Child(name, command, self._state / "logs" / f"{name}.log")

    @property
    def pid(self) -> int:
        """The process; 0 while there is none."""
        return self._child.pid if self._child is not None else 0

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.running

    def kill(self) -> None:
        """End the process by SIGKILL."""
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        """Ask the process to end, and return when it has."""
        if self._child is not None:
            self._child.stop()
            self._child = None
