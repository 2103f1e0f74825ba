"""Wiring: what the policy names is fitted from settings and mapping files, and what is missing is named."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.clickhouse import ClickHouseUsage
from adapters.files import read_policy
from adapters.postgres_usage import PostgresUsage
from adapters.posthog import PostHogExport
from adapters.sealer import KeyUnusable
from adapters.spreadsheets import Spreadsheets
from adapters.webhook_client import AddressForbidden
from devstack.certificates import make
from runtime.settings import Settings
from runtime.wiring import (
    AddressUnusable,
    NotForProduction,
    SettingMissing,
    finance_of,
    sealer_of,
    sources_of,
    webhook_client_of,
)

POLICY = """
schema: tieout/policy/v1
sources:
  clickhouse: {grain: event}
  posthog: {grain: event}
  postgres: {grain: event}
  sheet: {grain: day, timezone: Europe/Berlin}
authority:
  - order: [clickhouse, postgres]
    tolerance: {absolute: "0", ratio: "0"}
    declared_by: rita
    reason: so
    from: 2026-01-01
    until: null
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, text in {
        "calls.yaml": "{table: calls, dimensions: {region: region}}",
        "posthog.yaml": "metered: [{event: call, meter: call.minutes, quantity: minutes}]",
        "sheets.yaml": '{decimal: ",", delimiter: ";", currency: EUR}',
        "policy.yaml": POLICY,
    }.items():
        (tmp_path / name).write_text(text)
    return Settings(
        clickhouse_url=SecretStr("http://nowhere"),
        clickhouse_file=tmp_path / "calls.yaml",
        usage_url=SecretStr("postgresql://nowhere"),
        usage_file=tmp_path / "calls.yaml",
        posthog_file=tmp_path / "posthog.yaml",
        posthog_project="7",
        posthog_key=SecretStr("phx"),
        sheets_folder=tmp_path,
        sheets_file=tmp_path / "sheets.yaml",
        s3_url="http://nowhere",
        s3_access_key=SecretStr("a"),
        s3_secret_key=SecretStr("b"),
    )


def test_every_source_of_the_policy_is_wired(settings: Settings, tmp_path: Path) -> None:
    sources = sources_of(settings, read_policy(tmp_path / "policy.yaml"))
    assert {name: type(source) for name, source in sources.items()} == {
        "clickhouse": ClickHouseUsage,
        "posthog": PostHogExport,
        "postgres": PostgresUsage,
        "sheet": Spreadsheets,
    }
    assert sources["sheet"].timezone == "Europe/Berlin"
    assert all(source.name == name for name, source in sources.items())


@pytest.mark.parametrize("setting", ["clickhouse_url", "usage_url", "usage_file", "posthog_file", "posthog_key"])
def test_what_a_source_lacks_is_refused_by_its_setting(settings: Settings, tmp_path: Path, setting: str) -> None:
    without = settings.model_copy(update={setting: None})
    with pytest.raises(SettingMissing, match=f"TIEOUT_{setting.upper()}"):
        sources_of(without, read_policy(tmp_path / "policy.yaml"))


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_SHEETS_FOLDER", "")
    assert Settings().sheets_folder is None


def test_finance_has_the_addresses_of_the_setting_and_nothing_else_passes_as_one() -> None:
    assert finance_of(Settings(finance_mail="fin@lumen.example, cfo@lumen.example")) == (
        "fin@lumen.example",
        "cfo@lumen.example",
    )
    assert finance_of(Settings()) == ()
    for malformed in ("finance", "fin@lumen.example; cfo@lumen.example", "a@b\nBcc: c@d", "Fin <fin@lumen.example>"):
        with pytest.raises(AddressUnusable):
            finance_of(Settings(finance_mail=malformed))


def test_endpoints_on_this_machine_are_told_by_the_embedded_stack_alone(tmp_path: Path) -> None:
    authority = make(tmp_path).authority
    assert webhook_client_of(Settings(environment="embedded", webhooks_authority=authority)).check("https://localhost/")
    for settings in (
        Settings(environment="production", webhooks_authority=authority),
        Settings(environment="embedded", webhooks_authority=authority, portal_url="https://portal.example"),
    ):
        with pytest.raises(NotForProduction):
            webhook_client_of(settings)
    with pytest.raises(AddressForbidden):
        webhook_client_of(Settings(environment="embedded")).check("https://localhost/")


def test_without_a_key_nothing_is_told_and_what_is_no_key_is_refused() -> None:
    assert sealer_of(Settings()) is None
    with pytest.raises(KeyUnusable):
        sealer_of(Settings(webhooks_key=SecretStr("short")))
