"""Settings: read once, typed; from the environment, or from a running embedded stack's own file."""

import json
import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

STATE_FOLDER = ".tieout"


class Settings(BaseSettings):
    """Where the outside is. Every name is an environment variable with the prefix TIEOUT_."""

    model_config = SettingsConfigDict(env_prefix="TIEOUT_", extra="ignore", frozen=True, env_ignore_empty=True)

    environment: str = "production"  # embedded | production; demo people exist in the embedded one only
    entity: str = "Lumen Voice, Inc."  # whose books these are
    entity_zone: str = "America/New_York"  # the Schedule's and the entity's zone
    database_url: SecretStr | None = None  # the owner's, for migrations; a role's is derived from it where not given
    database_worker_url: SecretStr | None = None
    database_console_url: SecretStr | None = None
    database_auditor_url: SecretStr | None = None
    database_rates_url: SecretStr | None = None  # the rate API's: it reads the catalog, nothing else
    database_hooks_url: SecretStr | None = None  # the Stripe hook's: it keeps events, nothing else
    database_portal_url: SecretStr | None = None  # the customers' pages: one customer's rows at a time
    portal_url: str | None = None  # the address customers use, https://…; None: where it listens, on this machine alone
    console_url: str | None = None  # the address finance uses
    identity_issuer: str | None = None  # finance's OpenID Connect provider
    identity_client: str = "tieout-console"
    identity_secret: SecretStr | None = None
    pages_secret: SecretStr | None = None  # signs the cookie of who is away at the provider
    smtp_url: SecretStr | None = None  # smtp://host:port or smtps://user:password@host
    mail_from: str = "billing@localhost"
    finance_mail: str = ""  # addresses the nightly watch is mailed to, with commas in between; none: to nobody
    webhooks_key: SecretStr | None = None  # seals the secrets of customers' endpoints; None: none is told anything
    webhooks_authority: Path | None = None  # whose certificates count; then 127.0.0.1 is told too: embedded stack only
    policy_file: Path | None = None  # usage policy, tieout/policy/v1; None: the demo book's, in the embedded stack only
    posthog_file: Path | None = None  # which PostHog events carry usage; None: likewise
    posthog_prefix: str = "posthog/"  # of the batch export in the sources bucket
    posthog_url: str = "https://us.posthog.com"
    posthog_project: str | None = None  # the project whose totals the export is held against; None: it is not
    cost_card: str | None = None  # the rate card that sources' own costs are compared with; None: list, or the demo's
    posthog_key: SecretStr | None = None  # a personal API key with query:read
    sheets_prefix: str = "sheets/"
    sheets_folder: Path | None = None  # a local folder of spreadsheets, instead of the sources bucket
    sheets_file: Path | None = None  # decimal sign, delimiter and currency of the sheets; None: 1,234.5 and commas
    entity_file: Path | None = None  # functional currency and signed revenue policies; None: the defaults, unsigned
    token: SecretStr | None = None  # whose decisions the CLI writes
    automatic_approval: bool = False  # off: a person approves every statement
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_ui_url: str = "http://127.0.0.1:8233"
    s3_url: str | None = None  # None: AWS's own endpoint
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    evidence_bucket: str = "tieout-evidence"
    sources_bucket: str = "tieout-sources"
    clickhouse_url: SecretStr | None = None
    clickhouse_file: Path | None = None  # how its table is read, see adapters/usage_tables.py; None: the house's names
    usage_url: SecretStr | None = None  # of the PostgreSQL that holds the source named `postgres`
    usage_file: Path | None = None  # how its table is read
    stripe_url: str = "https://api.stripe.com"
    stripe_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    retention_days: int = Field(default=2557, ge=0)  # of evidence in the object store: seven years; 0 in tests
    shard_size: int = Field(default=500, ge=1, le=1500)  # customers a shard; the server refuses 2,000 children
    poll_seconds: int = Field(default=900, ge=1)  # how often a source that is behind is asked again
    reminder_hours: int = Field(default=24, ge=1)  # how often an approver is reminded
    usage_memory_mib: int = Field(default=2048, ge=256)  # of one pass over a source; past it, it spills to disk
    usage_slots: int = Field(default=4, ge=1)  # concurrent passes over sources
    stripe_per_second: float = Field(default=60.0, gt=0)  # calls a second over all workers of the queue
    api_reads_per_minute: int = Field(default=600, ge=1)  # of one key, by one process
    api_writes_per_minute: int = Field(default=60, ge=1)
    graceful_seconds: int = Field(default=30, ge=0)
    cache_folder: str = f"{STATE_FOLDER}/cache"  # local copies of sealed snapshots, checked by checksum

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded stack with its demo people."""
        return self.environment == "embedded"


def load() -> Settings:
    """Return the settings of the environment; where it names no database, those of the running embedded stack.

    Raises pydantic's ValidationError where a setting is malformed; what is missing is refused where it is needed.
    """
    if not any(name.startswith("TIEOUT_DATABASE_") for name in os.environ):
        running = Path(os.environ.get("TIEOUT_STATE", STATE_FOLDER)) / "environment.json"
        if running.is_file():
            for name, text in json.loads(running.read_text()).items():
                os.environ.setdefault(name, text)
    return Settings()
