"""Where the components of a stack answer, as the settings the product reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

STRIPE_API = "https://api.stripe.com"
POSTHOG_API = "https://us.posthog.com"


class SettingMissing(ValueError):
    """A real service was named, and one of the settings it needs beside its address is not there."""

    def __init__(self, given: str, missing: str) -> None:
        super().__init__(f"{given} is set, so {missing} is needed too")


@dataclass(frozen=True)
class Endpoints:
    """Addresses and credentials. Each field is the setting TIEOUT_<FIELD>."""

    environment: str
    database_url: str
    temporal_address: str
    temporal_namespace: str
    temporal_ui_url: str
    s3_url: str
    s3_access_key: str
    s3_secret_key: str
    evidence_bucket: str
    sources_bucket: str
    clickhouse_url: str
    posthog_url: str
    posthog_project: str
    posthog_key: str
    stripe_url: str
    stripe_key: str
    stripe_webhook_secret: str
    smtp_url: str
    webhooks_key: str
    webhooks_authority: str

    def as_environment(self) -> dict[str, str]:
        """Return the environment variables by which the product finds this stack."""
        return {f"TIEOUT_{field.name.upper()}": getattr(self, field.name) for field in fields(self)}


# The setting that names a real service instead of ours, what it needs beside itself, and what may be left out.
REPLACED_BY: dict[str, str] = {
    "postgres": "TIEOUT_DATABASE_URL",
    "temporal": "TIEOUT_TEMPORAL_ADDRESS",
    "objects": "TIEOUT_S3_URL",
    "clickhouse": "TIEOUT_CLICKHOUSE_URL",
    "posthog": "TIEOUT_POSTHOG_PROJECT",
    "stripe": "TIEOUT_STRIPE_KEY",
    "mail": "TIEOUT_SMTP_URL",
    "webhooks": "TIEOUT_WEBHOOKS_KEY",
}
NEEDED: dict[str, tuple[str, ...]] = {
    "postgres": (),
    "temporal": (),
    "objects": ("TIEOUT_S3_ACCESS_KEY", "TIEOUT_S3_SECRET_KEY"),
    "clickhouse": (),
    "posthog": ("TIEOUT_POSTHOG_KEY",),
    "stripe": ("TIEOUT_STRIPE_WEBHOOK_SECRET",),
    "mail": (),
    "webhooks": (),
}
ASSUMED: dict[str, dict[str, str]] = {
    "postgres": {},
    "temporal": {"TIEOUT_TEMPORAL_NAMESPACE": "default", "TIEOUT_TEMPORAL_UI_URL": ""},
    "objects": {"TIEOUT_EVIDENCE_BUCKET": "tieout-evidence", "TIEOUT_SOURCES_BUCKET": "tieout-sources"},
    "clickhouse": {},
    "posthog": {"TIEOUT_POSTHOG_URL": POSTHOG_API},
    "stripe": {"TIEOUT_STRIPE_URL": STRIPE_API},
    "mail": {},
    "webhooks": {"TIEOUT_WEBHOOKS_AUTHORITY": ""},  # nobody on this machine is told then
}


def real_settings(service: str, environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the settings of the real service the environment names in place of ours, or None when it names none.

    Raises:
        SettingMissing: it is named, and a credential it needs is not there.
    """
    named = REPLACED_BY[service]
    if not environment.get(named):
        return None
    for needed in NEEDED[service]:
        if not environment.get(needed):
            raise SettingMissing(named, needed)
    assumed = {name: environment.get(name, value) for name, value in ASSUMED[service].items()}
    return {named: environment[named], **{name: environment[name] for name in NEEDED[service]}, **assumed}


def endpoints_of(settings: Mapping[str, str]) -> Endpoints:
    """Return the endpoints a full set of TIEOUT_ settings describes."""
    return Endpoints(**{field.name: settings[f"TIEOUT_{field.name.upper()}"] for field in fields(Endpoints)})
