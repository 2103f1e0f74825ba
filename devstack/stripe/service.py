"""The Stripe double as a service of the stack: its own process, its own SQLite file."""

from __future__ import annotations

import sys
from pathlib import Path

from devstack.children import Command, bare_environment
from devstack.services import Service, says_ok

ROOT = Path(__file__).resolve().parents[2]


class Stripe(Service):
    """A Stripe that keeps invoices to itself, used through `stripe.StripeClient(key, base_addresses={"api": url})`."""

    name = "stripe"

    @property
    def url(self) -> str:
        """Return the base address of its API."""
        return f"http://127.0.0.1:{self._port()}"

    @property
    def key(self) -> str:
        """Return the one secret key it accepts."""
        return self._state.secret(self.name, "key", "sk_test_")

    @property
    def webhook_secret(self) -> str:
        """Return the secret every webhook endpoint signs with."""
        return self._state.secret(self.name, "webhook_secret", "whsec_")

    def command(self) -> Command:
        """Return the double's process."""
        folder = self._state.folder(self.name)
        return Command(
            argv=(sys.executable, "-m", "devstack.stripe.app"),
            cwd=ROOT,
            environment=bare_environment(
                folder,
                {
                    "PYTHONPATH": str(ROOT),
                    "DOUBLE_PORT": str(self._port()),
                    "DOUBLE_KEY": self.key,
                    "DOUBLE_WEBHOOK_SECRET": self.webhook_secret,
                    "DOUBLE_FILE": str(folder / "stripe.sqlite"),
                },
            ),
        )

    def answers(self) -> bool:
        """Return whether it gives its state."""
        return says_ok(self._port(), "/_state")
