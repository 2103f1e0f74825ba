"""Start the outside world in one process, and keep it up: `python -m devstack.up [STATE_DIR]`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from devstack.buckets import EVIDENCE_BUCKET, SOURCES_BUCKET
from devstack.clickhouse import ClickHouse
from devstack.endpoints import REPLACED_BY, Endpoints, endpoints_of, real_settings
from devstack.failure import NotOurs, ServiceFailed
from devstack.mail import Mail
from devstack.objects import Objects
from devstack.postgres import Postgres
from devstack.posthog_service import PostHog
from devstack.services import Service, start_together, stop_together
from devstack.state import ENVIRONMENT, State, write_private
from devstack.stripe.service import Stripe
from devstack.temporal import NAMESPACE, Temporal
from devstack.webhooks import Webhooks

DEFAULT_STATE = Path(".tieout")
Kind = TypeVar("Kind", bound=Service)


class Stack:
    """The components Tieout needs, as supervised children of this process: `with Stack(state_dir) as stack: …`.

    A component the environment already names (see `endpoints.REPLACED_BY`) is not started. All state lies below
    `state_dir`; a later stack on it finds the same data, passwords, and (while they are free) ports.
    """

    def __init__(self, state_dir: Path = DEFAULT_STATE, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self.state = State(state_dir)
        self._services: dict[str, Service] = {}
        self._endpoints: Endpoints | None = None

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            ServiceFailed: a component did not start; the others are stopped by then.
            StackAlreadyRunning: another stack uses this folder.
            SettingMissing: a real service is named without its credentials.
        """
        lock = self.state.hold()
        try:
            real = {name: real_settings(name, self._environment) for name in REPLACED_BY}
            kinds: tuple[type[Service], ...] = (
                ClickHouse, Objects, Temporal, Postgres, Stripe, PostHog, Mail, Webhooks,
            )  # fmt: skip
            self._services = {kind.name: kind(self.state, (lock,)) for kind in kinds if real[kind.name] is None}
            start_together(tuple(self._services.values()))
            named = {name: value for settings in real.values() if settings for name, value in settings.items()}
            self._endpoints = endpoints_of({"TIEOUT_ENVIRONMENT": "embedded"} | self._own_settings() | named)
            write_private(self.state.root / ENVIRONMENT, self._endpoints.as_environment())
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, whatever happened inside."""
        self.stop()

    def stop(self) -> None:
        """Stop every component, and let another stack have the state folder. Safe to repeat."""
        (self.state.root / ENVIRONMENT).unlink(missing_ok=True)
        stop_together(tuple(self._services.values()))
        self._services = {}
        self.state.release()

    @property
    def endpoints(self) -> Endpoints:
        """Return where the components answer.

        Raises:
            ServiceFailed: the stack is not up.
        """
        if self._endpoints is None:
            raise ServiceFailed("stack", "is not up")
        return self._endpoints

    @property
    def services(self) -> tuple[Service, ...]:
        """Return the components this stack started."""
        return tuple(self._services.values())

    @property
    def postgres(self) -> Postgres:
        """Return PostgreSQL. Raises NotOurs, as its five neighbours do, when the environment names a real one."""
        return self._ours(Postgres)

    @property
    def temporal(self) -> Temporal:
        """Return Temporal."""
        return self._ours(Temporal)

    @property
    def objects(self) -> Objects:
        """Return the object store."""
        return self._ours(Objects)

    @property
    def clickhouse(self) -> ClickHouse:
        """Return ClickHouse."""
        return self._ours(ClickHouse)

    @property
    def stripe(self) -> Stripe:
        """Return the Stripe double."""
        return self._ours(Stripe)

    @property
    def mail(self) -> Mail:
        """Return the mail server that keeps to itself."""
        return self._ours(Mail)

    @property
    def webhooks(self) -> Webhooks:
        """Return the customer's system that is told of events."""
        return self._ours(Webhooks)

    def ended(self) -> tuple[Service, ...]:
        """Return the components whose process is gone though nobody stopped the stack."""
        return tuple(service for service in self.services if not service.running)

    def _ours(self, kind: type[Kind]) -> Kind:
        service = self._services.get(kind.name)
        if not isinstance(service, kind):
            raise NotOurs(kind.name, REPLACED_BY[kind.name])
        return service

    def _own_settings(self) -> dict[str, str]:
        settings: dict[str, str] = {}
        for service in self.services:
            match service:
                case Postgres():
                    settings["TIEOUT_DATABASE_URL"] = service.url
                case Temporal():
                    settings["TIEOUT_TEMPORAL_ADDRESS"] = service.address
                    settings["TIEOUT_TEMPORAL_NAMESPACE"] = NAMESPACE
                    settings["TIEOUT_TEMPORAL_UI_URL"] = service.ui_url
                case Objects():
                    settings["TIEOUT_S3_URL"] = service.url
                    settings["TIEOUT_S3_ACCESS_KEY"] = service.access_key
                    settings["TIEOUT_S3_SECRET_KEY"] = service.secret_key
                    settings["TIEOUT_EVIDENCE_BUCKET"] = EVIDENCE_BUCKET
                    settings["TIEOUT_SOURCES_BUCKET"] = SOURCES_BUCKET
                case ClickHouse():
                    settings["TIEOUT_CLICKHOUSE_URL"] = service.url
                case PostHog():
                    settings["TIEOUT_POSTHOG_URL"] = service.url
                    settings["TIEOUT_POSTHOG_PROJECT"] = service.project
                    settings["TIEOUT_POSTHOG_KEY"] = service.key
                case Stripe():
                    settings["TIEOUT_STRIPE_URL"] = service.url
                    settings["TIEOUT_STRIPE_KEY"] = service.key
                    settings["TIEOUT_STRIPE_WEBHOOK_SECRET"] = service.webhook_secret
                case Mail():
                    settings["TIEOUT_SMTP_URL"] = service.url
                case Webhooks():
                    settings["TIEOUT_WEBHOOKS_KEY"] = service.key
                    settings["TIEOUT_WEBHOOKS_AUTHORITY"] = str(service.authority.resolve())
        return settings


def wait_for_a_signal() -> threading.Event:
    """Return an event that SIGINT or SIGTERM sets from now on. Until this is called SIGINT interrupts, as usual."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: asked.set())
    return asked


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Start the stack, print its URLs, and stay until SIGINT or SIGTERM. Return 0, or 1 when a component failed."""
    signal.signal(signal.SIGTERM, _interrupted)  # while starting, both signals interrupt
    state_dir = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_STATE
    began = time.monotonic()
    try:
        with Stack(state_dir) as stack:
            asked = wait_for_a_signal()
            for name, value in stack.endpoints.as_environment().items():
                if name.endswith(("_URL", "_ADDRESS")):
                    print(f"{name:24} {value}")
            print(
                f"up in {time.monotonic() - began:.1f} s; settings in {stack.state.root / ENVIRONMENT}; Ctrl-C ends it",
                flush=True,
            )
            while not asked.wait(1):
                if ended := stack.ended():
                    names = ", ".join(service.name for service in ended)
                    print(f"ended by itself: {names}; see {stack.state.root / 'logs'}", file=sys.stderr, flush=True)
                    return 1
    except KeyboardInterrupt:
        return 0
    except ServiceFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
