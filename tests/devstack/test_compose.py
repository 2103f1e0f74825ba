"""The production shape, checked without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode

from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# A worker decides nothing and owns nothing: these settings are the migration's, the faces' and a person's.
NOT_FOR_WORKERS = {
    "database_url",
    "database_hooks_url",
    "database_console_url",
    "database_auditor_url",
    "database_rates_url",
    "database_portal_url",
    "identity_issuer",
    "identity_client",
    "identity_secret",
    "pages_secret",
    "api_reads_per_minute",
    "api_writes_per_minute",
    "token",
    "webhooks_authority",  # of the embedded stack
}
SECRET = re.compile(r"PASSWORD|SECRET|_KEY|_PWD|TOKEN", re.IGNORECASE)
FROM_ENVIRONMENT = re.compile(r"\$\{[A-Z0-9_]+:\?\}")
OPTIONAL_SECRETS = {
    "TIEOUT_POSTHOG_KEY": "${TIEOUT_POSTHOG_KEY:-}",
    "TIEOUT_WEBHOOKS_KEY": "${TIEOUT_WEBHOOKS_KEY:-}",
}
"""Not asked for where what they open is not used; empty is no default either."""
EXACT_TAG = re.compile(r":v?\d+(\.\d+)+(-[a-z]+)*$")


def compose() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
    return document


SERVICES: dict[str, dict[str, Any]] = compose()["services"]
WORKERS = {name: service for name, service in SERVICES.items() if name.startswith("worker-")}


def test_it_is_a_compose_file() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_in_it_is_said_twice() -> None:
    def twice(node: Any) -> Iterator[str]:
        """Yield the keys that a mapping has twice: compose refuses them, and a loader that merges takes the last."""
        if isinstance(node, MappingNode):
            names = [key.value for key, _ in node.value]
            yield from (name for name, times in Counter(names).items() if times > 1)
            for _, inner in node.value:
                yield from twice(inner)

    assert list(twice(YAML(typ="safe", pure=True).compose(COMPOSE))) == []


def test_the_readme_names_each_setting_once() -> None:
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("| setting | names |") :].split("\n\n", 1)[0]
    assert sorted(re.findall(r"`(TIEOUT_\w+)`", table)) == sorted(
        f"TIEOUT_{name.upper()}" for name in Settings.model_fields
    )


def test_every_setting_is_given_to_a_service_or_is_no_services() -> None:
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}
    missing = {name for name in Settings.model_fields if f"TIEOUT_{name.upper()}" not in given}
    assert missing == {"token", "webhooks_authority", "database_auditor_url"}  # a person's, the embedded stack's


def test_what_a_service_waits_for_is_there_and_can_come_true() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[other].get("restart", "no") in ("no", "on-failure:5"), f"{other} never completes"


def test_every_image_has_an_exact_version() -> None:
    foreign = {service["image"] for service in SERVICES.values() if "build" not in service}
    bases = set(re.findall(r"^FROM (\S+:\S+)", DOCKERFILE, re.MULTILINE))
    assert foreign
    assert bases
    for image in foreign | bases:
        assert EXACT_TAG.search(image), image


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 9
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and value != OPTIONAL_SECRETS.get(variable):
                assert FROM_ENVIRONMENT.fullmatch(str(value)), f"{name}: {variable}"
            if "://" in str(value) and "@" in str(value):
                password = re.search(r"://[^:]*:(.*)@", str(value))
                assert password is not None
                assert FROM_ENVIRONMENT.fullmatch(password[1]), f"{name}: {variable}"


def test_every_role_has_its_worker() -> None:
    from workers.registry import ROLES  # here, since it loads every room

    assert {service["command"][-1] for service in WORKERS.values()} == set(ROLES)
    assert all(service["command"][:-1] == ["python", "-m", "workers.main", "--role"] for service in WORKERS.values())


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_given_every_setting_it_reads_and_no_owners_key(name: str) -> None:
    given = {variable for variable in WORKERS[name]["environment"] if variable.startswith("TIEOUT_")}
    read = {f"TIEOUT_{field.upper()}" for field in Settings.model_fields.keys() - NOT_FOR_WORKERS}
    assert given == read


def test_the_hook_is_given_what_it_reads_and_may_only_keep_events() -> None:
    given = SERVICES["hook"]["environment"]
    assert SERVICES["hook"]["command"][:3] == ["python", "-m", "api.serve_hook"]
    assert {name for name in given if "DATABASE" in name} == {"TIEOUT_DATABASE_HOOKS_URL"}
    assert "TIEOUT_STRIPE_KEY" not in given  # it hears Stripe and asks it nothing
    assert {name.removeprefix("TIEOUT_").lower() for name in given} <= set(Settings.model_fields)


def test_the_settings_of_a_worker_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in WORKERS["worker-usage"]["environment"].items():
        default = re.fullmatch(r"\$\{[A-Z0-9_]+:-(.*)\}", str(value))
        monkeypatch.setenv(variable, default[1] if default else str(value))
    settings = Settings()
    assert settings.environment == "production"
    assert settings.automatic_approval is False


def test_a_worker_has_time_to_end_what_it_does() -> None:
    [grace] = {service["stop_grace_period"] for service in WORKERS.values()}
    assert int(grace.removesuffix("s")) > Settings.model_fields["graceful_seconds"].default


def test_the_image_takes_hashed_dependencies_and_runs_as_nobody_special() -> None:
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"^USER tieout$", DOCKERFILE, re.MULTILINE)
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in copied.split():
            assert (ROOT / source).exists(), source
