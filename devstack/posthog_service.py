"""The PostHog double as a service of the stack: its own process, its own file of events."""

from __future__ import annotations

import sys
from pathlib import Path

from devstack.children import Command, bare_environment
from devstack.services import Service, says_ok

ROOT = Path(__file__).resolve().parents[1]


class PostHog(Service):
    """A PostHog that answers the aggregate that an export is held against, of the events that it was told."""

    name = "posthog"

    @property
    def url(self) -> str:
        """Return the base address of its API."""
        return f"http://127.0.0.1:{self._port()}"

    @property
    def project(self) -> str:
        """Return the id of its one project."""
        return "1"

    @property
    def key(self) -> str:
        """Return the one personal key it accepts."""
        return self._state.secret(self.name, "key", "phx_")

    def command(self) -> Command:
        """Return the double's process."""
        folder = self._state.folder(self.name)
        return Command(
            argv=(sys.executable, "-m", "devstack.posthog"),
            cwd=ROOT,
            environment=bare_environment(
                folder,
                {
                    "PYTHONPATH": str(ROOT),
                    "DOUBLE_PORT": str(self._port()),
                    "DOUBLE_KEY": self.key,
                    "DOUBLE_PROJECT": self.project,
                    "DOUBLE_FILE": str(folder / "events.jsonl"),
                },
            ),
        )

    def answers(self) -> bool:
        """Return whether it gives its state."""
        return says_ok(self._port(), "/_state")
