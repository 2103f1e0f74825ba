"""The stack as a whole: its settings, its second run, and real services in place of its own."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from devstack.endpoints import SettingMissing, real_settings
from devstack.failure import NotOurs
from devstack.state import running_environment
from devstack.up import Stack

NAMES = {
    "TIEOUT_ENVIRONMENT",
    "TIEOUT_DATABASE_URL",
    "TIEOUT_TEMPORAL_ADDRESS",
    "TIEOUT_TEMPORAL_NAMESPACE",
    "TIEOUT_TEMPORAL_UI_URL",
    "TIEOUT_S3_URL",
    "TIEOUT_S3_ACCESS_KEY",
    "TIEOUT_S3_SECRET_KEY",
    "TIEOUT_EVIDENCE_BUCKET",
    "TIEOUT_SOURCES_BUCKET",
    "TIEOUT_CLICKHOUSE_URL",
    "TIEOUT_POSTHOG_URL",
    "TIEOUT_POSTHOG_PROJECT",
    "TIEOUT_POSTHOG_KEY",
    "TIEOUT_STRIPE_URL",
    "TIEOUT_STRIPE_KEY",
    "TIEOUT_STRIPE_WEBHOOK_SECRET",
    "TIEOUT_SMTP_URL",
    "TIEOUT_WEBHOOKS_KEY",
    "TIEOUT_WEBHOOKS_AUTHORITY",
}


@pytest.mark.stack
def test_its_settings_have_these_names_and_a_file_only_we_can_read(stack: Stack) -> None:
    settings = stack.endpoints.as_environment()
    assert settings.keys() == NAMES
    assert all(settings.values())
    file = stack.state.root / "environment.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == settings == running_environment(stack.state.root)


@pytest.mark.stack
def test_a_second_run_finds_ports_passwords_and_data_again(stack_folder: Path) -> None:
    with Stack(stack_folder, {}) as first:
        settings = first.endpoints.as_environment()
        with psycopg.connect(first.endpoints.database_url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
    assert not (stack_folder / "environment.json").exists()
    with Stack(stack_folder, {}) as second:
        assert second.endpoints.as_environment() == settings
        with psycopg.connect(second.endpoints.database_url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


@pytest.mark.stack
def test_a_real_service_takes_the_place_of_ours(tmp_path: Path) -> None:
    named = {
        "TIEOUT_DATABASE_URL": "postgresql://tieout@db/tieout",
        "TIEOUT_TEMPORAL_ADDRESS": "temporal:7233",
        "TIEOUT_S3_URL": "https://s3.example.com",
        "TIEOUT_S3_ACCESS_KEY": "id",
        "TIEOUT_S3_SECRET_KEY": "secret",
        "TIEOUT_CLICKHOUSE_URL": "https://clickhouse.example.com",
        "TIEOUT_SMTP_URL": "smtp://mail.example.com",
    }
    with Stack(tmp_path, named) as stack:
        assert [service.name for service in stack.services] == ["stripe", "posthog", "webhooks"]
        settings = stack.endpoints.as_environment()
        assert {name: settings[name] for name in named} == named
        assert settings["TIEOUT_EVIDENCE_BUCKET"] == "tieout-evidence"
        with pytest.raises(NotOurs, match="TIEOUT_DATABASE_URL"):
            _ = stack.postgres


def test_a_real_service_without_its_credentials_is_refused() -> None:
    with pytest.raises(SettingMissing, match="TIEOUT_S3_ACCESS_KEY"):
        real_settings("objects", {"TIEOUT_S3_URL": "https://s3.example.com"})


def test_a_real_stripe_is_named_by_its_key_and_needs_no_address() -> None:
    settings = real_settings("stripe", {"TIEOUT_STRIPE_KEY": "sk_test_x", "TIEOUT_STRIPE_WEBHOOK_SECRET": "whsec_x"})
    assert settings is not None
    assert settings["TIEOUT_STRIPE_URL"] == "https://api.stripe.com"
