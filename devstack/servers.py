"""Our own servers in the embedded stack: one process each, supervised like the other components."""

import sys
from collections.abc import Mapping

import httpx
import psutil

from api.hook import PATH as HOOK_PATH
from devstack import ports
from devstack.children import Child, Command, bare_environment
from devstack.state import State
from devstack.workers import ROOT

READY_WITHIN_SECONDS = 30


class Server:
    """A process that serves a module on a port it keeps over restarts. The database is migrated by then."""

    def __init__(self, name: str, module: str, state: State, environment: Mapping[str, str]) -> None:
        wanted = state.recall(name).get("port")
        self.name = name
        self.port = ports.choose(wanted if isinstance(wanted, int) else None)
        state.remember(name, {"port": self.port})
        self._module = module
        self._state = state
        self._environment = environment
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def with_environment(self, environment: Mapping[str, str]) -> "Server":
        """Return the same server, given more to know."""
        return Server(self.name, self._module, self._state, environment)

    def start(self) -> None:
        """Start the process, and return when it answers.

        Raises:
            ServiceFailed: it ended, or did not answer in time.
        """
        command = Command(
            argv=(sys.executable, "-m", self._module, "--port", str(self.port)),
            cwd=ROOT,
            environment=bare_environment(self._state.root, {"PYTHONPATH": str(ROOT), **self._environment}),
        )
        self._child = Child(self.name, command, self._state.log(self.name))
        self._child.wait_until(self._answers, READY_WITHIN_SECONDS)

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.running

    @property
    def resident_bytes(self) -> int:
        """Return how much memory the process holds; nothing where it does not run."""
        return psutil.Process(self._child.pid).memory_info().rss if self._child is not None else 0

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


def rate_api(state: State, environment: Mapping[str, str]) -> Server:
    """Return the rate API."""
    return Server("rate-api", "api", state, environment)


def stripe_hook(state: State, environment: Mapping[str, str]) -> Server:
    """Return the hook where the invoicing platform tells what became of invoices."""
    return Server("stripe-hook", "api.serve_hook", state, environment)


def tell_hook(stripe_url: str, key: str, hook: str) -> None:
    """Have the Stripe double tell the hook, and no older port of it. Safe to repeat."""
    with httpx.Client(base_url=stripe_url, auth=(key, ""), timeout=10, trust_env=False) as stripe:
        known = stripe.get("/v1/webhook_endpoints", params={"limit": 100}).raise_for_status().json()["data"]
        for one in known:
            if one["url"].endswith(HOOK_PATH) and one["url"] != f"{hook}{HOOK_PATH}":
                stripe.delete(f"/v1/webhook_endpoints/{one['id']}").raise_for_status()
        if f"{hook}{HOOK_PATH}" not in {one["url"] for one in known}:
            told = {"url": f"{hook}{HOOK_PATH}", "enabled_events[0]": "*"}
            stripe.post("/v1/webhook_endpoints", data=told).raise_for_status()
